"""torch's global generator is everybody's: estimators leave it as it was, in threads too."""

import threading

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from sklearn.datasets import load_iris
from skorch.callbacks import Callback

from skreg.deep import DeepClassifier

X, y = load_iris(return_X_y=True)


def dropping(seed, **params):
    return DeepClassifier(
        max_epochs=3,
        batch_size=16,
        random_state=seed,
        net_params={"module__dropout": 0.5},
        **params,
    )


BEGAN, ENDED, BOTH = threading.Event(), threading.Event(), threading.Barrier(2)


class Meet(Callback):
    """Let two fits overlap; one of them ends when the other has."""

    def __init__(self, waits):
        self.waits = waits

    def on_train_begin(self, net, **kwargs):
        BEGAN.set()
        BOTH.wait(20)

    def on_train_end(self, net, **kwargs):
        if self.waits:
            assert ENDED.wait(20)


@pytest.mark.parametrize("last", [0, 1])
def test_two_overlapping_fits_leave_the_generator_alone(last):
    BEGAN.clear()
    ENDED.clear()
    before = torch.get_rng_state()

    def fit(k):
        dropping(k, callbacks=[Meet(k == last)]).fit(X, y)
        ENDED.set()

    threads = [threading.Thread(target=fit, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
        assert BEGAN.wait(20)
    for thread in threads:
        thread.join()
    assert torch.equal(torch.get_rng_state(), before)


def test_many_threads_leave_the_generator_alone():
    before = torch.get_rng_state()
    Parallel(3, prefer="threads")(delayed(dropping(k).fit)(X, y) for k in range(6))
    assert torch.equal(torch.get_rng_state(), before)


class FitInside(Callback):
    def on_epoch_begin(self, net, **kwargs):
        dropping(7).fit(X, y)


def test_a_fit_inside_of_another_does_not_disturb_it():
    alone = dropping(0).fit(X, y).predict_proba(X)
    disturbed = dropping(0, callbacks=[FitInside()]).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(alone, disturbed)
