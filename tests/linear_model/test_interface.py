"""Parameters, messages, shapes and the rest of the contract with a user."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from skreg.linear_model import (
    ElasticNet,
    ElasticNetCV,
    GroupLasso,
    GroupLassoCV,
    HuberLasso,
    HuberLassoCV,
    Lasso,
    LassoCV,
    MultiTaskLasso,
    MultiTaskLassoCV,
    NonNegativeLeastSquares,
    SparseLogisticRegression,
    SparseLogisticRegressionCV,
    SparsePoissonRegressor,
    SparsePoissonRegressorCV,
)

# few strengths keep the tests fast; that the choice falls at the edge of them is not the topic
pytestmark = pytest.mark.filterwarnings("ignore:.*CV chose alpha")
ONE_OUTPUT = [
    Lasso(0.1),
    ElasticNet(0.1),
    GroupLasso(alpha=0.1),
    NonNegativeLeastSquares(),
    HuberLasso(),
    SparsePoissonRegressor(),
    SparseLogisticRegression(),
]
CROSS_VALIDATED = [
    LassoCV(alphas=4),
    ElasticNetCV(alphas=4),
    GroupLassoCV(alphas=4),
    HuberLassoCV(alphas=4),
    SparsePoissonRegressorCV(alphas=4),
    SparseLogisticRegressionCV(alphas=4),
]
ALL = [*ONE_OUTPUT, MultiTaskLasso(0.1), *CROSS_VALIDATED, MultiTaskLassoCV(alphas=4)]


def data(model=None, n_samples=60):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, 6))
    y = (X[:, 1] - X[:, 4] + rng.normal(size=n_samples) > 0).astype(int)
    if model is not None and not model.__sklearn_tags__().target_tags.single_output:
        y = np.column_stack([y, 1 - 2 * y])
    return X, y


def name_of(model):
    return type(model).__name__


@pytest.mark.parametrize("model", ALL, ids=name_of)
@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("alpha", -0.1),
        ("alpha", np.inf),
        ("alpha", "large"),
        ("l1_ratio", -0.1),
        ("l1_ratio", 1.1),
        ("delta", 0.0),
        ("delta", -1.0),
        ("penalty", "l3"),
        ("positive", "yes"),
        ("fit_intercept", "yes"),
        ("warm_start", "yes"),
        ("tol", -1e-3),
        ("max_iter", 0),
        ("max_iter", 1.5),
        ("eps", 0.0),
        ("eps", -1.0),
        ("alphas", 0),
        ("alphas", "many"),
        ("alphas", []),
        ("alphas", [0.1, -0.1]),
        ("cv", "five"),
        ("cv", 1),
        ("scoring", "prettiness"),
        ("selection_rule", "max"),
        ("n_jobs", 1.5),
        ("groups", 0),
        ("groups", 4),
        ("groups", [0, 0, 1]),
        ("groups", [[0, 1, 2], [3, 4]]),
        ("groups", [[0, 1, 2], [2, 3, 4, 5]]),
        ("groups", [[0, 1, 2, 3, 4, 5], []]),
        ("penalty_weights", [1.0]),
        ("penalty_weights", [1, 1, 1, 1, 1, -1]),
        ("penalty_weights", [1, 1, 1, 1, 1, np.nan]),
        ("penalty_weights", "heavy"),
    ],
)
def test_bad_parameter_is_named(model, parameter, value):
    if parameter not in model.get_params():
        pytest.skip(f"{name_of(model)} has no {parameter}")
    X, y = data(model)
    with pytest.raises((ValueError, TypeError)) as error:
        clone(model).set_params(**{parameter: value}).fit(X, y)
    message = str(error.value)
    assert parameter in message or (parameter, value) == ("cv", 1)


@pytest.mark.parametrize("model", ALL, ids=name_of)
@pytest.mark.parametrize(
    ("X_change", "message"), [(np.nan, "NaN"), (np.inf, "infinity"), (None, "inconsistent")]
)
def test_bad_features_are_rejected(model, X_change, message):
    X, y = data(model)
    if X_change is None:
        X = X[:-1]
    else:
        X[3, 2] = X_change
    with pytest.raises(ValueError, match=message):
        clone(model).fit(X, y)


@pytest.mark.parametrize("model", ALL, ids=name_of)
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.full(60, -1.0), "[Nn]egative"),
        (np.full(60, np.nan), "NaN"),
        (np.ones(59), "shape"),
        (np.ones((60, 1)), "1D"),
        (np.zeros(60), "zero"),
    ],
)
def test_bad_sample_weights_are_rejected(model, weight, message):
    X, y = data(model)
    with pytest.raises(ValueError, match=message):
        clone(model).fit(X, y, sample_weight=weight)


def test_bad_targets_are_rejected():
    X, y = data()
    with pytest.raises(ValueError, match="nonnegative"):
        SparsePoissonRegressor().fit(X, y - 1)
    with pytest.raises(ValueError, match="one class"):
        SparseLogisticRegression().fit(X, np.zeros(60))
    with pytest.raises(ValueError, match="Unknown label type"):
        SparseLogisticRegression().fit(X, X[:, 0])
    with pytest.raises(ValueError, match="n_outputs"):
        MultiTaskLasso().fit(X, y)
    with pytest.raises(ValueError, match="1d array"):
        LassoCV().fit(X, np.column_stack([y, y]))
    with pytest.raises(ValueError, match="NaN"):
        Lasso().fit(X, np.where(y, np.nan, 0.0))


@pytest.mark.parametrize("model", [ElasticNet(l1_ratio=0.0), ElasticNetCV(l1_ratio=[0.5, 0.0])])
def test_no_progression_of_strengths_without_l1_part(model):
    X, y = data()
    call = model.fit if isinstance(model, ElasticNetCV) else model.path
    with pytest.raises(ValueError, match=r"l1_ratio=0.*alphas="):
        call(X, y)


def test_ridge_limit_works_with_given_strengths():
    X, y = data()
    model = ElasticNetCV(l1_ratio=[0.0, 1e-7], alphas=[0.1, 1.0], tol=1e-12).fit(X, y)
    assert_allclose(model.score_path_[0], model.score_path_[1], rtol=1e-5)


@pytest.mark.parametrize("model", ALL, ids=name_of)
def test_unfitted_model_says_so(model):
    with pytest.raises(NotFittedError):
        clone(model).predict(data()[0])


def test_convergence_warning_names_reached_and_wanted_tolerance():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 400))
    y = X[:, :20].sum(axis=1)
    with pytest.warns(ConvergenceWarning) as caught:
        model = Lasso(1e-3, max_iter=1, tol=1e-14).fit(X, y)
    (message,) = (str(warning.message) for warning in caught)
    assert f"relative duality gap is {model.dual_gap_:.3g}" in message
    assert "Lasso" in message
    assert "tol=1e-14" in message
    assert "max_iter=1" in message
    assert caught[0].filename == __file__
    with pytest.warns(ConvergenceWarning, match="relative KKT residual"):
        NonNegativeLeastSquares(max_iter=1, tol=0.0).fit(X, y)
    with pytest.warns(ConvergenceWarning, match="strengths of the path missed tol=0"):
        Lasso(max_iter=1, tol=0.0).path(X, y, alphas=3)
    with pytest.warns(ConvergenceWarning, match=r"LassoCV: \d+ fits on the folds"):
        LassoCV(alphas=3, max_iter=1, tol=0.0, cv=2).fit(X, y)


@pytest.mark.parametrize("model", ALL, ids=name_of)
def test_pickle_and_clone_keep_the_model(model):
    X, y = data(model)
    fitted = clone(model).fit(X, y)
    copy = pickle.loads(pickle.dumps(fitted))
    assert_allclose(copy.predict(X), fitted.predict(X))
    assert clone(fitted).get_params().keys() == fitted.get_params().keys()
    assert not hasattr(clone(fitted), "coef_")


@pytest.mark.parametrize("model", ALL, ids=name_of)
def test_data_frames_leave_their_names(model):
    X, y = data(model)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    target = pd.DataFrame(y) if y.ndim == 2 else pd.Series(y)
    fitted = clone(model).fit(frame, target, sample_weight=pd.Series(np.ones(60)))
    assert list(fitted.feature_names_in_) == list("abcdef")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_allclose(fitted.predict(frame), clone(model).fit(X, y).predict(X))
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(frame[list("fedcba")])


@pytest.mark.parametrize("model", [*ONE_OUTPUT, MultiTaskLasso(0.1)], ids=name_of)
def test_warm_start_begins_where_the_last_fit_ended(model):
    X, y = data(model)
    warm = clone(model).set_params(warm_start=True, tol=1e-9)
    cold = clone(model).set_params(tol=1e-9).fit(X, y)
    assert cold.n_iter_ >= 1
    assert_allclose(warm.fit(X, y).coef_, cold.coef_)
    assert warm.fit(X, y).n_iter_ == 0
    assert_allclose(warm.coef_, cold.coef_)
    small = X[:, :4]
    assert np.array_equal(warm.fit(small, y).coef_, clone(cold).fit(small, y).coef_)


def test_warm_start_of_several_outputs():
    X, y = data()
    Y = np.column_stack([y, 1 - y, X[:, 0]])
    warm = Lasso(0.05, warm_start=True).fit(X, Y)
    assert np.array_equal(warm.fit(X, Y).n_iter_, [0, 0, 0])


@pytest.mark.parametrize(
    "model", [m for m in ALL if not isinstance(m, NonNegativeLeastSquares)], ids=name_of
)
def test_path_equals_separate_fits(model):
    X, y = data(model)
    model = clone(model).set_params(tol=1e-11)
    path = model.path(X, y, alphas=[0.3, 0.02, 0.1])
    assert np.array_equal(path.alphas, [0.3, 0.1, 0.02])
    assert vars(model) == vars(clone(model))  # nothing is learned
    assert np.all(path.dual_gaps <= 1e-11)
    assert np.all(path.n_iter >= 0)
    assert np.all(path.kkt_residuals >= 0)
    single = model if "alpha" in model.get_params() else model._single()
    for i, alpha in enumerate(path.alphas):
        fitted = clone(single).set_params(alpha=alpha).fit(X, y)
        assert fitted.coef_.shape == path.coefs[..., i].shape
        assert_allclose(fitted.coef_, path.coefs[..., i], atol=1e-6)
        assert_allclose(fitted.intercept_, path.intercepts[..., i], atol=1e-6)


def test_path_places_strengths_below_the_largest():
    X, y = data()
    model = Lasso()
    path = model.path(X, y, alphas=7, eps=1e-2)
    largest = model.alpha_max(X, y)
    assert_allclose(path.alphas, np.geomspace(largest, largest / 100, 7))
    with pytest.raises(ValueError, match="eps"):
        model.path(X, y, eps=0.0)
    with pytest.raises(ValueError, match=r"alphas\[1\]"):
        model.path(X, y, alphas=[1.0, -1.0])
    with pytest.raises(ValueError, match="tol"):
        Lasso(tol=-1.0).path(X, y)
    with pytest.raises(ValueError, match="max_iter"):
        Lasso(max_iter=0).alpha_max(X, y)


def test_shapes_and_sparse_coefficients_are_those_of_scikit_learn():
    X, y = data()
    lasso = Lasso(0.1).fit(X, y)
    assert lasso.coef_.shape == (6,)
    assert np.ndim(lasso.intercept_) == 0
    assert scipy.sparse.issparse(lasso.sparse_coef_)
    assert lasso.sparse_coef_.shape == (1, 6)
    assert_allclose(lasso.sparse_coef_.toarray()[0], lasso.coef_)
    assert Lasso(0.1).fit(X, y[:, None]).coef_.shape == (6,)
    binary = SparseLogisticRegression().fit(X, y)
    assert binary.coef_.shape == (1, 6)
    assert binary.intercept_.shape == (1,)
    three = SparseLogisticRegression(fit_intercept=False).fit(X, y + (X[:, 0] > 1))
    assert three.coef_.shape == (3, 6)
    assert np.array_equal(three.intercept_, np.zeros(3))
    assert MultiTaskLasso().fit(X, y[:, None]).coef_.shape == (1, 6)
    assert np.array_equal(lasso.active_set_, np.flatnonzero(lasso.coef_))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fortran_ordered_features_are_used_in_place(dtype, monkeypatch):
    import skreg.linear_model._base as base

    seen = []
    original = base.solve_path
    monkeypatch.setattr(
        base, "solve_path", lambda design, *a, **k: seen.append(design) or original(design, *a, **k)
    )
    X = np.asfortranarray(data()[0], dtype=dtype)
    Lasso(0.1).fit(X, data()[1])
    assert np.shares_memory(seen[0].matrix, X)
    sparse = scipy.sparse.csc_array(X)
    Lasso(0.1).fit(sparse, data()[1])
    assert np.shares_memory(seen[1].data, sparse.data)


@pytest.mark.parametrize("model", [m for m in ALL if name_of(m).endswith("CV")], ids=name_of)
def test_a_cross_validated_twin_holds_its_model_instead_of_being_one(model):
    ours = [cls for cls in type(model).__mro__ if cls.__module__.startswith("skreg.linear_model")]
    assert len(ours) <= 4
    assert not issubclass(type(model), type(model)._model_class)


@pytest.mark.parametrize("model", [m for m in ALL if name_of(m).endswith("CV")], ids=name_of)
def test_progress_counts_the_fits_on_the_folds(model, capsys):
    X, y = data(model)
    ratios = {"l1_ratio": [0.3, 0.6]} if "l1_ratio" in model.get_params() else {}
    quiet = clone(model).set_params(cv=3, **ratios).fit(X, y)
    assert capsys.readouterr().err == ""
    loud = clone(model).set_params(cv=3, verbose=1, **ratios).fit(X, y)
    shown = capsys.readouterr().err
    assert name_of(model) in shown
    assert ("6/6" if ratios else "3/3") in shown
    assert np.array_equal(loud.score_path_, quiet.score_path_)


def test_progress_counts_the_strengths_of_a_path(capsys):
    X = np.random.default_rng(0).normal(size=(20, 30))
    for model, y in (
        (Lasso(), X[:, 0]),
        (LassoCV(), X[:, 0]),
        (SparseLogisticRegression(), X[:, 0] > 0),
    ):
        quiet = model.path(X, y, alphas=4, eps=0.1)
        assert capsys.readouterr().err == ""
        loud = model.path(X, y, alphas=4, eps=0.1, verbose=1)
        assert "4/4" in capsys.readouterr().err
        assert np.array_equal(loud.coefs, quiet.coefs)
