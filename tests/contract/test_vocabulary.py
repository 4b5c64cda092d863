"""One idea has one name in all of skreg, and prints as something to read."""

import inspect

import numpy as np
import pytest
from estimator_cases import CASES, for_cases, public_classes
from sklearn.base import BaseEstimator

# what an idea was called in some places, and its name
REPLACED = {
    "penalty_factor": "penalty_weights",
    "n_alphas": "alphas",
    "axes": "ax",
    "chunk_rows": "chunk_size",
}
DISPLAYS = [cls for cls in public_classes() if cls.__name__.endswith("Display")]
LONGEST = 400  # characters, of a record beside a table of numbers


def functions_of(cls):
    return [value for name, value in inspect.getmembers(cls, callable) if name[0] != "_"]


@pytest.mark.parametrize("cls", public_classes(), ids=lambda cls: cls.__name__)
def test_parameters_have_one_name(cls):
    for function in (cls, *functions_of(cls)):
        try:
            names = inspect.signature(function).parameters
        except (TypeError, ValueError):  # C functions that a base class brings
            continue
        assert not REPLACED.keys() & names.keys(), function


@pytest.mark.parametrize("cls", DISPLAYS, ids=lambda cls: cls.__name__)
def test_a_display_comes_from_an_estimator_and_draws_into_given_axes(cls):
    assert "ax" in inspect.signature(cls.from_estimator).parameters
    assert "ax" in inspect.signature(cls.plot).parameters
    assert "estimator" in next(iter(inspect.signature(cls.from_estimator).parameters))


@pytest.mark.parametrize("cls", public_classes(), ids=lambda cls: cls.__name__)
def test_every_object_says_what_it_is(cls):
    if cls.__name__.endswith("Mixin"):
        pytest.skip("a part of a class")
    assert cls.__repr__ is not object.__repr__


@for_cases(lambda case: not case.cls.startswith(("Deep", "Staged")))
def test_what_was_learned_prints_in_a_few_words(case):
    for name, value in vars(case.fitted).items():
        if type(value).__module__.startswith("skreg.") and not isinstance(value, BaseEstimator):
            assert len(repr(value)) <= LONGEST, name


@for_cases(lambda case: "cv" in case.params)
def test_cross_validation_can_show_its_progress(case):
    assert case.params["verbose"] == 0
    assert isinstance(case.fitted.alpha_at_edge_, bool)


def sets_coefficients_to_zero(case):
    return hasattr(case.fitted, "coef_") and "penalty_weights" in case.params


@for_cases(sets_coefficients_to_zero)
def test_the_selected_features_have_names(case):
    fitted = case.fitted
    used = np.atleast_2d(getattr(fitted, "coef_diff_", fitted.coef_)).any(axis=0)
    assert list(fitted.selected_features_) == [f"x{j}" for j in np.flatnonzero(used)]


def test_the_tests_of_names_are_about_something():
    assert len(DISPLAYS) > 8
    assert sum("cv" in case.params for case in CASES) > 7
    assert sum(sets_coefficients_to_zero(case) for case in CASES) > 12
