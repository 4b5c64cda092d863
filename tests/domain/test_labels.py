"""Names of domains, whatever they are."""

import numpy as np
import pandas as pd
import pytest

from skreg.domain._labels import chosen_alias, encoded_domains, known_domains

CODES = np.array([2, 0, 1, 0])
FORMS = {
    "strings": (["c", "a", "b", "a"], ["a", "b", "c"]),
    "integers": ([30, -10, 20, -10], [-10, 20, 30]),
    "array": (np.array([3, 1, 2, 1], dtype=np.int8), [1, 2, 3]),
    "column": (np.array([[3], [1], [2], [1]]), [1, 2, 3]),
    "numbers of several types": ([3.5, 0, 1, 0], [0.0, 1.0, 3.5]),
    "tuples": ([(1, "b"), (0, "a"), (1, "a"), (0, "a")], [(0, "a"), (1, "a"), (1, "b")]),
    "dates": (np.array(["2003", "2001", "2002", "2001"], "M8[Y]"), ["2001", "2002", "2003"]),
    "series": (pd.Series(["c", "a", "b", "a"], index=[9, 9, 1, 0]), ["a", "b", "c"]),
    "categorical": (pd.Categorical(["c", "a", "b", "a"], ["c", "b", "a", "z"]), ["a", "b", "c"]),
    "nullable": (pd.Series([3, 1, 2, 1], dtype="Int64"), [1, 2, 3]),
    "string type": (pd.Series(["c", "a", "b", "a"], dtype="string"), ["a", "b", "c"]),
    "frozen sets": (
        [frozenset("c"), frozenset("a"), frozenset("b"), frozenset("a")],
        [frozenset("a"), frozenset("b"), frozenset("c")],
    ),
}


@pytest.mark.parametrize(("given", "names"), FORMS.values(), ids=FORMS)
def test_domains_of_every_kind(given, names):
    found, codes = encoded_domains(given, 4)
    assert found.shape == (3,)
    if "frozen" not in str(names[0]):  # inclusion is no order of sets
        np.testing.assert_array_equal(codes, CODES)
        assert [str(name) for name in found] == [str(name) for name in names]
    if not isinstance(given, np.ndarray):
        assert [found[code] for code in codes] == list(given)
    np.testing.assert_array_equal(known_domains(given, found, 4), codes)


def test_types_without_a_common_order_have_one_all_the_same():
    first = encoded_domains(["b", 2, (1,), "a"], 4)
    again = encoded_domains([(1,), "a", 2, "b"], 4)
    assert list(first.names) == list(again.names)
    assert sorted(first.codes) == [0, 1, 2, 3]


def test_polars():
    polars = pytest.importorskip("polars")
    found, codes = encoded_domains(polars.Series(["c", "a", "b", "a"]), 4)
    assert list(found) == ["a", "b", "c"]
    np.testing.assert_array_equal(codes, CODES)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["a", "b"], r"shape \(3,\); got shape \(2,\)"),
        (np.zeros((3, 2)), r"shape \(3,\)"),
        ("abc", "domain of each row; got 'abc'"),
        (7, "domain of each row; got 7"),
        ([1.0, np.nan, 2.0], r"domains\[1\] is nan"),
        (["a", None, "b"], r"domains\[1\] is None"),
        (["a", float("nan"), "b"], r"domains\[1\] is nan"),
        (pd.Series(["a", None, "b"], dtype="string"), r"domains\[1\]"),
        (pd.Series([1, None, 2], dtype="Int64"), r"domains\[1\] is nan"),
        (pd.Categorical(["a", None, "b"]), r"domains\[1\] is nan"),
        (np.array(["2001", "NaT", "2002"], "M8[Y]"), r"domains\[1\] is NaT"),
        ([["a"], "b", "c"], r"domains\[0\] is \['a'\], a list, which cannot be hashed"),
    ],
)
def test_bad_domains(given, message):
    with pytest.raises(ValueError, match=message):
        encoded_domains(given, 3)


def test_known_domains():
    names = np.array(["a", "b"])
    np.testing.assert_array_equal(known_domains("b", names, 3), [1, 1, 1])
    np.testing.assert_array_equal(known_domains(["b", "z", "a"], names, 3), [1, -1, 0])
    np.testing.assert_array_equal(known_domains(2, np.array([1, 2]), 2), [1, 1])
    with pytest.raises(ValueError, match="which is no domain"):
        known_domains([None, "a"], names, 2)


def test_both_names_are_refused():
    assert chosen_alias(None, "a") == "a"
    assert chosen_alias("a", None) == "a"
    with pytest.raises(ValueError, match="two names of one argument"):
        chosen_alias(["a"], ["a"])
