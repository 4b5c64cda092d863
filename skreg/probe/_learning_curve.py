"""Test error against number of labels, on paired training subsets."""

from numbers import Integral
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import clone, is_regressor
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils import Bunch, check_random_state, indexable
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.random import sample_without_replacement
from sklearn.utils.validation import column_or_1d

from skreg._progress import progress
from skreg._sklearn import HasMethods, Interval, StrOptions, _safe_indexing, validate_params
from skreg.probe._crossover import check_sizes, crossover_size

_MAX_DRAWS = 1000
_SEED_LIMIT = np.iinfo(np.int32).max


@validate_params(
    {
        "estimators": [dict, list, tuple, HasMethods(["fit", "predict"])],
        "train_sizes": ["array-like"],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
        "sampling": [StrOptions({"random", "per_class"})],
        "scaler": [StrOptions({"minmax"}), None],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=False,
)
def probe_learning_curve(
    estimators: Any,
    X: Any,
    y: ArrayLike,
    X_test: Any,
    y_test: ArrayLike,
    *,
    train_sizes: ArrayLike,
    n_repeats: int = 5,
    sampling: Literal["random", "per_class"] = "random",
    scaler: Literal["minmax"] | None = "minmax",
    random_state: Any = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> Bunch:
    """Test error of several probes against the number of labels, by the paper's protocol.

    For each repeat and size a training subset is drawn, features are scaled, and every estimator
    is fitted to the same subset and tested on the same points. Errors of two estimators are thus
    paired, and their difference is far less noisy than either.

    Parameters
    ----------
    estimators : estimator, dict of str to estimator, or list of (str, estimator)
        A classifier, which gets the name of its class, or several to compare. The first is the
        reference of the crossovers.
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        Pool of features that training subsets are drawn from.
    y : array-like of shape (n_samples,)
        Labels of the pool.
    X_test : {array-like, sparse matrix, dataframe} of shape (n_test, n_features)
        Test features.
    y_test : array-like of shape (n_test,)
        Test labels.
    train_sizes : array-like of int of shape (n_sizes,)
        Sizes of the training subsets, strictly increasing: the numbers of samples if `sampling` is
        "random", of samples per class if it is "per_class".
    n_repeats : int, default=5
        Number of independent subsets per size.
    sampling : {"random", "per_class"}, default="random"
        "random" draws without regard to the labels and draws again until every class occurs, as in
        the paper; "per_class" draws the same number from every class.
    scaler : {"minmax"} or None, default="minmax"
        "minmax" maps each feature of the training subset to [0, 1]. The map is learned on the
        subset alone and applied to the test points without clipping. None leaves the features as
        they are; scale inside a Pipeline for anything else.
    random_state : int, RandomState instance or None, default=None
        Seed of the subsets and the bootstrap. Estimators keep their own `random_state`.
    n_jobs : int, default=None
        Number of joblib workers; the result does not depend on it.
    verbose : int, default=0
        Show a progress bar if positive (needs tqdm).

    Returns
    -------
    Bunch
        ``train_sizes``: ndarray of shape (n_sizes,), total number of training samples;
        ``errors``: dict of name to ndarray of shape (n_repeats, n_sizes), share of test points
        that are misclassified;
        ``reference``: name of the first estimator;
        ``crossover``: dict from the name of every other estimator to the `Crossover` at which it
        overtakes the reference.

    Raises
    ------
    ValueError
        If an estimator is a regressor, if a size exceeds the pool or leaves no room for all
        classes, if a class never occurs in 1000 draws, if labels of the test set are missing from
        the pool, or if X is sparse and `scaler` is "minmax".
    ImportError
        If `verbose` is positive and tqdm is not installed.

    See Also
    --------
    ProbeLearningCurveDisplay : Draw the result.
    crossover_size : The crossover of two error curves.

    Notes
    -----
    MinMax scaling does not change `LinearNaiveBayes` beyond its smoothing and shrinkage. It does
    change logistic regression, whose penalty depends on the scale of the features.

    References
    ----------
    .. [1] C. Zheng, G. Wu, F. Bao, Y. Cao, C. Li, J. Zhu, "Revisiting Discriminative vs.
       Generative Classifiers: Theory and Implications", ICML 2023.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skreg.probe import LinearNaiveBayes, probe_learning_curve
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> curve = probe_learning_curve(
    ...     {"naive Bayes": LinearNaiveBayes(), "logistic": LogisticRegression()},
    ...     X[:400], y[:400], X[400:], y[400:], train_sizes=[8, 32, 128], random_state=0,
    ... )
    >>> {name: errors.shape for name, errors in curve.errors.items()}
    {'naive Bayes': (5, 3), 'logistic': (5, 3)}
    >>> sorted(curve.crossover)
    ['logistic']
    """
    probes = _named_estimators(estimators)
    X, y, X_test, y_test = _checked_data(X, y, X_test, y_test, scaler)
    sizes = _checked_train_sizes(train_sizes, y, sampling)
    rng = check_random_state(random_state)
    seeds = rng.randint(_SEED_LIMIT, size=(n_repeats, len(sizes)))
    draw = {"random": random_subset, "per_class": per_class_subset}[sampling]
    cells = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_cell_errors)(probes, X, y, X_test, y_test, draw, size, scaler, seed)
        for row in seeds
        for size, seed in zip(sizes, row, strict=True)
    )
    cells = progress(cells, total=seeds.size, verbose=verbose, by="probe_learning_curve")
    table = np.array(list(cells)).reshape(n_repeats, len(sizes), len(probes))
    totals = sizes * len(np.unique(y)) if sampling == "per_class" else sizes
    errors = {name: table[:, :, i] for i, name in enumerate(probes)}
    reference, *rivals = probes
    bootstrap_seed = rng.randint(_SEED_LIMIT)
    return Bunch(
        train_sizes=totals,
        errors=errors,
        reference=reference,
        crossover={
            rival: crossover_size(
                totals, errors[reference], errors[rival], random_state=bootstrap_seed
            )
            for rival in rivals
        },
    )


def random_subset(y: np.ndarray, size: int, rng: np.random.RandomState) -> np.ndarray:
    """Indices of a random subset in which every class occurs; drawn again until one does.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels.
    size : int
        Number of samples.
    rng : RandomState
        Source of randomness.

    Returns
    -------
    ndarray of shape (size,)
        Indices without repetition.

    Raises
    ------
    ValueError
        If a class is missing from each of 1000 draws.
    """
    classes, codes = np.unique(y, return_inverse=True)
    for _ in range(_MAX_DRAWS):
        subset = sample_without_replacement(len(y), size, random_state=rng)
        if len(np.unique(codes[subset])) == len(classes):
            return subset
    raise ValueError(
        f"train_sizes has {size}, at which none of {_MAX_DRAWS} random subsets held all "
        f"{len(classes)} classes; use larger sizes or sampling='per_class'"
    )


def per_class_subset(y: np.ndarray, size: int, rng: np.random.RandomState) -> np.ndarray:
    """Indices of `size` random samples of every class.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels.
    size : int
        Number of samples per class.
    rng : RandomState
        Source of randomness.

    Returns
    -------
    ndarray of shape (n_classes * size,)
        Indices without repetition, in random order.
    """
    members = (np.flatnonzero(y == label) for label in np.unique(y))
    chosen = [rng.choice(rows, size, replace=False) for rows in members]
    return rng.permutation(np.concatenate(chosen))


def _cell_errors(probes, X, y, X_test, y_test, draw, size, scaler, seed):
    """Test error of every probe on one training subset."""
    subset = draw(y, size, np.random.RandomState(seed))
    X_train, y_train = _safe_indexing(X, subset), y[subset]
    if scaler == "minmax":
        scaling = MinMaxScaler().fit(X_train)
        X_train, X_test = scaling.transform(X_train), scaling.transform(X_test)
    fitted = (clone(probe).fit(X_train, y_train) for probe in probes.values())
    return [np.mean(probe.predict(X_test) != y_test) for probe in fitted]


def _named_estimators(estimators):
    if hasattr(estimators, "fit"):
        estimators = {type(estimators).__name__: estimators}
    pairs = list(estimators.items()) if isinstance(estimators, dict) else list(estimators)
    if not pairs or not all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs):
        raise ValueError(
            "estimators must be a classifier, a non-empty dict of name to estimator or a list of "
            f"(name, estimator); got {estimators!r}"
        )
    names = [name for name, _ in pairs]
    regressors = [name for name, estimator in pairs if is_regressor(estimator)]
    if regressors:
        raise ValueError(f"estimators must be classifiers; {regressors} are regressors")
    if len(set(names)) < len(names) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"names of estimators must be distinct strings; got {names}")
    return dict(pairs)


def _checked_data(X, y, X_test, y_test, scaler):
    X, y = indexable(X, column_or_1d(y))
    X_test, y_test = indexable(X_test, column_or_1d(y_test))
    check_classification_targets(y)
    classes = np.unique(y)
    if len(classes) < 2:
        raise ValueError(f"y must have at least two classes; got only {classes}")
    unknown = np.setdiff1d(y_test, classes)
    if unknown.size:
        raise ValueError(f"y_test has the labels {unknown} that are not among those of y")
    if scaler == "minmax" and (sparse.issparse(X) or sparse.issparse(X_test)):
        raise ValueError(
            "scaler='minmax' would make a sparse X dense; use scaler=None, with MaxAbsScaler in a "
            "Pipeline if the features need scaling"
        )
    return X, y, X_test, y_test


def _checked_train_sizes(train_sizes, y, sampling):
    sizes = check_sizes(train_sizes, "train_sizes")
    if (sizes % 1).any():
        raise ValueError(f"train_sizes must be whole numbers; got {sizes}")
    classes, counts = np.unique(y, return_counts=True)
    if sampling == "per_class":
        smallest, largest, where = 1, counts.min(), f"the smallest class, of {counts.min()} samples"
    else:
        smallest, largest, where = len(classes), len(y), f"the pool, of {len(y)} samples"
    if sizes[0] < smallest:
        raise ValueError(f"train_sizes has {sizes[0]:g}, fewer than the {smallest} classes of y")
    if sizes[-1] > largest:
        raise ValueError(f"train_sizes has {sizes[-1]:g}, more than {where}")
    return sizes.astype(int)
