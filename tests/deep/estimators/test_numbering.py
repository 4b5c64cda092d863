"""The numbers under which regularizers remember samples, over several calls."""

from typing import ClassVar

import numpy as np
import pytest
import sklearn
import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg.deep import DeepClassifier, DeepRegressor, Regularizer
from skreg.deep.regularizers import PSKD

X, y = load_iris(return_X_y=True)
SMALL = {"max_epochs": 1, "random_state": 0, "net_params": {"module__width": 8}}


class Seen(Regularizer):
    """Numbers by the row's first feature, of the last call."""

    rows: ClassVar[dict] = {}

    def on_train_begin(self, net, **kwargs):
        type(self).rows = {}

    def penalty(self, net, batch, y_pred, features):
        self.rows.update(zip(batch.X[:, 0].tolist(), batch.index.tolist(), strict=True))


ROWS = np.arange(150.0)


def numbered(model, call, rows, **params):
    """Numbers of the rows in a call, in the order of the rows."""
    data = np.column_stack([ROWS, X])[rows]
    getattr(model, call)(data, y[rows], **params)
    return [Seen.rows.get(float(row)) for row in np.arange(150)[rows]]


@pytest.fixture
def model():
    return DeepClassifier(
        **SMALL, regularizers=[("seen", Seen())], standardize=False, warm_start=True
    )


FIRST, SECOND = slice(0, 150, 2), slice(1, 150, 2)


def test_rows_of_a_later_part_are_new(model):
    first = numbered(model, "partial_fit", FIRST, classes=[0, 1, 2])
    second = numbered(model, "partial_fit", SECOND)
    again = numbered(model, "partial_fit", SECOND)
    assert first == list(range(75))
    assert second == list(range(75, 150))
    assert again == list(range(150, 225))


def test_a_warm_start_on_the_same_data_keeps_the_numbers(model):
    first = numbered(model, "fit", FIRST)
    assert numbered(model, "fit", FIRST) == first == list(range(75))
    assert numbered(model, "fit", SECOND) == list(range(75, 150))
    assert numbered(model, "fit", SECOND) == list(range(75, 150))
    assert numbered(model, "fit", FIRST) == list(range(150, 225))
    model.set_params(warm_start=False)
    assert numbered(model, "fit", SECOND) == list(range(75))


def test_other_targets_are_other_data(model):
    data = np.column_stack([ROWS, X])
    model.fit(data, y).fit(data, y[::-1])
    assert Seen.rows[0.0] == 150


def test_rows_of_weight_zero_have_numbers_too(model):
    weight = np.arange(75) % 3
    assert numbered(model, "fit", FIRST, sample_weight=weight)[1::3] == list(range(1, 75, 3))
    assert numbered(model, "fit", SECOND)[0] == 75


def test_the_caller_gives_numbers(model):
    index = np.arange(75)[::-1] * 2
    assert numbered(model, "fit", FIRST, sample_index=index) == index.tolist()
    assert numbered(model, "fit", FIRST) == index.tolist()
    assert numbered(model, "partial_fit", SECOND, sample_index=np.arange(75)) == list(range(75))
    assert numbered(model, "partial_fit", SECOND) == list(range(149, 224))


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (np.arange(149), r"must have shape \(150,\), got \(149,\)"),
        (np.arange(150) - 1, "must not be negative, got -1"),
        (np.arange(150) // 2, "must be different numbers, but 75 of 150"),
        (np.arange(150.0), "must be integers, got float64"),
    ],
)
def test_numbers_that_cannot_be_meant(index, words):
    fitted = DeepRegressor(**SMALL).fit(X, y)
    before = fitted.predict(X)
    for call in (fitted.fit, fitted.partial_fit):
        with pytest.raises(ValueError, match=words):
            call(X, y, sample_index=index)
    np.testing.assert_array_equal(fitted.predict(X), before)


class Targets(PSKD):
    seen: ClassVar[list] = []

    def targets(self, net, batch, y):
        soft = super().targets(net, batch, y)
        self.seen.append((batch.y, soft))
        return soft


def test_the_first_targets_of_new_samples_are_their_labels():
    fitted = DeepClassifier(**SMALL, regularizers=[("teacher", Targets(alpha=0.8, max_epochs=2))])
    fitted.partial_fit(X[::2], y[::2], classes=[0, 1, 2])
    Targets.seen = []
    fitted.partial_fit(X[1::2], y[1::2])
    for label, soft in Targets.seen:
        hard = soft if soft.ndim == 1 else soft.argmax(1)
        assert torch.equal(hard, label)
        assert soft.ndim == 1 or (soft.max(1).values == 1).all()


def test_numbers_are_routed(model):
    index = 1000 - np.arange(150)
    with sklearn.config_context(enable_metadata_routing=True):
        model.set_fit_request(sample_index=True)
        cross_validate(
            make_pipeline(StandardScaler(), model), X, y, cv=3, params={"sample_index": index}
        )
    assert min(Seen.rows.values()) > 850
