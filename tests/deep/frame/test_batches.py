"""What is a number."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from skreg.deep.frame._batches import check_number
from skreg.deep.regularizers import ELR, PSKD, ConR, ThresholdConsistentMargin
from skreg.deep.torch import ConRLoss, ELRLoss, density_weights


@pytest.mark.parametrize(
    "value", [0, 3.0, np.float32(2), np.int64(1), Fraction(1, 2), torch.tensor(1.5), 10**400]
)
def test_numbers_pass(value):
    check_number("lam", value, 0.0)


@pytest.mark.parametrize(
    "value", ["3", None, True, np.True_, [1.0], np.ones(1), torch.ones(1), torch.tensor(True), 1j]
)
def test_what_is_no_number_is_named(value):
    with pytest.raises(ValueError, match=r"^lam must be a number in \[0, inf\), got "):
        check_number("lam", value, 0.0)


@pytest.mark.parametrize("value", [float("nan"), np.nan, torch.tensor(float("nan")), float("inf")])
def test_nan_and_infinity_are_no_numbers(value):
    with pytest.raises(ValueError, match=r"lam must be in \[0, inf\), got "):
        check_number("lam", value, 0.0)


@pytest.mark.parametrize(
    ("bounds", "value", "interval"),
    [
        ((0.0, 1.0, False, True), 1.0, r"\[0, 1\)"),
        ((0.0, 0.5, True, True), 0.0, r"\(0, 0.5\)"),
        ((-1.0, 1.0, False, False), 1.1, r"\[-1, 1\]"),
        ((float("-inf"), 2.0, False, False), 3, r"\(-inf, 2\]"),
    ],
)
def test_intervals_are_written_out(bounds, value, interval):
    low, high, above, below = bounds
    with pytest.raises(ValueError, match=f"a must be in {interval}, got {value}"):
        check_number("a", value, low, high, above=above, below=below)


def test_parameters_of_losses_and_regularizers():
    message = r"must be a number in .*, got '3'"
    for wrong in (
        lambda: ELRLoss(4, 3, lam="3"),
        lambda: ELR(lam="3").state(None),
        lambda: ConRLoss(window="3"),
        lambda: ConR(temperature="3").initialize(),
        lambda: ThresholdConsistentMargin(weight_pos="3").initialize(),
        lambda: PSKD(alpha="3").state(None),
        lambda: density_weights([1.0, 2.0], kernel_sigma="3"),
    ):
        with pytest.raises(ValueError, match=message):
            wrong()
