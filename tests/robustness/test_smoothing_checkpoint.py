"""Certification goes on where it ended, and never with something else."""

import json
import os
import pickle
import time

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from skreg.robustness import RandomizedSmoothingClassifier

X, Y = load_iris(return_X_y=True)
ROWS = X[::4]
FEW = {"sigma": 0.5, "n0": 50, "n": 200, "alpha": 0.01}


class Counted(GaussianNB):
    """Counts its calls, and is interrupted after some."""

    calls, limit = 0, np.inf

    def predict_proba(self, X):
        Counted.calls += 1
        if Counted.calls > Counted.limit:
            raise KeyboardInterrupt
        return super().predict_proba(X)


@pytest.fixture
def model():
    Counted.calls, Counted.limit = 0, np.inf
    return RandomizedSmoothingClassifier(Counted(), **FEW, random_state=0).fit(X, Y)


def assert_equal(got, wanted):
    for one, other in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_interrupted_certification_goes_on(model, tmp_path):
    path = tmp_path / "certificates"
    wanted = model.certify(ROWS)
    whole, Counted.calls = Counted.calls, 0
    n_interrupts = 0
    while True:
        Counted.limit = Counted.calls + whole // 2
        try:
            got = model.certify(ROWS, checkpoint=path)
            break
        except KeyboardInterrupt:
            n_interrupts += 1
            assert path.exists()
    assert n_interrupts >= 1
    assert_equal(got, wanted)
    assert Counted.calls < whole + 16 * n_interrupts  # of the rows in hand some is done again
    Counted.calls, Counted.limit = 0, np.inf
    assert_equal(model.certify(ROWS, checkpoint=path), wanted)
    assert Counted.calls == 0
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_every_finished_row_is_kept(model, tmp_path, n_jobs):
    path = tmp_path / "certificates"
    Counted.limit = Counted.calls + 50
    with pytest.raises(KeyboardInterrupt):
        model.set_params(n_jobs=n_jobs).certify(ROWS, checkpoint=path)
    done = np.load(path)["done"]
    assert 50 / 2 / 8 * 8 - 16 * n_jobs <= done.sum() <= 50 / 2


def test_without_a_seed_the_noise_goes_on_too(model, tmp_path):
    path = tmp_path / "certificates"
    model.set_params(random_state=None)
    Counted.limit = Counted.calls + 50
    with pytest.raises(KeyboardInterrupt):
        model.certify(ROWS, checkpoint=path)
    Counted.limit = np.inf
    seed = json.loads(str(np.load(path)["about"]))["seed"]
    got = model.certify(ROWS, checkpoint=path)
    assert_equal(got, model.set_params(random_state=seed).certify(ROWS))


def test_batches_threads_and_another_process_may_change(model, tmp_path):
    path = tmp_path / "certificates"
    wanted = model.certify(ROWS, checkpoint=path)
    again = pickle.loads(pickle.dumps(model)).set_params(batch_size=9, n_jobs=2, abstain_label=-5)
    Counted.calls = 0
    got = again.certify(ROWS, checkpoint=path)
    assert Counted.calls == 0
    np.testing.assert_array_equal(got.radius, wanted.radius)
    assert (got.label[got.abstain] == -5).all()


def test_the_layout_of_rows_does_not_matter(model, tmp_path):
    wanted = model.certify(ROWS, checkpoint=tmp_path / "a")
    Counted.calls = 0
    assert_equal(model.certify(np.asfortranarray(ROWS), checkpoint=tmp_path / "a"), wanted)
    assert Counted.calls == 0


CHANGES = {
    "sigma": {"sigma": 0.6},
    "n0": {"n0": 51},
    "n": {"n": 201},
    "alpha": {"alpha": 0.02},
    "maps": {"maps": ("softmax",)},
    "temperatures": {"temperatures": [1.0]},
    "selection": {"selection": "union"},
    "radius": {"radius": "mono"},
    "lipschitz": {"lipschitz": 3.0},
    "bound": {"bound": "betting"},
    "noise": {"noise": "independent"},
    "response": {"response": "predict_proba"},
    "random_state": {"random_state": 1},
}


@pytest.mark.parametrize(("name", "params"), CHANGES.items(), ids=CHANGES)
def test_a_checkpoint_of_other_settings_is_refused(model, tmp_path, name, params):
    path = tmp_path / "certificates"
    model.certify(ROWS[:2], checkpoint=path)
    with pytest.raises(ValueError, match=rf"of another certification \({name} = .* here"):
        model.set_params(**params).certify(ROWS[:2], checkpoint=path)


def test_a_checkpoint_of_another_model_or_of_other_rows_is_refused(model, tmp_path):
    path = tmp_path / "certificates"
    model.certify(ROWS[:3], checkpoint=path)
    with pytest.raises(ValueError, match=r"of another certification \(X\)"):
        model.certify(ROWS[1:4], checkpoint=path)
    with pytest.raises(ValueError, match=r"\(X\)"):
        model.certify(ROWS[:4], checkpoint=path)
    other = RandomizedSmoothingClassifier(Counted(), **FEW, random_state=0).fit(X[1:], Y[1:])
    with pytest.raises(ValueError, match=r"\(estimator\)"):
        other.certify(ROWS[:3], checkpoint=path)


def test_a_file_of_something_else_is_refused_and_left_alone(model, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not yours")
    with pytest.raises(ValueError, match="is no checkpoint"):
        model.certify(ROWS, checkpoint=path)
    assert path.read_text() == "not yours"
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(ValueError, match="is no checkpoint"):
        model.certify(ROWS, checkpoint=tmp_path / "other.npz")
    with pytest.raises(ValueError, match="make its folder first"):
        model.certify(ROWS, checkpoint=tmp_path / "nowhere" / "file")


def test_a_failing_write_leaves_the_last_file(model, tmp_path, monkeypatch):
    path = tmp_path / "certificates"
    Counted.limit = Counted.calls + 50
    with pytest.raises(KeyboardInterrupt):
        model.certify(ROWS, checkpoint=path)
    Counted.limit, before = np.inf, path.read_bytes()

    def full(*_):
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(OSError, match="no space"):
            model.certify(ROWS, checkpoint=path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    assert_equal(model.certify(ROWS, checkpoint=path), model.certify(ROWS))


def test_writing_takes_a_small_share_of_the_time(model, tmp_path, monkeypatch):
    """With a clock that ticks at every look, and writes that take 10 ticks."""
    from skreg.robustness import _certify_checkpoint as module

    now, writes = [0.0], []

    def tick():
        now[0] += 1.0
        return now[0]

    def save(_):
        writes.append(now[0])
        now[0] += 10.0

    monkeypatch.setattr(module.time, "monotonic", tick)
    monkeypatch.setattr(module.Checkpoint, "save", save)
    file = module.Checkpoint(tmp_path / "file", {}, 0, 3)
    for _ in range(1000):
        file.save_now_and_then()
    assert 0.02 < 10 * len(writes) / now[0] < 0.06
    assert time.monotonic is tick


def test_labels_of_strings_come_back(tmp_path):
    names = np.array(["setosa", "versicolor", "virginica"])[Y]
    linear = FrozenEstimator(LogisticRegression(max_iter=500).fit(X, names))
    model = RandomizedSmoothingClassifier(linear, **FEW, random_state=0).fit(X, names)
    wanted = model.certify(ROWS, checkpoint=tmp_path / "a")
    assert_equal(model.certify(ROWS, checkpoint=tmp_path / "a"), wanted)
    assert set(wanted.label) <= {*names, "-1"}
