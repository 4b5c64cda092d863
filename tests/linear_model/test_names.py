"""Features and groups under the names that a user gave them."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.feature_selection import SelectFromModel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

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
CV = {"alphas": 8, "selection_rule": "one_standard_error"}
ALL = [
    Lasso(0.3),
    ElasticNet(0.4),
    GroupLasso(2, alpha=0.3),
    HuberLasso(0.3),
    MultiTaskLasso(0.4),
    NonNegativeLeastSquares(),
    SparsePoissonRegressor(0.15),
    SparseLogisticRegression(0.1),
    LassoCV(**CV),
    ElasticNetCV(**CV),
    GroupLassoCV(2, **CV),
    HuberLassoCV(**CV),
    MultiTaskLassoCV(**CV),
    SparsePoissonRegressorCV(**CV),
    SparseLogisticRegressionCV(alphas=[0.1, 0.09]),
]
NAMES = ["age", "size", "bmi", "glucose", "x0", "Zeta"]
FRAMES = {"pandas": pd.DataFrame, "polars": lambda X, columns: pl.DataFrame(X, schema=columns)}
LABELS = ["u", "u", "v", "v", "w", "w"]
BY_NAME = dict(zip(NAMES, LABELS, strict=True))


def name_of(model):
    return type(model).__name__


def data(model=None):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 6))
    y = np.digitize(X[:, 2] - 2 * X[:, 3] + 0.3 * rng.normal(size=80), [-1.0, 1.0])
    multiple = model is not None and not model.__sklearn_tags__().target_tags.single_output
    return X, np.column_stack([y, 0 * y]) if multiple else y


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("model", ALL, ids=name_of)
def test_selected_features_are_those_that_scikit_learn_selects(model, frame):
    X, y = data(model)
    named = FRAMES[frame](X, columns=NAMES)
    fitted = clone(model).fit(named, y)
    selector = SelectFromModel(fitted, prefit=True, threshold=np.finfo(float).tiny)
    expected = selector.fit(named, y).get_feature_names_out()
    assert fitted.selected_features_.tolist() == expected.tolist()
    assert 0 < len(expected) < 6
    without = clone(model).fit(X, y)
    expected = SelectFromModel(without, prefit=True, threshold=np.finfo(float).tiny).fit(X, y)
    assert without.selected_features_.tolist() == expected.get_feature_names_out().tolist()


def test_a_feature_of_one_class_or_output_is_selected():
    X, y = data()
    one_class = SparseLogisticRegression(0.2).fit(X, y)
    assert one_class.coef_.shape[0] == 3
    partly = one_class.coef_.any(axis=0) & ~one_class.coef_.all(axis=0)
    assert partly.any()
    expected = [f"x{j}" for j in np.flatnonzero(one_class.coef_.any(axis=0))]
    assert one_class.selected_features_.tolist() == expected
    two = Lasso(0.3).fit(X, np.column_stack([X[:, 0], X[:, 5]]))
    assert two.selected_features_.tolist() == ["x0", "x5"]


def test_there_are_no_selected_features_before_a_fit():
    assert not hasattr(Lasso(), "selected_features_")
    assert not hasattr(LassoCV(), "selected_features_")


@pytest.mark.parametrize("cross_validated", [False, True], ids=["one strength", "CV"])
@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize(
    ("groups", "labels"),
    [
        (BY_NAME, LABELS),
        (dict(reversed(BY_NAME.items())), LABELS),
        (pd.Series(BY_NAME), LABELS),
        (pd.Series(BY_NAME).iloc[::-1], LABELS),
        (pd.Series(LABELS), LABELS),
        ([["bmi", "glucose"], ["Zeta", "x0"], ("size", "age")], [2, 2, 0, 0, 1, 1]),
        ([pd.Index(["age", "size"]), np.array(["bmi", "glucose"]), ["x0", "Zeta"]], 2),
        (dict.fromkeys(NAMES, 7) | {"age": 3}, [3, 7, 7, 7, 7, 7]),
    ],
    ids=["dict", "other order", "Series", "reversed", "by place", "lists", "arrays", "numbers"],
)
def test_groups_by_name_equal_groups_by_position(groups, labels, frame, cross_validated):
    X, y = data()
    model = GroupLassoCV(**CV) if cross_validated else GroupLasso(alpha=0.1)
    named = clone(model).set_params(groups=groups).fit(FRAMES[frame](X, columns=NAMES), y)
    placed = clone(model).set_params(groups=labels).fit(X, y)
    assert np.array_equal(named.coef_, placed.coef_)
    assert named.groups_.tolist() == placed.groups_.tolist()
    used = {placed.groups_[j] for j in np.flatnonzero(placed.coef_)}
    assert named.active_groups_.tolist() == sorted(used)


def test_groups_of_the_columns_of_a_transformer():
    X, y = data()
    frame = pd.DataFrame(X, columns=NAMES).assign(
        kind=np.array(["a", "b", "c", "d"])[y + 1 - y % 2]
    )
    columns = make_column_transformer(
        (StandardScaler(), NAMES), (OneHotEncoder(sparse_output=False), ["kind"])
    )
    columns.set_output(transform="pandas")
    after = columns.fit(frame).get_feature_names_out()
    groups = {name: name.partition("__")[2].partition("_")[0] for name in after}
    model = make_pipeline(columns, GroupLasso(groups, alpha=0.01)).fit(frame, y)
    kinds = [name for name in model[-1].selected_features_ if "kind" in name]
    assert len(kinds) in (0, sum("kind" in name for name in after))
    assert set(model[-1].active_groups_) == {groups[n] for n in model[-1].selected_features_}
    nameless = clone(model)
    nameless[0].set_output(transform="default")
    with pytest.raises(ValueError, match=r"groups names columns, but X has no .*set_output"):
        nameless.fit(frame, y)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (BY_NAME | {"weight": "u"}, "groups names unknown columns of X: 'weight'; there are 'age'"),
        ({"age": "u"}, "groups leaves out columns of X: 'size', 'bmi'"),
        (pd.Series(LABELS + ["u"], index=NAMES + ["age"]), "groups repeats columns of X: 'age'"),
        ([NAMES, ["weight"]], "groups names unknown columns of X: 'weight'"),
        ([NAMES, ["bmi"]], "groups repeats columns of X: 'bmi'"),
        ([NAMES[:5]], "groups leaves out columns of X: 'Zeta'"),
        ([NAMES[:5], [5]], "groups names unknown columns of X: 5"),
        ([NAMES, []], "groups must not hold an empty list"),
        (BY_NAME | {"age": None}, r"groups has no label for the features \[0\]"),
    ],
)
@pytest.mark.parametrize("model", [GroupLasso(), GroupLassoCV(alphas=3)], ids=name_of)
def test_names_that_do_not_fit_are_refused(model, groups, message):
    X, y = data()
    frame = pd.DataFrame(X, columns=NAMES)
    with pytest.raises(ValueError, match=message):
        clone(model).set_params(groups=groups).fit(frame, y)


@pytest.mark.parametrize(
    "groups", [BY_NAME, pd.Series(BY_NAME), [NAMES]], ids=lambda g: str(type(g))
)
def test_names_without_a_data_frame_are_refused(groups):
    X, y = data()
    model = GroupLasso(groups, alpha=0.1).fit(pd.DataFrame(X, columns=NAMES), y)
    with pytest.raises(ValueError, match="groups names columns, but X has no column names"):
        model.fit(X, y)


@pytest.mark.parametrize(
    "model", [m for m in ALL if "penalty_weights" in m.get_params() and "Group" not in name_of(m)],
    ids=name_of,
)  # fmt: skip
def test_penalty_weights_by_name_leave_the_others_at_one(model):
    X, y = data(model)
    frame = pd.DataFrame(X, columns=NAMES)
    weights = np.array([1.0, 0.0, np.inf, 1.0, 1.0, 2.0])
    placed = clone(model).set_params(penalty_weights=weights).fit(X, y)
    some = {"Zeta": 2.0, "size": 0.0, "bmi": np.inf}
    for given in (some, pd.Series(some)):
        named = clone(model).set_params(penalty_weights=given).fit(frame, y)
        assert np.array_equal(named.coef_, placed.coef_)
        assert_allclose(named.path(frame, y, alphas=3).coefs, placed.path(X, y, alphas=3).coefs)
        assert named.alpha_max(frame, y) == placed.alpha_max(X, y)
    with pytest.raises(ValueError, match="penalty_weights names unknown columns of X: 'weight'"):
        clone(model).set_params(penalty_weights={"weight": 1.0}).fit(frame, y)
    with pytest.raises(ValueError, match="penalty_weights names columns, but X has no"):
        clone(model).set_params(penalty_weights=some).fit(X, y)


def test_weights_of_groups_by_label_leave_the_others_at_their_root():
    X, y = data()
    groups = ["u", "u", "u", "v", "w", "w"]
    named = GroupLasso(groups, alpha=0.1, penalty_weights={"w": 0.0}).fit(X, y)
    placed = GroupLasso(groups, alpha=0.1, penalty_weights=[np.sqrt(3), 1.0, 0.0]).fit(X, y)
    assert np.array_equal(named.coef_, placed.coef_)
    assert "w" in named.active_groups_
    with pytest.raises(ValueError, match=r"penalty_weights names unknown groups: 'z'; .* 'u', 'v'"):
        GroupLasso(groups, penalty_weights={"z": 0.0}).fit(X, y)
