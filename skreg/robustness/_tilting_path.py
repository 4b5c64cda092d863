"""Angle, strength and errors of a linear classifier along a parameter of its regularization."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import combinations
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone, is_classifier
from sklearn.exceptions import FitFailedWarning
from sklearn.utils import Bunch, indexable
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import column_or_1d

from skreg._progress import progress
from skreg._sklearn import _safe_indexing
from skreg._warnings import warn
from skreg.robustness._linear_boundary_input import checked_p, labelled_rows, pair_of
from skreg.robustness._linear_boundary_of import boundary_and_rows
from skreg.robustness._tilting import BoundaryTilting, tilting_of_pair
from skreg.robustness._tilting_weights import fit_with_weights
from skreg.rows import checked_weights
from skreg.strengths import Fold, split_rows, standard_error

N_FOLDS = 5
EQUAL = 1e-12  # difference of errors that is rounding


class TiltingPath(Bunch):
    """What `tilting_path` returns: a Bunch that prints what it chose."""

    def __repr__(self) -> str:
        chosen = ", ".join(
            f"{what} {self.param_name}={short(self.param[index])} (angle {self.angle[index]:.3g}, "
            f"strength {self.strength[index]:.3g}, test error {self.test_error[index]:.3g})"
            for what, index in (
                ("best", self.best_index),
                ("recommended", self.recommended_index),
            )
        )
        return f"TiltingPath({len(self.param)} values of {self.param_name}; {chosen})"


class Choice(NamedTuple):
    """Positions of the values of least error, and within one standard error of it."""

    best: int
    recommended: int


class Outcome(NamedTuple):
    """What a job returned, or the error that ended it."""

    value: Any
    error: Exception | None


def tilting_path(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    param_name: str = "C",
    param_range: Iterable[Any],
    cv: Any = None,
    X_val: Any = None,
    y_val: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    p: float = 2,
    pair: Any = None,
    tol: float = 0.05,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> TiltingPath:
    """Angle and strength of the boundary against errors, along a parameter of a linear classifier.

    Less regularization turns the boundary away from that of the nearest centroid. As long as the
    error on held-out rows falls, the strength pays; beyond it is overfitting. Each value of the
    parameter is of one of three types:

    - 0: the angle is at most `tol`; no hyperplane is farther from the data;
    - 1: the angle is at most that of the least held-out error: closeness that buys accuracy;
    - 2: the angle is larger: closeness that buys nothing.

    Parameters
    ----------
    estimator : estimator
        Linear classifier, or a Pipeline of affine steps and one; not fitted, it is cloned.
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        Training rows, in the space in which they may be perturbed.
    y : array-like of shape (n_samples,)
        Labels.
    param_name : str, default="C"
        Name of the parameter, as ``logisticregression__C`` for a step of a Pipeline.
    param_range : array-like of shape (n_values,)
        Its values, in any order.
    cv : int, splitter or iterable, default=None
        Folds that held-out errors are measured on, as in scikit-learn; 5 stratified ones if None
        and no `X_val` is given.
    X_val : {array-like, sparse matrix, dataframe} of shape (n_val, n_features), default=None
        Held-out rows, in place of folds.
    y_val : array-like of shape (n_val,), default=None
        Their labels.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the training rows, in fits, centroids and errors; those of a Pipeline reach
        every step that takes weights.
    p : float, default=2
        Norm of the perturbations.
    pair : (label, label), default=None
        Classes between which the boundary is measured. Of more than two classes and no pair, that
        with the largest angle is. Errors are always those of all classes.
    tol : float, default=0.05
        Largest angle of type 0, in radians.
    n_jobs : int, default=None
        Number of threads over values and folds.
    verbose : int, default=0
        Show a progress bar over the fits if positive (needs tqdm).

    Returns
    -------
    TiltingPath
        A Bunch with ``param_name`` and, for each value in the order given, the ndarrays ``param``,
        ``angle``, ``strength``, ``strength_p``, ``adversarial_distance``,
        ``max_adversarial_distance``, ``error_distance``, ``variance_ratio`` (all of the fit to all
        training rows, at these), ``train_error``, ``test_error`` and ``test_error_std`` (its
        standard error, over the folds or of a binomial share), ``type``; and

        - ``best_index``: position of the least test error, of the smallest angle among ties;
        - ``recommended_index``: position of the smallest angle among those whose test error is
          within one standard error of the least;
        - ``best_param``, ``recommended_param``: the values there.

        A value of which a fit failed has nan for what that fit would tell, and type -1 if that is
        its angle.

    Raises
    ------
    TypeError
        If the estimator is no linear classifier, or takes no weights though there are some.
    ValueError
        If the parameter does not exist, if there are no values, if both or half of folds and
        held-out rows are given, or as by `boundary_tilting`.

    Warns
    -----
    sklearn.exceptions.FitFailedWarning
        If some fits failed, or have no boundary, naming the values and the first error.
    UserWarning
        If the least test error is that of the smallest or largest value and falls towards it.

    See Also
    --------
    TiltingPathDisplay : The picture.
    untilt : Another way to a smaller angle, without a new fit.

    Notes
    -----
    The strength alone is nothing to choose by: the strongest regularization has strength 1, and
    often a badly placed boundary.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skreg.robustness import tilting_path
    >>> X, y = load_digits(return_X_y=True)
    >>> X, y = X[(y == 3) | (y == 8)] / 16, y[(y == 3) | (y == 8)]
    >>> path = tilting_path(LogisticRegression(), X, y, param_range=[1e-3, 0.1, 10])
    >>> path.strength.round(2)
    array([1.  , 1.03, 1.22])
    """
    if not is_classifier(estimator):
        raise TypeError(f"{type(estimator).__name__} is not a classifier; give a linear one")
    p, values = checked_p(p), _checked_values(estimator, param_name, param_range)
    if isinstance(tol, bool) or not isinstance(tol, Real) or not tol >= 0.0:
        raise ValueError(f"tol={tol!r} must be an angle in radians, not below 0")
    X, y = indexable(X if hasattr(X, "shape") else np.asarray(X), column_or_1d(y))
    weight = None if sample_weight is None else checked_weights(sample_weight, X)
    folds = _checked_folds(X, y, cv, X_val, y_val, weight)
    held_out = None if X_val is None else (X_val, column_or_1d(y_val))
    jobs: list[Callable[[], Any]] = []
    for value in values:
        fit = partial(_fitted, estimator, param_name, value)
        jobs.append(partial(_measure_whole, fit, X, y, weight, held_out, p, pair))
        jobs += [partial(_error_on_fold, fit, X, y, weight, fold) for fold in folds]
    outcomes = _run(jobs, n_jobs, verbose)
    _tell_failures(outcomes, param_name, values, len(folds) + 1)
    found = _collect(outcomes, len(values), len(folds), held_out)
    choice = _choose(found["angle"], found["test_error"], found["test_error_std"])
    _warn_at_end(param_name, values, found, choice.best)
    return TiltingPath(
        param_name=param_name,
        param=values,
        type=_types(found["angle"], found["angle"][choice.best], tol),
        best_index=choice.best,
        recommended_index=choice.recommended,
        best_param=values[choice.best],
        recommended_param=values[choice.recommended],
        **found,
    )


# ------------------------------------------------------------------------------------------------
# input


def _checked_values(estimator: Any, param_name: str, param_range: Iterable[Any]) -> np.ndarray:
    if param_name not in estimator.get_params():
        raise ValueError(
            f"param_name={param_name!r} is no parameter of {type(estimator).__name__}; in a "
            "Pipeline write step__parameter, such as logisticregression__C"
        )
    if isinstance(param_range, str) or not np.iterable(param_range):
        raise ValueError(f"param_range={param_range!r} must be a sequence of values")
    values = list(param_range)
    if not values:
        raise ValueError("param_range is empty: give at least one value")
    if all(isinstance(value, Real) and not isinstance(value, bool) for value in values):
        return np.array(values)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _checked_folds(
    X: Any, y: np.ndarray, cv: Any, X_val: Any, y_val: Any, weight: np.ndarray | None
) -> list[Fold]:
    if (X_val is None) != (y_val is None):
        missing = "X_val" if X_val is None else "y_val"
        raise ValueError(f"held-out rows need features and labels: give {missing} too")
    if X_val is not None and cv is not None:
        raise ValueError("give cv or held-out rows X_val and y_val, not both")
    if X_val is not None:
        indexable(X_val, y_val)
        return []
    cv = N_FOLDS if cv is None else cv
    return split_rows(cv, X, y, classifier=True, fit_weight=weight, score_weight=weight)


# ------------------------------------------------------------------------------------------------
# fits


def _fitted(
    estimator: Any, name: str, value: Any, X: Any, y: np.ndarray, weight: np.ndarray | None
) -> Any:
    # a scalar of numpy in an array of numbers is the number that was given
    value = value.item() if isinstance(value, np.generic) else value
    return fit_with_weights(clone(estimator).set_params(**{name: value}), X, y, weight)


def _measure_whole(
    fit: Callable[..., Any],
    X: Any,
    y: np.ndarray,
    weight: np.ndarray | None,
    held_out: tuple[Any, np.ndarray] | None,
    p: float,
    pair: Any,
) -> tuple[BoundaryTilting, float, float]:
    """The most tilted boundary of the fit to all rows, its error there and on held-out rows."""
    model = fit(X, y, weight)
    boundary, checked = boundary_and_rows(model, X)
    rows = labelled_rows(boundary, checked, y, weight)
    if pair is None and not boundary.is_binary:
        pairs = list(combinations(range(len(boundary.classes)), 2))
    else:
        pairs = [pair_of(boundary, pair)]
    reports = [tilting_of_pair(boundary, rows, positions, p) for positions in pairs]
    most = max(reports, key=lambda report: report.angle)
    test_error = np.nan if held_out is None else _error(model, *held_out, None)
    return most, _error(model, X, y, weight), test_error


def _error_on_fold(
    fit: Callable[..., Any], X: Any, y: np.ndarray, weight: np.ndarray | None, fold: Fold
) -> float:
    train, test = (
        (_safe_indexing(X, rows), y[rows], None if weight is None else weight[rows])
        for rows in fold
    )
    return _error(fit(*train), *test)


def _error(model: Any, X: Any, y: np.ndarray, weight: np.ndarray | None) -> float:
    return float(np.average(np.asarray(model.predict(X)) != y, weights=weight))


def _attempt(job: Callable[[], Any]) -> Outcome:
    try:
        return Outcome(job(), None)
    except Exception as error:  # told by `_tell_failures`, with the value that it belongs to
        return Outcome(None, error)


def _run(jobs: Sequence[Callable[[], Any]], n_jobs: int | None, verbose: int) -> list[Outcome]:
    # not all backends of joblib can return one result at a time
    return_as = "generator" if verbose > 0 else "list"
    results = Parallel(n_jobs=n_jobs, prefer="threads", return_as=return_as)(
        delayed(_attempt)(job) for job in jobs
    )
    return list(progress(results, total=len(jobs), verbose=verbose, by="tilting_path"))


def _tell_failures(
    outcomes: list[Outcome], param_name: str, values: np.ndarray, n_per_value: int
) -> None:
    """Warn of fits that failed; raise the first error if no value has all that a choice needs."""
    failed = [
        (values[k // n_per_value], outcome.error)
        for k, outcome in enumerate(outcomes)
        if outcome.error is not None
    ]
    if not failed:
        return
    whole = [
        all(outcome.error is None for outcome in outcomes[k : k + n_per_value])
        for k in range(0, len(outcomes), n_per_value)
    ]
    value, error = failed[0]
    if not any(whole):
        raise error
    named = ", ".join(dict.fromkeys(short(value) for value, _ in failed))
    warn(
        f"tilting_path: {len(failed)} of {len(outcomes)} fits have no result, of "
        f"{param_name}={named}; these values are not chosen. The first error, at {short(value)}: "
        f"{type(error).__name__}: {error}",
        FitFailedWarning,
    )


MEASURED = (
    *("angle", "strength", "strength_p", "adversarial_distance", "max_adversarial_distance"),
    *("error_distance", "variance_ratio"),
)


def _collect(
    outcomes: list[Outcome], n_values: int, n_folds: int, held_out: tuple[Any, Any] | None
) -> dict[str, np.ndarray]:
    """Columns of the table from the outcomes of all jobs, nan where there are none."""
    names = (*MEASURED, "train_error", "test_error", "test_error_std")
    found = {name: np.full(n_values, np.nan) for name in names}
    for k in range(n_values):
        (whole, _), *folds = outcomes[k * (n_folds + 1) : (k + 1) * (n_folds + 1)]
        if whole is not None:
            report, found["train_error"][k], error = whole
            for name in MEASURED:
                found[name][k] = report[name]
            if held_out is not None:
                found["test_error"][k] = error
                found["test_error_std"][k] = np.sqrt(error * (1.0 - error) / len(held_out[1]))
        if folds and all(fold.error is None for fold in folds):
            errors = np.array([fold.value for fold in folds])
            found["test_error"][k] = errors.mean()
            found["test_error_std"][k] = standard_error(errors)
    return found


# ------------------------------------------------------------------------------------------------
# choice


def _choose(angle: np.ndarray, error: np.ndarray, spread: np.ndarray) -> Choice:
    """The smallest angle of the least error, and within one standard error of it."""
    error = np.where(np.isfinite(angle), error, np.nan)
    least = np.nanmin(error)
    best = _smallest_angle(angle, error <= least + EQUAL)
    return Choice(best, _smallest_angle(angle, error <= least + spread[best] + EQUAL))


def _smallest_angle(angle: np.ndarray, among: np.ndarray) -> int:
    return int(np.argmin(np.where(among, angle, np.inf)))


def _types(angle: np.ndarray, angle_best: float, tol: float) -> np.ndarray:
    """Types 0, 1 and 2, -1 where there is no angle."""
    kinds = np.where(angle <= tol, 0, np.where(angle <= angle_best, 1, 2))
    return np.where(np.isnan(angle), -1, kinds)


def _warn_at_end(
    param_name: str, values: np.ndarray, found: dict[str, np.ndarray], best: int
) -> None:
    """Warn where the error falls, by more than its noise, to an end of the numbers tried."""
    if values.dtype.kind not in "iuf" or len(values) < 2 or values.min() == values.max():
        return
    for end, beyond, others in (
        ("smallest", "below", np.flatnonzero(values > values[best])),
        ("largest", "above", np.flatnonzero(values < values[best])),
    ):
        if len(others) < len(values) - np.sum(values == values[best]):
            continue
        neighbour = others[np.argmin(np.abs(values[others] - values[best]))]
        rise = found["test_error"][neighbour] - found["test_error"][best]
        if rise > found["test_error_std"][best]:
            warn(
                f"tilting_path: the least test error is that of {param_name}="
                f"{short(values[best])}, the {end} of {len(values)} values: a better one may lie "
                f"{beyond}. Add values {beyond} it"
            )


def short(value: Any) -> str:
    if isinstance(value, Real) and not isinstance(value, bool):
        return f"{value:.3g}"
    return repr(value)
