"""A new penalty or loss is one file: its room finds it, exports it, and its tests try it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import skreg

TESTS = Path(__file__).parent
HEAD = """
from typing import NamedTuple

import numpy as np

"""
PENALTY = (
    HEAD
    + """
from skreg.optim.penalties._functions import (
    block_distance,
    block_gauge,
    block_prox,
    block_threshold,
    block_value,
    face_gradient,
)
from skreg.optim.penalties._kinds import entrywise, finite, without_ridge


@entrywise
@finite
@without_ridge
class Tilted(NamedTuple):
    alpha: float
    weights: np.ndarray | None = None


def kinks(penalty, b):
    scale = penalty.alpha * penalty.weights[b]
    return scale, 3.0 * scale


@block_value.register(Tilted)
def _(penalty, b, w):
    down, up = kinks(penalty, b)
    used = w[w != 0.0]
    return np.sum(np.where(used > 0.0, up * used, -down * used))


@block_prox.register(Tilted)
def _(penalty, b, v, step):
    down, up = kinks(penalty, b)
    v[:] = np.maximum(v - step * up, 0.0) + np.minimum(v + step * down, 0.0)


@block_distance.register(Tilted)
def _(penalty, b, w, q):
    down, up = kinks(penalty, b)
    at_zero = np.maximum(np.maximum(q - up, -q - down), 0.0)
    return np.max(np.where(w > 0.0, abs(q - up), np.where(w < 0.0, abs(q + down), at_zero)))


@block_threshold.register(Tilted)
def _(penalty, b):
    return kinks(penalty, b)[0]


@block_gauge.register(Tilted)
def _(penalty, b, q):
    down, up = kinks(penalty, b)
    return max(np.max(q) / up, -np.min(q) / down) if down > 0.0 else 0.0


@face_gradient.register(Tilted)
def _(penalty, b, w, out):
    down, up = kinks(penalty, b)
    out[:] = np.where(w > 0.0, up, np.where(w < 0.0, -down, 0.0))
"""
)
LOSS = (
    HEAD
    + """
from skreg.optim.losses._functions import (
    dual_metric_product,
    loss_conjugate,
    loss_curvature,
    loss_gradient,
    loss_hessian_product,
    loss_value,
    smoothness,
    step_unit,
)
from skreg.optim.losses._kinds import of_margins, of_one_output


@of_one_output
@of_margins
class SquaredHinge(NamedTuple):
    pass


def short(prediction, target):
    return np.maximum(1.0 - target * prediction, 0.0)


@loss_value.register(SquaredHinge)
def _(loss, prediction, target):
    return np.sum(short(prediction, target) ** 2, axis=0) / 2


@loss_gradient.register(SquaredHinge)
def _(loss, prediction, target):
    return -target * short(prediction, target)


@loss_curvature.register(SquaredHinge)
def _(loss, prediction, target):
    return np.ones_like(prediction)


@loss_hessian_product.register(SquaredHinge)
def _(loss, prediction, target, direction):
    return np.where(short(prediction, target) > 0.0, direction, 0.0)


@loss_conjugate.register(SquaredHinge)
def _(loss, dual, target):
    error = -target * dual
    return np.sum(np.where(error >= 0.0, error * (error / 2 - 1.0), np.inf), axis=0)


@dual_metric_product.register(SquaredHinge)
def _(loss, prediction, target, direction):
    return short(prediction, target) * direction


@smoothness.register(SquaredHinge)
def _(loss):
    return 1.0


@step_unit.register(SquaredHinge)
def _(loss):
    return np.inf
"""
)
USE = """
import numpy as np
from skreg.optim import SquaredHinge, Tilted, duality_gap, solve

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 6))
y = np.where(X[:, 0] - X[:, 1] + rng.normal(size=40) > 0, 1.0, -1.0)
found = solve(X, y, SquaredHinge(), Tilted(0.05), tol=1e-8)
gap = duality_gap(X, y, SquaredHinge(), Tilted(0.05), found.coef, found.intercept).gap
assert found.converged and gap <= 2e-8 and np.any(found.coef)
"""


@pytest.fixture
def copy(tmp_path):
    """A copy of the package with two files more; its kernels run as plain Python."""
    source = Path(skreg.__file__).parent
    shutil.copytree(
        source, tmp_path / "skreg", ignore=shutil.ignore_patterns("__pycache__", "deep")
    )
    (tmp_path / "skreg" / "optim" / "penalties" / "_tilted.py").write_text(PENALTY)
    (tmp_path / "skreg" / "optim" / "losses" / "_squared_hinge.py").write_text(LOSS)
    return tmp_path


COPY_FIRST = """
import sys
from importlib.machinery import PathFinder

sys.meta_path.insert(0, PathFinder)  # an editable installation may stand before the path
"""
TRY = """
import pytest

files = ["test_penalties.py", "test_losses.py"]
options = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib"]
sys.exit(pytest.main([*options, "-k", "(Tilted or SquaredHinge) and not compiled", *files]))
"""


def test_a_penalty_and_a_loss_are_one_file_each_and_tried_by_the_tests_of_their_rooms(copy):
    for room in ("penalties", "losses"):
        shutil.copy(TESTS / room / f"test_{room}.py", copy)
    environment = {**os.environ, "PYTHONPATH": str(copy), "NUMBA_DISABLE_JIT": "1"}
    answer = subprocess.run(
        [sys.executable, "-c", COPY_FIRST + USE + TRY], cwd=copy, env=environment,
        capture_output=True, text=True,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert int(answer.stdout.split(" passed")[0].split()[-1]) >= 15
