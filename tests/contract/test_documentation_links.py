"""In a notebook, the picture of an estimator links to its page of the site."""

import tomllib
from pathlib import Path

import pytest
from estimator_cases import for_cases, public_classes, public_packages
from sklearn.base import BaseEstimator

from skreg.probe import LinearNaiveBayes

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
SITE = tomllib.loads(PYPROJECT.read_text())["project"]["urls"]["Documentation"]


def page_of(cls):
    """Where autosummary puts a class: under the path by which a reader imports it."""
    paths = [
        package.__name__
        for package in public_packages()
        if getattr(package, cls.__name__, None) is cls
    ]
    return f"{SITE.rstrip('/')}/en/stable/api/{min(paths, key=len)}.{cls.__name__}.html"


@for_cases()
def test_the_picture_of_an_estimator_links_to_its_page(case):
    assert f'href="{page_of(type(case.estimator))}"' in case.estimator._repr_html_()


@pytest.mark.parametrize(
    "cls",
    [cls for cls in public_classes() if issubclass(cls, BaseEstimator)],
    ids=lambda c: c.__name__,
)
def test_every_class_with_a_link_links_to_its_page(cls):
    """Also those that are no case, as skorch's nets."""
    assert cls.__new__(cls)._get_doc_link() == page_of(cls)


def test_a_subclass_of_a_user_has_no_page_here():
    class Own(LinearNaiveBayes):
        pass

    assert Own()._get_doc_link() == ""
    assert SITE not in Own()._repr_html_()
