"""Modules of torch and networks of skreg.deep are smoothed as they are."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg.robustness import RandomizedSmoothingClassifier

torch = pytest.importorskip("torch")

X, Y = load_iris(return_X_y=True)
FEW = {"sigma": 0.3, "n0": 50, "n": 300, "alpha": 0.01, "random_state": 0}


class Affine(torch.nn.Module):
    """A logistic regression, with a dropout that must not act and a part in another mode."""

    def __init__(self, coef, intercept, dtype=torch.float64):
        super().__init__()
        self.linear = torch.nn.Linear(coef.shape[1], len(coef), dtype=dtype)
        self.dropout = torch.nn.Dropout(0.5)
        self.norm = torch.nn.BatchNorm1d(coef.shape[1], affine=False, dtype=dtype).eval()
        self.linear.weight.data = torch.tensor(coef, dtype=dtype)
        self.linear.bias.data = torch.tensor(intercept, dtype=dtype)
        self.gradients = []

    def forward(self, X):
        self.gradients.append(torch.is_grad_enabled())
        return self.linear(self.dropout(X.flatten(1)))


@pytest.fixture(scope="module", params=[2, 3])
def pair(request):
    """A logistic regression, and the module that has the same scores."""
    keep = request.param > Y
    linear = LogisticRegression(max_iter=500).fit(X[keep], Y[keep])
    return linear, Affine(linear.coef_, linear.intercept_), X[keep], Y[keep]


def smoothed(estimator, X, y, **params):
    return RandomizedSmoothingClassifier(estimator, **{**FEW, **params}).fit(X, y)


@pytest.mark.parametrize("params", [{}, {"batch_size": 7}, {"n_jobs": 2}], ids=str)
def test_a_module_is_smoothed_as_the_estimator_with_its_scores(pair, params):
    linear, module, X, y = pair
    got = smoothed(module, X, y, **params).certify(X[::7])
    wanted = smoothed(FrozenEstimator(linear), X, y).certify(X[::7])
    np.testing.assert_array_equal(got.label, wanted.label)
    np.testing.assert_allclose(got.radius, wanted.radius, atol=1e-5)


def test_modes_and_gradients_are_as_before(pair):
    _, module, X, y = pair
    module.train()
    module.norm.eval()
    module.gradients.clear()
    model = smoothed(module, X, y)
    model.certify(X[:3])
    model.predict(X[:3])
    assert module.training
    assert module.dropout.training
    assert not module.norm.training
    assert torch.is_grad_enabled()
    assert not any(module.gradients)


def test_modes_are_as_before_after_an_error(pair):
    _, module, X, y = pair
    model = smoothed(module, X, y)
    module.train()
    with pytest.raises(ValueError, match="lipschitz"):
        model.set_params(lipschitz="auto").certify(X[:2])
    assert module.training


def test_single_precision_images_and_probabilities(pair):
    linear, _, X, y = pair
    images = X.reshape(-1, 1, 2, 2).astype(np.float32)
    module = torch.nn.Sequential(
        Affine(linear.coef_, linear.intercept_, torch.float32),
        torch.nn.Sigmoid() if len(linear.coef_) == 1 else torch.nn.Softmax(dim=1),
    )
    got = smoothed(module, images, y, response="predict_proba").certify(images[::7])
    wanted = smoothed(FrozenEstimator(linear), X, y).certify(X[::7])
    np.testing.assert_array_equal(got.label, wanted.label)
    np.testing.assert_allclose(got.radius, wanted.radius, atol=1e-4)


def test_classes_of_a_module():
    module = Affine(np.eye(3, 4), np.zeros(3))
    assert list(smoothed(module, X, Y).classes_) == [0, 1, 2]
    assert list(smoothed(module, X[:100], Y[:100]).classes_) == [0, 1, 2]
    assert list(smoothed(module, X, np.array(["x", "y", "z"])[Y]).classes_) == ["x", "y", "z"]
    with pytest.raises(ValueError, match="3 outputs, but y has the 2 classes"):
        smoothed(module, X, Y > 0)
    with pytest.raises(ValueError, match="3 outputs"):
        smoothed(module, X[:100], 7 * Y[:100])
    with pytest.raises(ValueError, match="asks for training"):
        smoothed(module, X, Y, noise_augment=1)


def test_checkpoints_know_the_weights_of_a_module(tmp_path):
    module = Affine(np.eye(3, 4), np.zeros(3))
    model = smoothed(module, X, Y)
    wanted = model.certify(X[:5], checkpoint=tmp_path / "a")
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.certify(X[:5], checkpoint=tmp_path / "a"), wanted)
    module.linear.bias.data += 1.0
    with pytest.raises(ValueError, match=r"\(estimator\)"):
        model.certify(X[:5], checkpoint=tmp_path / "a")


def test_deep_classifiers(tmp_path):
    pytest.importorskip("skorch")
    from skreg.deep import DeepClassifier

    names = np.array(["a", "b", "c"])[Y]
    deep = DeepClassifier(max_epochs=15, lr=0.02, random_state=0, device="cpu").fit(X, names)
    deep.net_.module_.train()
    frozen = FrozenEstimator(deep)
    model = smoothed(frozen, X, names)
    result = model.certify(X[::10], checkpoint=tmp_path / "a")
    assert deep.net_.module_.training
    assert np.mean(result.label == names[::10]) > 0.7
    again = pickle.loads(pickle.dumps(model))
    assert (again.certify(X[::10], checkpoint=tmp_path / "a").radius == result.radius).all()
    rng = np.random.default_rng(0)
    noisy = X[60] + 0.3 * rng.normal(size=(4000, 4))
    share = (deep.predict(noisy) == "b").mean()
    assert model.set_params(n=4000).predict_proba(X[60:61])[0, 1] == pytest.approx(share, abs=0.04)
    trained = RandomizedSmoothingClassifier(
        make_pipeline(StandardScaler(), DeepClassifier(max_epochs=5, lr=0.02, random_state=0)),
        **FEW, noise_augment=2,
    ).fit(X, names)  # fmt: skip
    assert trained.score(X, names) > 0.7


def test_torch_is_not_imported_for_others():
    code = (
        "import sys; from sklearn.datasets import load_iris; "
        "from sklearn.naive_bayes import GaussianNB; "
        "from skreg.robustness import RandomizedSmoothingClassifier as R; "
        "X, y = load_iris(return_X_y=True); R(GaussianNB(), n=50, n0=50).fit(X, y).certify(X[:2]); "
        "assert not {'torch', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
