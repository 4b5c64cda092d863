"""The types that skops has to trust."""

import importlib
import inspect

from sklearn.base import BaseEstimator

import skreg

NOT_STORED = ("__version__", "bench", "deep", "export")
# what estimators keep beside numbers and arrays; none does anything when it is made
PARTS = (
    "scipy.sparse._csr.csr_array",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.utils._bunch.Bunch",
    "skreg.causal._central_path.Checkpoint",
    "skreg.moments._accumulator.Moments",
    "skreg.moments._second.JointMoments",
    "skreg.ordinal._presto_path.PrestoPath",
    "skreg.probe._mixture.Mixture",
    "skreg.random_features._spectrum.Gathered",
    "skreg.semi_supervised._places.Places",
    "scipy.sparse._csc.csc_array",
    "skreg.robustness._tilting_untilt.UntiltedClassifier",
    "skreg.transport._gaussian_map.GaussianMap",
    "skreg.transport._sample_covariance.SampleMoments",
    "skreg.transport._spread.Spread",
)


def skops_types() -> list[str]:
    """Names of the types in which estimators of skreg are stored, to be trusted by skops.

    A file of `skops.io.dump` holds no code, unlike a pickle, but names the types to be made when it
    is loaded; skops makes those of numpy, scipy and scikit-learn that it knows, and those that the
    user trusts. These are the public estimators of skreg outside of `skreg.deep`, and the few types
    that they keep beside numbers and arrays. To trust this list is safer than to trust whatever
    names of skreg a file mentions.

    Returns
    -------
    list of str
        Names of types, sorted.

    Examples
    --------
    >>> import skops.io
    >>> from sklearn.datasets import load_diabetes
    >>> from skreg.export import skops_types
    >>> from skreg.linear_model import Lasso
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = Lasso().fit(X, y)
    >>> stored = skops.io.dumps(model)
    >>> again = skops.io.loads(stored, trusted=skops_types())
    >>> bool((again.predict(X) == model.predict(X)).all())
    True
    """
    packages = [f"skreg.{name}" for name in skreg.__all__ if name not in NOT_STORED]
    return sorted({*PARTS, *(name for package in packages for name in _estimators(package))})


def _estimators(package: str) -> list[str]:
    module = importlib.import_module(package)
    public = (getattr(module, name) for name in module.__all__)
    classes = [cls for cls in public if inspect.isclass(cls) and issubclass(cls, BaseEstimator)]
    return [f"{cls.__module__}.{cls.__name__}" for cls in classes]
