"""A class for each pixel: against a loop by hand, with ignored pixels, and as an estimator."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import jaccard_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from torch import nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

from skreg.deep import DeepSegmenter, SmallUNet
from skreg.deep.regularizers import ELR, SAM, ConfidencePenalty, EMAWeights, MagnitudePruning
from skreg.metrics import intersection_over_union_score


def squares(n, seed=0, size=12):
    """Images with a bright and a dark square, and masks whose first row is to be ignored."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(0, 0.3, (n, size, size)), np.zeros((n, size, size), np.uint8)
    for image, mask in zip(X, y, strict=True):
        for label, shift in ((1, 1.0), (2, -1.0)):
            i, j = rng.integers(1, size - 4, 2)
            image[i : i + 4, j : j + 4], mask[i : i + 4, j : j + 4] = shift, label
    y[:, 0] = 255
    return X + rng.normal(0, 0.1, X.shape), y


X, y = squares(24)
SMALL = {
    "max_epochs": 15, "lr": 0.01, "batch_size": 8, "random_state": 0,
    "net_params": {"module__width": 8},
}  # fmt: skip


@pytest.fixture(scope="module")
def fitted():
    return DeepSegmenter(**SMALL).fit(X, y)


def flat(seed=0):
    torch.manual_seed(seed)
    return nn.Conv2d(1, 3, 3, padding=1)


def test_squares_are_found(fitted):
    X_test, y_test = squares(20, seed=1)
    assert fitted.score(X_test, y_test) > 0.8
    assert fitted.classes_.tolist() == [0, 1, 2]
    probability = fitted.predict_proba(X_test)
    assert probability.shape == (20, 3, 12, 12)
    np.testing.assert_allclose(probability.sum(1), 1, rtol=1e-5)
    assert np.array_equal(fitted.predict(X_test), probability.argmax(1))


def test_it_trains_as_a_loop_by_hand():
    weight = np.array([1.0, 3.0, 0.5] * 8)
    by_hand = flat()
    optimizer = torch.optim.SGD(by_hand.parameters(), lr=0.5)
    images, masks = torch.from_numpy(X[:, None]), torch.from_numpy(y.astype(np.int64))
    by_hand.double()
    scaled = torch.from_numpy(weight / weight.mean())
    for _ in range(3):
        losses = F.cross_entropy(by_hand(images), masks, ignore_index=255, reduction="none")
        n_meant = (masks != 255).double().mul(scaled[:, None, None]).sum()
        optimizer.zero_grad()
        (losses.mul(scaled[:, None, None]).sum() / n_meant).backward()
        optimizer.step()
    model = DeepSegmenter(
        flat(), optimizer=torch.optim.SGD, lr=0.5, max_epochs=3, batch_size=24, dtype="float64"
    ).fit(X[:, None], y, sample_weight=weight)
    for found, wanted in zip(model.net_.module_.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(found, wanted)


def test_ignored_pixels_and_images_do_not_count(fitted):
    more_X = np.concatenate([X, X[:1] + 5])
    more_y = np.concatenate([y, np.full_like(y[:1], 255)])
    scaled = {**SMALL, "standardize": False, "max_epochs": 1, "batch_size": 32}
    one = DeepSegmenter(**scaled).fit(X, y)
    two = DeepSegmenter(**scaled).fit(more_X, more_y)
    np.testing.assert_allclose(one.predict_proba(X), two.predict_proba(X), atol=1e-5)
    alone = DeepSegmenter(**{**scaled, "batch_size": 1}).fit(more_X[-3:], more_y[-3:])
    assert np.isfinite(alone.predict_proba(X)).all()
    truth = y.copy()
    truth[:, 0] = 1
    assert fitted.score(X, y) != fitted.score(X, truth)


def test_forms_of_data_are_the_same(fitted):
    expected = fitted.predict(X)
    data = TensorDataset(torch.from_numpy(X[:, None]), torch.from_numpy(y.astype(np.int64)))
    for given in ((X[:, None], y), (X[..., None], y.tolist())):
        assert np.array_equal(DeepSegmenter(**SMALL).fit(*given).predict(given[0]), expected)
    from_dataset = DeepSegmenter(**SMALL).fit(data)
    assert np.array_equal(from_dataset.predict(X[:, None]), expected)
    for values in (X, y):
        values.flags.writeable = False
    assert np.array_equal(DeepSegmenter(**SMALL).fit(X, y).predict(X), expected)


@pytest.mark.parametrize("labels", [np.array([-3, 7, 20]), np.array(["sky", "tree", "water"])])
def test_labels_may_be_any(labels, fitted):
    model = DeepSegmenter(**SMALL, ignore_index=255).fit(X[:, 1:], labels[y[:, 1:]])
    plain = DeepSegmenter(**SMALL).fit(X[:, 1:], y[:, 1:])
    assert np.array_equal(model.classes_, labels)
    assert np.array_equal(model.predict(X[:, 1:]), labels[plain.predict(X[:, 1:])])


def test_truth_values_are_two_classes():
    model = DeepSegmenter(**SMALL).fit(X, y == 1)
    assert model.predict(X).dtype == bool
    assert model.score(X, y == 1) > 0.7


def test_copies_and_searches(fitted):
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.predict_proba(X), fitted.predict_proba(X))
    assert np.array_equal(clone(fitted).fit(X, y).predict(X), fitted.predict(X))
    scores = cross_val_score(DeepSegmenter(**{**SMALL, "max_epochs": 2}), X, y, cv=2)
    assert scores.shape == (2,)
    search = GridSearchCV(DeepSegmenter(**{**SMALL, "max_epochs": 2}), {"lr": [1e-4, 0.01]}, cv=2)
    assert search.fit(X, y).best_params_ == {"lr": 0.01}


def test_training_goes_on():
    model = DeepSegmenter(**{**SMALL, "warm_start": True, "max_epochs": 2}).fit(X, y)
    assert model.fit(X, y).n_iter_ == 4
    batches = DeepSegmenter(**SMALL)
    batches.partial_fit(X[:12], np.zeros_like(y[:12]), classes=[0, 1, 2]).partial_fit(X, y)
    assert batches.predict_proba(X).shape[1] == 3


def test_early_stopping_looks_at_images_set_aside():
    model = DeepSegmenter(**SMALL, early_stopping=True, validation_fraction=0.25).fit(X, y)
    assert "valid_loss" in model.history_


@pytest.mark.parametrize(
    "regularizer",
    [SAM(), EMAWeights(), ConfidencePenalty(), MagnitudePruning(0.5)],
    ids=lambda regularizer: type(regularizer).__name__,
)
def test_regularizers_for_pixels(regularizer):
    model = DeepSegmenter(regularizers=[("it", regularizer)], **SMALL).fit(X, y)
    assert model.score(X, y) > 0.5


def test_regularizers_for_images_are_refused():
    with pytest.raises(ValueError, match=r"ELR .* is for classification, .* trained for dense"):
        DeepSegmenter(regularizers=[("elr", ELR())], **SMALL).fit(X, y)


@pytest.mark.parametrize(
    ("arguments", "data", "message"),
    [
        ({}, (X, y[:, :10]), r"masks y of \(10, 12\) pixels do not fit images of \(12, 12\)"),
        ({}, (X, y[:, 0, 0]), "for one label of each image, use DeepClassifier"),
        ({}, (X, y / 3), "continuous"),
        ({}, (X, None), "requires y"),
        ({}, (X[:5], y), "inconsistent numbers"),
        ({}, (X.reshape(24, -1), y), "give a module"),
        ({}, (X, np.full_like(y, 255)), "all pixels of y have the label ignore_index=255"),
        ({"ignore_index": 0.5}, (X, y), "ignore_index"),
        ({"module": nn.Conv2d(1, 3, 3)}, (X[:, None], y), r"got \(n, 3, 10, 10\)"),
        (
            {"module": nn.Conv2d(1, 2, 1)},
            (X[:, None], y),
            r"must return logits of shape \(n, 3, 12, 12\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(arguments, data, message):
    with pytest.raises(ValueError, match=message):
        DeepSegmenter(**{"max_epochs": 1, **arguments}).fit(*data)


def test_unknown_labels_are_refused(fitted):
    model = pickle.loads(pickle.dumps(fitted))
    with pytest.raises(ValueError, match=r"labels \[9\] that are not among the classes"):
        model.partial_fit(X, np.where(y == 2, 9, y))


@pytest.mark.parametrize("size", [(8, 8), (9, 13), (5, 4)])
def test_unets_keep_the_size(size):
    net = SmallUNet(n_inputs=2, n_outputs=5, width=8)
    assert net(torch.zeros(3, 2, *size)).shape == (3, 5, *size)
    with pytest.raises(ValueError, match="multiple of eight"):
        SmallUNet(1, 2, width=12)


@pytest.mark.parametrize("average", ["macro", "micro", None])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_score_is_that_of_scikit_learn_on_pixels(average, weighted):
    rng = np.random.default_rng(0)
    truth, found = rng.integers(0, 4, (2, 6, 5, 7))
    truth[rng.random(truth.shape) < 0.2] = 9
    weight = rng.random(6) if weighted else None
    pixels = truth != 9
    each = None if weight is None else np.broadcast_to(weight[:, None, None], truth.shape)[pixels]
    expected = jaccard_score(truth[pixels], found[pixels], average=average, sample_weight=each)
    score = intersection_over_union_score(
        truth, found, ignore_index=9, average=average, sample_weight=weight
    )
    np.testing.assert_allclose(score, expected)


def test_classes_that_are_nowhere_have_no_score():
    scores = intersection_over_union_score([[0, 1]], [[0, 2]], labels=[0, 1, 3], average=None)
    np.testing.assert_array_equal(scores, [1, 0, np.nan])
    assert intersection_over_union_score([[0, 1]], [[0, 2]], labels=[0, 3]) == 1


@pytest.mark.parametrize(
    ("truth", "found", "arguments", "message"),
    [
        ([[0, 1]], [[0], [1]], {}, "inconsistent"),
        ([[0, 1]], [[0, 1, 1]], {}, "one shape"),
        ([[0, 1]], [[0, 1]], {"sample_weight": [1, 2]}, "1 finite numbers"),
        ([[0, 1]], [[0, 1]], {"sample_weight": [-1]}, "not negative"),
        ([[5, 5]], [[0, 1]], {"ignore_index": 5}, "no pixel is left"),
        ([[0, 1]], [[0, 1]], {"average": "mean"}, "average"),
    ],
)
def test_scores_of_what_does_not_fit(truth, found, arguments, message):
    with pytest.raises(ValueError, match=message):
        intersection_over_union_score(truth, found, **arguments)
