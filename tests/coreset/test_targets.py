"""What kinds of targets are numbers, what are classes, and what is refused."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from skreg.coreset import CoresetEstimator, SensitivitySampler, StreamingCoreset, chunked_coreset


def problem(n=300):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 3))
    return X, np.round(X @ [1.0, 2.0, 3.0] + rng.normal(size=n), 3)


def as_objects(y):
    pd = pytest.importorskip("pandas")
    mixed = y.astype(object)
    mixed[::2] = [Decimal(str(value)) for value in y[::2]]
    mixed[::3] = [Fraction(str(value)) for value in y[::3]]
    return {
        "floats": y.astype(object),
        "decimals": np.array([Decimal(str(value)) for value in y], dtype=object),
        "mixed": mixed,
        "pandas objects": pd.Series(mixed),
        "pandas nullable": pd.Series(y, dtype="Float64"),
        "list": list(mixed),
    }


@pytest.mark.parametrize("kind", as_objects(np.zeros(2)))
@pytest.mark.parametrize("include_y", ["auto", "regression"])
def test_numbers_stored_as_objects_are_numbers(kind, include_y):
    X, y = problem()
    given = as_objects(y)[kind]
    sampler = SensitivitySampler(n_samples=60, include_y=include_y, random_state=0)
    expected = sampler.fit(X, y).sample_weight_
    np.testing.assert_allclose(sampler.fit(X, given).sample_weight_, expected)
    assert sampler.rank_ == 3 + 1 + 1
    stream = StreamingCoreset(n_samples=60, random_state=0)
    np.testing.assert_allclose(
        stream.fit(X, given).get_coreset()[2], stream.fit(X, y).get_coreset()[2]
    )
    model = CoresetEstimator(LinearRegression(), sampler)
    np.testing.assert_allclose(model.fit(X, given).predict(X), model.fit(X, y).predict(X))


def test_integers_and_booleans_stored_as_objects_follow_the_rules_of_their_types():
    X, _ = problem()
    for y in (np.arange(300) % 3, np.arange(300) % 2 == 0, np.arange(300)):
        sampler = SensitivitySampler(n_samples=60, random_state=0)
        expected = sampler.fit(X, y).rank_
        assert sampler.fit(X, y.astype(object)).rank_ == expected


@pytest.mark.parametrize("include_y", ["auto", "regression", "classification"])
@pytest.mark.parametrize(
    "convert",
    [
        lambda y: y.astype("datetime64[s]"),
        lambda y: y.astype("timedelta64[ns]"),
        lambda y: np.array([date(2020, 1, 1) + timedelta(int(day)) for day in y], dtype=object),
        lambda y: pytest.importorskip("pandas").Series(y.astype("datetime64[ns]"), dtype=object),
    ],
)
def test_dates_are_neither_numbers_nor_classes(convert, include_y):
    X, y = problem()
    with pytest.raises(ValueError, match="dates or durations"):
        SensitivitySampler(include_y=include_y).fit(X, convert(y))
    with pytest.raises(ValueError, match="dates or durations"):
        chunked_coreset(X, convert(y), n_samples=60)
    kept = SensitivitySampler(include_y=None, n_samples=60).fit_resample(X, convert(y))[1]
    assert len(kept) < 100


@pytest.mark.parametrize("value", [None, np.nan, "missing", 1j])
def test_mixtures_are_refused_by_their_types(value):
    X, y = problem()
    given = y.astype(object)
    given[7] = value
    with pytest.raises(ValueError, match=r"NaN|y must hold numbers, or labels .* got .*float"):
        SensitivitySampler().fit(X, given)


def test_labels_that_name_single_rows_are_no_classes():
    X, _ = problem()
    names = np.array([f"row {i}" for i in range(300)])
    with pytest.raises(ValueError, match="300 different labels in 300 rows"):
        SensitivitySampler().fit(X, names)
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        SensitivitySampler(include_y="classification").fit(X, problem()[1])
    with pytest.raises(ValueError, match="y must be numeric"):
        SensitivitySampler(include_y="regression").fit(X, names)
