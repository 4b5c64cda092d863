"""What a checkpoint needs beside weights: the number of steps and the random numbers to come."""

import torch
from torch import nn

STATES = "regularizers"
FRAME = "frame"


class TrainingState(nn.Module):
    """Number of optimizer steps, and the states of the random generators after an epoch.

    It is a part of the criterion, so that checkpoints hold it and training resumes from them
    exactly.

    Attributes
    ----------
    steps, n_samples : Tensor of shape (), int64
        Number of optimizer steps so far, and of samples that have a number.
    shuffling, torch_cpu, torch_device : Tensor, uint8
        State of the loader's own generator and of torch's; empty where there is none.
    is_loaded : bool
        Whether the states come from a checkpoint and wait to be put back.
    """

    GENERATORS = ("shuffling", "torch_cpu", "torch_device")
    steps: torch.Tensor
    n_samples: torch.Tensor
    shuffling: torch.Tensor
    torch_cpu: torch.Tensor
    torch_device: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("steps", "n_samples"):
            self.register_buffer(name, torch.zeros((), dtype=torch.int64))
        for name in self.GENERATORS:
            self.register_buffer(name, torch.empty(0, dtype=torch.uint8))
        self.is_loaded = False

    def note(
        self,
        steps: int,
        n_samples: int | None,
        loader_generator: torch.Generator | None,
        device: torch.device,
    ) -> None:
        """Note how far training is and where the generators are."""
        self.steps.fill_(steps)
        self.n_samples.fill_(n_samples or 0)
        states = {"torch_cpu": torch.get_rng_state()}
        if loader_generator is not None:
            states["shuffling"] = loader_generator.get_state()
        if device.type == "cuda":
            states["torch_device"] = torch.cuda.get_rng_state(device)
        for name, state in states.items():
            setattr(self, name, state.to(self.steps.device))

    def put_back(
        self, loader_generator: torch.Generator | None, device: torch.device, is_alone: bool
    ) -> None:
        """Set the generators to the states that were loaded, once.

        Those of torch belong to the process that wrote the checkpoint: several processes draw on
        from where theirs are.
        """
        self.is_loaded = False
        if len(self.shuffling) and loader_generator is not None:
            loader_generator.set_state(self.shuffling.cpu())
        if len(self.torch_cpu) and is_alone:
            torch.set_rng_state(self.torch_cpu.cpu())
        if len(self.torch_device) and is_alone and device.type == "cuda":
            torch.cuda.set_rng_state(self.torch_device.cpu(), device)

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs):
        for name in self.GENERATORS:
            stored = state_dict.get(prefix + name)
            if stored is not None:
                setattr(self, name, stored.new_empty(stored.shape, device=self.steps.device))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
        self.is_loaded = prefix + "steps" in state_dict


class States(nn.Module):
    """The regularizers' states by name; unlike ``torch.nn.ModuleDict`` it takes every name."""

    def __init__(self, states: dict[str, nn.Module]) -> None:
        super().__init__()
        for name, state in states.items():
            self.add_module(self.path(name), state)

    @staticmethod
    def path(name: str) -> str:
        """Name of the submodule: with a prefix that no attribute has, and without dots."""
        return "of_" + name.replace("%", "%25").replace(".", "%2E")

    def __getitem__(self, name):
        return self.get_submodule(self.path(name))


def add_states(criterion, states):
    """Make the regularizers' states, by name, and a `TrainingState` parts of the criterion."""
    criterion.add_module(FRAME, TrainingState())
    if states:
        criterion.add_module(STATES, States(states))


def carry_over(old, new):
    """Give a new criterion the tensors of the old one; trained parameters stay the same objects."""
    kept = dict(old.named_parameters())
    for path, parameter in list(new.named_parameters()):
        if path in kept and kept[path].shape == parameter.shape:
            owner, _, name = path.rpartition(".")
            setattr(new.get_submodule(owner), name, kept[path])
    values = {
        key: value
        for key, value in old.state_dict().items()
        if key.startswith((STATES, FRAME)) or key in kept
    }
    new.load_state_dict(values, strict=False)
    getattr(new, FRAME).is_loaded = False
