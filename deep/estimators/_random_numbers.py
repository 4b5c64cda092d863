"""Random numbers of an estimator, apart from those of everybody else.

Torch has one generator for all threads, from which dropout and initial weights are drawn.
"""

import contextlib
import threading

import torch

ONE_AT_A_TIME = threading.Lock()

_visits: list["Visit"] = []


class Visit:
    """A stay at torch's generators, with what was there before.

    Attributes
    ----------
    before : dict of str to Tensor
        The states, by device.
    """

    def __init__(self, before) -> None:
        self.before = before


def states_of(devices):
    """States of torch's generators, by device."""
    states = {"cpu": torch.get_rng_state()}
    for device in devices:
        states[str(device)] = torch.cuda.get_rng_state(device)
    return states


def set_states(states, devices):
    """Set what `states_of` returned, for the devices that are there."""
    torch.set_rng_state(states["cpu"])
    for device in devices:
        if str(device) in states:
            torch.cuda.set_rng_state(states[str(device)], device)


@contextlib.contextmanager
def seeded(seed, devices):
    """Draw from a seed, one thread at a time, and leave torch's generators as they were.

    Yields
    ------
    dict of str to Tensor
        Filled, at the end, with the states to go on from.
    """
    after: dict[str, torch.Tensor] = {}
    with ONE_AT_A_TIME, torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield after
        after |= states_of(devices)


@contextlib.contextmanager
def going_on_from(states, devices):
    """Go on from states of one's own, and leave torch's generators as they were.

    Visits of several threads overlap. One that ends while a later one is there hands what it
    found to it, so that the last one to leave restores what the first one found.

    Yields
    ------
    dict of str to Tensor
        Filled, at the end, with the states to go on from.
    """
    after: dict[str, torch.Tensor] = {}
    with ONE_AT_A_TIME:
        visit = Visit(states_of(devices))
        _visits.append(visit)
        set_states(states, devices)
    try:
        yield after
    finally:
        with ONE_AT_A_TIME:
            after |= states_of(devices)
            _leave(visit, devices)


def _leave(visit, devices):
    place = _visits.index(visit)
    del _visits[place]
    if place == len(_visits):
        set_states(visit.before, devices)
    else:
        _visits[place].before |= visit.before
