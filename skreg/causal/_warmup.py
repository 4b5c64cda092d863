"""First fits that compile the kernels of this folder ahead, for `skreg warmup`."""

import numpy as np

from skreg.causal import CoLiDE, SortNRegress


def _rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3))
    X[:, 1] += X[:, 0]
    return X


def _colide(noise):
    for mode in ("reference", "fast"):
        CoLiDE(noise, mode=mode, warm_iter=10, max_iter=10, checkpoint=5).fit(_rows())


def equal_noise() -> None:
    """CoLiDE-EV in both modes."""
    _colide("ev")


def unequal_noise() -> None:
    """CoLiDE-NV in both modes."""
    _colide("nv")


def unit_noise() -> None:
    """DAGMA's score in both modes."""
    _colide("ls")


def sort_n_regress() -> None:
    """The baseline that sorts by variance."""
    SortNRegress().fit(_rows())


FITS = unequal_noise, equal_noise, unit_noise, sort_n_regress
