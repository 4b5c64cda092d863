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


class Meet(Callback):
    """Let two fits overlap: the first to begin is the first, or the last, to end."""

    def __init__(self, waits):
        self.waits = waits

    def on_train_begin(self, net, **kwargs):
        BARRIER.wait(20)

    def on_train_end(self, net, **kwargs):
        if self.waits:
            FIRST_IS_OUT.wait(20)


BARRIER, FIRST_IS_OUT = threading.Barrier(2), threading.Event()


@pytest.mark.parametrize("waiting", [0, 1])
def test_two_overlapping_fits_leave_the_generator_alone(waiting):
    FIRST_IS_OUT.clear()
    before = torch.get_rng_state()

    def fit(k):
        dropping(k, callbacks=[Meet(k == waiting)]).fit(X, y)
        FIRST_IS_OUT.set()

    threads = [threading.Thread(target=fit, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
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
