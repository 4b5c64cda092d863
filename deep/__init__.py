"""Composable regularizers for PyTorch networks behind ``fit`` and ``predict``."""

try:
    import torch  # noqa: F401
except ImportError as error:
    raise ImportError(
        "skreg.deep needs PyTorch and skorch, which are not installed with skreg itself. "
        "Install them with:  pip install 'skreg[deep]'"
    ) from error
