"""Where the order of the classes comes from, and what is said about it."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import StackingClassifier
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg.ordinal import (
    PrestoClassifier,
    PrestoClassifierCV,
    ProportionalOddsClassifier,
    presto_alpha_max,
    presto_path,
)

STAGES = ["none", "mild", "severe", "death"]
ALPHABETICAL = "death < mild < none < severe"
NAMED = np.array(STAGES)


def said(action):
    """Messages of the warnings of an action, and where they point."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        action()
    return [(str(warning.message), warning.filename) for warning in caught]


def categorical(y):
    return pd.Categorical.from_codes(y, STAGES, ordered=True)


@pytest.mark.parametrize(
    "estimator",
    [PrestoClassifier(), ProportionalOddsClassifier(), PrestoClassifierCV(alphas=1)],
    ids=lambda estimator: type(estimator).__name__,
)
@pytest.mark.parametrize(
    "wrap", [np.asarray, list, pd.Categorical, pd.Series], ids=lambda f: f.__name__
)
def test_a_guessed_order_is_said_and_so_is_how_to_give_another(example, estimator, wrap):
    messages = said(lambda: estimator.fit(example.X, wrap(NAMED[example.y])))
    assert len(messages) == 1
    text, filename = messages[0]
    assert ALPHABETICAL in text
    assert "class_order=[...]" in text
    assert filename == __file__
    assert estimator.class_order_.tolist() == sorted(STAGES)


def test_functions_of_the_path_say_it_too(example):
    for function in (presto_path, presto_alpha_max):
        (text, filename), *_ = said(lambda f=function: f(example.X, NAMED[example.y]))
        assert ALPHABETICAL in text
        assert filename == __file__


def test_the_line_of_the_user_is_found_behind_pipelines_and_searches(example):
    search = GridSearchCV(make_pipeline(StandardScaler(), PrestoClassifier()), {}, cv=2)
    messages = said(lambda: search.fit(example.X, NAMED[example.y]))
    assert {filename for _, filename in messages} == {__file__}


def natural_labels(y):
    return {
        "integers": y,
        "negative": y - 2,
        "floats": y + 0.0,
        "objects": y.astype(object),
        "mixed numbers": np.array([int(k) if k % 2 else float(k) for k in y], dtype=object),
        "nullable": pd.Series(y, dtype="Int64"),
        "unordered numbers": pd.Categorical(y),
        "ordered numbers": pd.Categorical(y, ordered=True),
        "dates": np.datetime64("2020-01-01") + y,
    }


@pytest.mark.parametrize("kind", natural_labels(np.arange(2)))
def test_labels_with_an_order_of_their_own_are_taken_in_it_silently(example, kind):
    X, y = example
    plain = ProportionalOddsClassifier().fit(X, y)
    model = ProportionalOddsClassifier()
    assert said(lambda: model.fit(X, natural_labels(y)[kind])) == []
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))


def test_with_two_classes_the_order_sets_a_sign_and_nothing_is_said(example):
    X, y = example.X, example.y > 1
    for labels in (np.where(y, "ill", "well"), pd.Categorical(np.where(y, "ill", "well"))):
        model = PrestoClassifier(tol=1e-10)
        assert said(lambda m=model, labels=labels: m.fit(X, labels)) == []
        other = PrestoClassifier(class_order=["well", "ill"], tol=1e-10).fit(X, labels)
        np.testing.assert_allclose(model.coef_, -other.coef_, atol=1e-6)
        np.testing.assert_allclose(model.predict_proba(X), other.predict_proba(X), atol=1e-7)


def test_a_categorical_order_that_encoders_lose_is_said(example):
    X, y = example
    model = ProportionalOddsClassifier()
    ((text, filename),) = said(lambda: model.fit(X, categorical(y)))
    assert "none < mild < severe < death" in text
    assert "cross_val_predict" in text
    assert "out_of_fold_proba" in text
    assert filename == __file__
    assert model.class_order_.tolist() == STAGES
    alphabetical = pd.Categorical.from_codes(y, sorted(STAGES), ordered=True)
    assert said(lambda: ProportionalOddsClassifier().fit(X, alphabetical)) == []
    given = ProportionalOddsClassifier(class_order=STAGES)
    assert said(lambda: given.fit(X, categorical(y))) == []


def test_encoders_cannot_lose_an_explicit_order_in_silence(example):
    """They pass on positions of the sorted labels, which the order does not name."""
    X, y = example
    model = ProportionalOddsClassifier(class_order=STAGES)
    with pytest.raises(ValueError, match=r"encode y before they fit.*out_of_fold_proba"):
        cross_val_predict(model, X, NAMED[y], method="predict_proba")
    with pytest.raises(ValueError, match="y as integers in the order of the classes"):
        StackingClassifier([("ordinal", model)]).fit(X, NAMED[y])


def test_levels_without_rows_are_left_out_of_the_model(example):
    X, y = example
    kept = y != 1
    model = PrestoClassifier(class_order=STAGES).fit(X[kept], NAMED[y[kept]])
    assert model.class_order_.tolist() == ["none", "severe", "death"]
    plain = PrestoClassifier().fit(X[kept], y[kept])
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    with pytest.raises(ValueError, match=r"class_order.*must name each label of y once"):
        PrestoClassifier(class_order=STAGES[:3]).fit(X, NAMED[y])


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA], ids=str)
def test_missing_and_mixed_labels_are_named(example, missing):
    X, y = example
    labels = NAMED[y].astype(object)
    labels[3] = missing
    message = "1 of its 100 entries are no strings, such as"
    for wrap in (np.asarray, pd.Series, list):
        with pytest.raises(ValueError, match=message):
            PrestoClassifier().fit(X, wrap(labels))


def polars_labels(y):
    polars = pytest.importorskip("polars")
    named = polars.Series("stage", NAMED[y].tolist())
    enum = named.cast(polars.Enum(STAGES))
    return {
        "enum": enum,
        "frame": enum.to_frame(),
        "categorical": named.cast(polars.Categorical),
        "strings": named,
        "integers": polars.Series(y),
    }


@pytest.mark.parametrize("kind", ["enum", "frame", "categorical", "strings", "integers"])
def test_labels_of_polars(example, kind):
    """An Enum is ordered by definition; the order of a Categorical has no meaning."""
    X, y = example
    labels, model = polars_labels(y)[kind], ProportionalOddsClassifier(tol=1e-8)
    messages = said(lambda: model.fit(X, labels))
    if kind in ("categorical", "strings"):
        assert ALPHABETICAL in messages[0][0]
        model = ProportionalOddsClassifier(class_order=STAGES, tol=1e-8).fit(X, labels)
    elif kind != "integers":
        assert "cross_val_predict" in messages[0][0]
    order = np.arange(4) if kind == "integers" else NAMED
    np.testing.assert_array_equal(model.class_order_, order)
    plain = ProportionalOddsClassifier(tol=1e-8).fit(X, y)
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    np.testing.assert_array_equal(model.predict(X), order[plain.predict(X)])
