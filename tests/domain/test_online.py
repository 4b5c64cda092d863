"""Adaptation by explicit calls, against loops by hand."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB

from skreg.domain import DomainSpecificClassifier

LABELS = ["own", "last", "uniform", "drm"]


def stream(seed=0, n=150):
    rng = np.random.default_rng(seed)
    domains = np.arange(n) % 3
    X = 3.0 * np.eye(3, 4)[domains] + rng.normal(size=(n, 4))
    y = np.digitize(X[:, 3] + X[:, 0] * (domains == 1), [-0.5, 0.7])
    return X, np.array(["u", "v", "w"])[y], domains


def fitted(head=None, **params):
    X, y, domains = stream()
    return DomainSpecificClassifier(head or GaussianNB(), **params).fit(X, y, domains=domains)


def by_hand(model, X, label, beta, n_steps=1):
    """Heads after the update, and predictions at the beginning of the last step."""
    heads = copy.deepcopy([*model.domain_estimators_, model.shared_estimator_])
    weights = model.domain_weights(X)
    for _ in range(n_steps):
        said = np.array([head.predict_proba(X) for head in heads])
        combined = np.einsum("nk,knc->nc", weights, said)
        sources = {"last": said[-1], "uniform": said.mean(axis=0), "drm": combined}
        for i, head in enumerate(heads):
            p = sources.get(label, said[i])
            kept = p.max(axis=1) >= beta
            if kept.any():
                head.partial_fit(X[kept], model.classes_[p[kept].argmax(axis=1)])
    return heads, model.classes_[combined.argmax(axis=1)]


@pytest.mark.parametrize("n_steps", [1, 3])
@pytest.mark.parametrize("beta", [0.3, 0.9])
@pytest.mark.parametrize("label", LABELS)
def test_adapt_is_the_loop_by_hand(label, beta, n_steps):
    model = fitted()
    X = stream(seed=1)[0]
    heads, wanted = by_hand(model, X, label, beta, n_steps)
    got = model.adapt(X, label=label, beta=beta, n_steps=n_steps)
    np.testing.assert_array_equal(got, wanted)
    for head, expected in zip(model._heads, heads, strict=True):
        np.testing.assert_allclose(head.predict_proba(X), expected.predict_proba(X), rtol=1e-10)


def test_online_predictions_come_before_their_update():
    X = stream(seed=1)[0]
    model, slow = fitted(), fitted()
    got = model.predict_online(X, batch_size=32, beta=0.5)
    wanted = []
    for start in range(0, len(X), 32):
        wanted.append(slow.predict(X[start : start + 32]))
        slow.adapt(X[start : start + 32], beta=0.5)
    np.testing.assert_array_equal(got, np.concatenate(wanted))
    np.testing.assert_allclose(model.predict_proba(X), slow.predict_proba(X))


def test_nothing_is_learned_above_one_and_predictions_change_nothing():
    X = stream(seed=1)[0]
    model = fitted()
    wanted = model.predict_proba(X)
    model.adapt(X, beta=1.1)
    model.predict(X)
    np.testing.assert_array_equal(model.predict_proba(X), wanted)


def test_reset_puts_the_fitted_heads_back():
    X = stream(seed=1)[0]
    model = fitted()
    wanted = model.predict_proba(X)
    assert model.reset_adaptation() is model
    model.adapt(X, beta=0.3)
    model.adapt(X, beta=0.3)
    assert not np.allclose(model.predict_proba(X), wanted)
    again = pickle.loads(pickle.dumps(model))
    for one in (model, again):
        np.testing.assert_array_equal(one.reset_adaptation().predict_proba(X), wanted)
    model.adapt(X, beta=0.3)
    X_other, y_other, domains = stream(seed=7)
    model.fit(X_other, y_other, domains=domains)
    fresh = fitted().fit(X_other, y_other, domains=domains)
    np.testing.assert_array_equal(model.reset_adaptation().predict_proba(X), fresh.predict_proba(X))


class Fixed(ClassifierMixin, BaseEstimator):
    """Says the same of every row, and counts what it is taught."""

    def fit(self, X, y):
        self.classes_, self.taught_ = np.unique(y), 0
        return self

    def predict_proba(self, X):
        return np.tile([0.9, 0.05, 0.05], (len(X), 1))

    def predict(self, X):
        return np.full(len(X), self.classes_[0])

    def partial_fit(self, X, y):
        self.taught_ += len(X)
        return self


@pytest.mark.parametrize("label", LABELS)
def test_confidence_is_the_probability_itself(label):
    """Another softmax would turn 0.9 of three classes into less than 0.8."""
    model = fitted(Fixed())
    X = stream(seed=1)[0]
    model.adapt(X, label=label, beta=0.95)
    assert [head.taught_ for head in model._heads] == [0] * 4
    model.adapt(X, label=label, beta=0.8)
    assert [head.taught_ for head in model._heads] == [len(X)] * 4


def test_scale_of_the_step_is_a_weight():
    X = stream(seed=1)[0]
    head = SGDClassifier(loss="log_loss", random_state=0, learning_rate="constant", eta0=0.01)
    small, large = fitted(head), fitted(head)
    start = small.shared_estimator_.coef_.copy()
    small.adapt(X, beta=0.4, lr_scale=0.1)
    large.adapt(X, beta=0.4, lr_scale=10.0)
    steps = [np.abs(m.shared_estimator_.coef_ - start).max() for m in (small, large)]
    assert 0.0 < steps[0] < steps[1]
    with pytest.raises(ValueError, match=r"Fixed.partial_fit takes none"):
        fitted(Fixed()).adapt(X, lr_scale=0.5)


def test_classes_that_a_head_does_not_know():
    X, y, domains = stream()
    y[(domains == 0) & (y == "w")] = "u"
    y[domains == 2] = "v"
    with pytest.warns(UserWarning, match="single class"):
        model = DomainSpecificClassifier(GaussianNB()).fit(X, y, domains=domains)
    model.adapt(X, label="last", beta=0.0)
    assert list(model.domain_estimators_[0].classes_) == ["u", "v"]
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"label": "best"}, "label"),
        ({"beta": -0.1}, "beta"),
        ({"lr_scale": 0.0}, "lr_scale"),
        ({"n_steps": 0}, "n_steps"),
    ],
    ids=str,
)
def test_bad_arguments(params, message):
    X = stream(seed=1)[0]
    model = fitted()
    with pytest.raises(ValueError, match=message):
        model.adapt(X, **params)
    with pytest.raises(ValueError, match=message):
        model.predict_online(X, **params)
    with pytest.raises(ValueError, match="batch_size"):
        model.predict_online(X, batch_size=0)


def test_what_cannot_adapt_is_refused():
    X = stream(seed=1)[0]
    with pytest.raises(ValueError, match="heads with partial_fit, which LogisticRegression"):
        fitted(LogisticRegression()).adapt(X)
    with pytest.raises(ValueError, match="set include_shared=True"):
        fitted(include_shared=False).adapt(X, label="last")
