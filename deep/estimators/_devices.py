"""Where networks are trained."""

import torch


def available_devices():
    """Names of the devices that are there."""
    names = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    return [*names, "mps"] if torch.backends.mps.is_available() else names


def checked_device(device):
    """The device, ``"auto"`` resolved, if numbers can be put there.

    Raises
    ------
    ValueError
        If they cannot.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.zeros(1, device=device).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device={str(device)!r} is not available: torch {torch.__version__} finds "
            f"{', '.join(available_devices())} here. Choose one, or device='auto'"
        ) from error
