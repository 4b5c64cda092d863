"""The base class of all estimators: scikit-learn's, whose HTML links to the documentation."""

import sys
from collections.abc import Iterator

from sklearn.base import BaseEstimator

# the address of Documentation in pyproject.toml, of its latest release
DOCUMENTATION = "https://skreg.readthedocs.io/en/stable"


class Estimator(BaseEstimator):
    """`sklearn.base.BaseEstimator` that knows its page of the documentation.

    The page is that of the package which lists the class, `skreg.probe.LinearNaiveBayes` and not
    `skreg.probe._naive_bayes.LinearNaiveBayes`. Subclasses outside of skreg have none.
    """

    _doc_link_module = "skreg"
    _doc_link_template = f"{DOCUMENTATION}/api/{{estimator_module}}.{{estimator_name}}.html"

    def _doc_link_url_param_generator(self) -> dict[str, str]:
        return {
            "estimator_module": public_package(type(self)),
            "estimator_name": type(self).__name__,
        }


def public_package(cls: type) -> str:
    """The outermost package that lists a class in ``__all__``, its module if none does.

    Parameters
    ----------
    cls : type
        A class of skreg.

    Returns
    -------
    str
        Dotted name.
    """
    listing = (
        name
        for name in _with_its_packages(cls.__module__)
        if cls.__name__ in getattr(sys.modules[name], "__all__", ())
    )
    return next(listing, cls.__module__)


def _with_its_packages(module: str) -> Iterator[str]:
    parts = module.split(".")
    return (".".join(parts[:n]) for n in range(1, len(parts) + 1))
