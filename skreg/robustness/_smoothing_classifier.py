"""Classifiers whose predictions come with a proof, by averaging over Gaussian noise."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_is_fitted,
    column_or_1d,
    has_fit_parameter,
    validate_data,
)

from skreg._estimator import Estimator
from skreg._progress import progress
from skreg._sklearn import HasMethods, Interval, StrOptions, _routing_enabled
from skreg._state import all_or_nothing
from skreg.robustness._certification_result import CertificationResult
from skreg.robustness._certify import (
    Certificates,
    Rule,
    best_certificates,
    certificates_of_choices,
    choose,
    vote,
)
from skreg.robustness._certify_checkpoint import Checkpoint, Found, fingerprint
from skreg.robustness._noise import ESTIMATION, SELECTION, TRAINING, seed_of, stream
from skreg.robustness._radii import RadiusKind
from skreg.robustness._simplex_maps import ARGMAX, MAPS, Candidate, candidates_of
from skreg.robustness._smoothing_draws import ROWS_TOGETHER, Draws, chunks_of_rows
from skreg.robustness._smoothing_labels import check_abstain_label, label_table
from skreg.robustness._smoothing_models import (
    check_response,
    scores_of,
    while_evaluating,
    with_names,
)
from skreg.robustness._smoothing_modules import is_module
from skreg.robustness._smoothing_scores import AffineScores
from skreg.robustness._smoothing_votes import Tally
from skreg.rows import checked_weights

FLOATS = (np.float64, np.float32)
VOTES = [Candidate(ARGMAX, np.inf)]
SETTINGS = (
    "sigma", "n0", "n", "alpha", "maps", "temperatures", "selection", "radius", "lipschitz",
    "bound", "noise", "response",
)  # fmt: skip


class RandomizedSmoothingClassifier(MetaEstimatorMixin, ClassifierMixin, Estimator):
    """Make a classifier robust, provably: what it says most often under Gaussian noise.

    For any classifier that can be asked, without changing it, `certify` returns for each row a
    class and a radius R with the proof that no perturbation of L2 norm below R changes the class,
    which holds with probability 1 - alpha over the noise. Let f map inputs to the simplex: scores
    z of the classifier, then argmax, softmax(t z) or sparsemax(t z). With p = E f(x + delta),
    delta ~ N(0, sigma^2 I), and bounds p_A of the top class and p_B of the others,

        R = sigma / 2 (Phi^-1(p_A) - Phi^-1(p_B)).

    Soft maps vary less under noise than argmax but have smaller margins; of the maps and
    temperatures the one with the largest radius is chosen for each row, on draws of its own.

    Parameters
    ----------
    estimator : classifier or torch.nn.Module
        What is smoothed, with `decision_function` or `predict_proba`. A clone is fitted; inside a
        `sklearn.frozen.FrozenEstimator` it stays as it is, and so does a module, whose outputs are
        the scores (or, with ``response="predict_proba"``, probabilities) of the classes.
    sigma : float, default=0.25
        Standard deviation of the noise, in the unit of X as it is given to `certify`. The largest
        radius that can be proved with 10,000 draws is some 3.1 sigma.
    n0 : int, default=1000
        Draws that choose the class and the map, with ``selection="split"``.
    n : int, default=10000
        Draws that prove. Their number limits how close to 1 a probability can be proved to be.
    alpha : float, default=0.001
        Probability with which a certificate, or a prediction, may be wrong.
    maps : sequence of {"argmax", "softmax", "sparsemax"}, default=all three
        Maps to the simplex that may be chosen. With ``maps=("argmax",)`` certificates are about
        the classifier of `predict`.
    temperatures : sequence of float, default=(0.1, 0.3, 1, 3, 10, 30, 100)
        Factors t of the scores for the soft maps.
    selection : {"split", "union"}, default="split"
        Where class and map are chosen: on draws of their own, or on all `n` draws with a bound that
        holds for all maps and classes at once, at the price of wider bounds.
    radius : {"multi", "mono", "margin"}, default="multi"
        As in `certified_radius`; "mono" is that of Cohen et al., which knows of the top class only.
    lipschitz : float, "auto" or None, default=None
        Lipschitz constant, in L2, of the scores before the map, if it is known: a second radius
        then competes for soft maps. "auto" computes it for linear classifiers.
    bound : {"bernstein", "betting"}, default="bernstein"
        Bounds for soft maps: empirical Bernstein, or betting, which is tighter and slower. Votes
        of argmax always have the exact bounds of Clopper and Pearson.
    noise : {"shared", "independent"}, default="shared"
        Whether all rows see the same draws, which is much faster and makes the answer for a row a
        function of the row, or each the draws that belong to its position in X. Each certificate
        alone is as reliable either way; with shared draws those of several rows fail together.
    noise_augment : int, default=0
        How many copies of the rows, each with fresh noise, are added when the estimator is fitted.
    abstain_label : object, default=-1
        Label where nothing is proved. A number becomes a text if the classes are strings; None, or
        whatever else is no label of their kind, makes labels an array of objects.
    batch_size : int, default=2000
        Draws that are evaluated together.
    response : {"auto", "logits", "predict_proba"}, default="auto"
        The scores: `decision_function` (for `MLPClassifier` the inputs of its last activation), or
        logarithms of `predict_proba`. "auto" takes the first that is there.
    n_jobs : int, default=None
        Number of threads, over the rows.
    verbose : int, default=0
        Whether a bar on stderr counts the rows.
    random_state : int, RandomState instance or None, default=None
        Seed of the noise. With an integer all answers can be repeated; they depend neither on
        `batch_size` nor on `n_jobs`.

    Attributes
    ----------
    estimator_ : classifier or torch.nn.Module
        What is smoothed, fitted.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    candidates_ : list of (str, float)
        Maps with their temperatures, in the order of `map_index`.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns of X, if they are all strings.

    See Also
    --------
    CertifiedAccuracyDisplay : Certified accuracy against the radius.
    certified_radius : The radius alone.

    Notes
    -----
    For a Pipeline of affine steps before a linear classifier or an `MLPClassifier` the noise passes
    the first affine map once for all rows. The answer is that of the slow way up to rounding.

    A certificate is about the smoothed classifier of the map in `map_index`, at draws that do not
    depend on X. Who looks for inputs for which a known seed draws badly will find some.

    Noise is drawn in single precision, inputs are rounded to it where it rounds by less than 1e-4
    sigma, and sums are in double precision. Radii are proofs about real numbers: what rounding can
    do to a radius is far below what is printed of it, and is not part of the proof.

    References
    ----------
    B. Delattre, A. Araujo, Q. Barthelemy and A. Allauzen, "The Lipschitz-Variance-Margin Tradeoff
    for Enhanced Randomized Smoothing", ICLR 2024. The selection here is on draws of its own, or
    with a union bound; the largest radius among maps on one sample has no proof.

    J. Cohen, E. Rosenfeld and J. Z. Kolter, "Certified Adversarial Robustness via Randomized
    Smoothing", ICML 2019.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skreg.robustness import RandomizedSmoothingClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = RandomizedSmoothingClassifier(LogisticRegression(max_iter=1000), random_state=0)
    >>> result = model.fit(X, y).certify(X[::30])
    >>> result.label
    array([0, 0, 1, 1, 2])
    >>> bool((result.radius > 0.3).all())
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit"]), callable],
        "sigma": [Interval(Real, 0, None, closed="neither")],
        "n0": [Interval(Integral, 1, None, closed="left")],
        "n": [Interval(Integral, 2, None, closed="left")],
        "alpha": [Interval(Real, 0, 1, closed="neither")],
        "maps": [tuple, list],
        "temperatures": ["array-like"],
        "selection": [StrOptions({"split", "union"})],
        "radius": [StrOptions({"multi", "mono", "margin"})],
        "lipschitz": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"}), None],
        "bound": [StrOptions({"bernstein", "betting"})],
        "noise": [StrOptions({"shared", "independent"})],
        "noise_augment": [Interval(Integral, 0, None, closed="left")],
        "abstain_label": "no_validation",
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "response": [StrOptions({"auto", "logits", "predict_proba"})],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any,
        sigma: float = 0.25,
        *,
        n0: int = 1000,
        n: int = 10_000,
        alpha: float = 0.001,
        maps: Sequence[str] = MAPS,
        temperatures: ArrayLike = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
        selection: Literal["split", "union"] = "split",
        radius: RadiusKind = "multi",
        lipschitz: float | Literal["auto"] | None = None,
        bound: Literal["bernstein", "betting"] = "bernstein",
        noise: Literal["shared", "independent"] = "shared",
        noise_augment: int = 0,
        abstain_label: Any = -1,
        batch_size: int = 2000,
        response: Literal["auto", "logits", "predict_proba"] = "auto",
        n_jobs: int | None = None,
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.sigma = sigma
        self.n0 = n0
        self.n = n
        self.alpha = alpha
        self.maps = maps
        self.temperatures = temperatures
        self.selection = selection
        self.radius = radius
        self.lipschitz = lipschitz
        self.bound = bound
        self.noise = noise
        self.noise_augment = noise_augment
        self.abstain_label = abstain_label
        self.batch_size = batch_size
        self.response = response
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    # --------------------------------------------------------------------------------------------
    # fitting

    @all_or_nothing
    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the estimator, on noisy copies of the rows too if `noise_augment` asks for them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows. What is frozen, or a module, may take more axes.
        y : array-like of shape (n_samples,)
            Labels, at least two different ones.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, handed to the estimator, or to the last step of a Pipeline.

        Returns
        -------
        RandomizedSmoothingClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are not valid, or the estimator has no scores, or takes no
            weights that are given.
        """
        self._check_parameters()
        X, y = validate_data(self, X, y, dtype=FLOATS, allow_nd=True)
        labels = column_or_1d(y, warn=True)
        check_classification_targets(labels)
        if len(np.unique(labels)) < 2:
            raise ValueError(
                f"y has one class, {labels[0]!r}, but smoothing tells classes apart: give two or "
                "more"
            )
        if is_module(self.estimator):
            self.estimator_ = self.estimator
            self.classes_ = self._classes_of_module(X, labels)
        else:
            self.estimator_ = self._fitted(X, labels, sample_weight)
            self.classes_ = np.asarray(self.estimator_.classes_)
        check_abstain_label(self.abstain_label, self.classes_)
        check_response(self.estimator_, self.response)
        return self

    @property
    def candidates_(self) -> list[Candidate]:
        """Maps with their temperatures, in the order of `map_index`."""
        check_is_fitted(self)
        return candidates_of(self.maps, np.asarray(self.temperatures, dtype=float).tolist())

    def _check_parameters(self):
        self._validate_params()
        unknown = [name for name in self.maps if name not in MAPS]
        if unknown or not len(self.maps) or len(set(self.maps)) < len(self.maps):
            raise ValueError(f"maps must hold some of {MAPS}, each once; got {self.maps!r}")
        t = np.asarray(self.temperatures, dtype=float)
        if t.ndim != 1 or not t.size or not ((t > 0) & np.isfinite(t)).all():
            raise ValueError(
                f"temperatures must be a list of positive finite numbers; got {self.temperatures!r}"
            )
        if self.noise_augment and (
            is_module(self.estimator) or isinstance(self.estimator, FrozenEstimator)
        ):
            raise ValueError(
                f"noise_augment = {self.noise_augment} asks for training, but what is frozen, or a "
                "module, is not trained here: set it to 0"
            )
        check_response(self.estimator, self.response)

    def _classes_of_module(self, X, y):
        scores = self._scores(X.shape[1:])
        with while_evaluating(self.estimator):
            nothing = scores.noise(np.zeros((1, int(np.prod(X.shape[1:]))), dtype=np.float32))
            n_outputs = len(scores.scores(scores.place(X[:1])[0], nothing))
        classes = np.unique(y)
        if len(classes) == n_outputs:
            return classes
        if classes.dtype.kind in "iu" and classes[0] >= 0 and classes[-1] < n_outputs:
            return np.arange(n_outputs)
        raise ValueError(
            f"the module has {n_outputs} outputs, but y has the {len(classes)} classes "
            f"{classes.tolist()}: give rows of all classes, or integers from 0 to {n_outputs - 1}"
        )

    def _fitted(self, X, y, sample_weight):
        estimator = clone(self.estimator)
        params = {}
        copies = 1 + self.noise_augment
        if sample_weight is not None:
            weight = checked_weights(sample_weight, X)
            params[_weight_parameter(estimator)] = np.tile(weight, copies)
        rng = stream(seed_of(self.random_state), TRAINING)
        noisy = [X]
        for _ in range(self.noise_augment):
            noise = rng.standard_normal(X.shape, dtype=np.float32)
            noisy.append((X + self.sigma * noise).astype(X.dtype))
        return estimator.fit(with_names(self)(np.concatenate(noisy)), np.tile(y, copies), **params)

    # --------------------------------------------------------------------------------------------
    # answers

    def certify(self, X: Any, *, checkpoint: Any = None) -> CertificationResult:
        """Classes that are proved, and how far.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        checkpoint : path-like, default=None
            A file to which finished rows go. If it is there, the work goes on where it ended: the
            file must be of the same model, rows and settings. Without a seed in `random_state`
            that of the file is used.

        Returns
        -------
        CertificationResult
            Labels, radii, abstentions and bounds, row by row.

        Raises
        ------
        ValueError
            If a parameter or X is not valid, or the checkpoint one of something else.
        """
        X = self._checked(X)
        file = self._checkpoint(checkpoint, X)
        seed = seed_of(self.random_state) if file is None else file.seed
        found = Found.empty(len(X)) if file is None else file.found
        with while_evaluating(self.estimator_):
            work = self._certifier(X, seed)
            chunks = [rows for rows in chunks_of_rows(len(X)) if not found.done[rows].all()]
            try:
                for rows, certificates in self._in_threads(work, chunks):
                    found.put(rows, certificates)
                    if file is not None:
                        file.save_now_and_then()
            finally:
                if file is not None and chunks:
                    file.save()
        return self._result(found.columns)

    def predict(self, X: Any) -> np.ndarray:
        """Most frequent class under noise, abstaining where the draws do not tell it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels, `abstain_label` where the binomial test at level alpha of the most frequent
            class against the second does not reject that both are as frequent.
        """
        votes = self._votes(self._checked(X))
        return label_table(self.classes_, self.abstain_label)[vote(votes, self.alpha)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Shares of the draws on which the classifier decides for each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Shares, in the order of `classes_`; zero for classes that no draw led to.
        """
        return self._votes(self._checked(X)) / self.n

    def score(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Accuracy of `predict`; abstentions count as errors.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            True labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.

        Returns
        -------
        float
            Accuracy.
        """
        right = self.predict(X) == column_or_1d(y)
        weights = None if sample_weight is None else np.asarray(sample_weight, dtype=float)
        return float(np.average(right, weights=weights))

    def certified_accuracy(self, X: Any, y: ArrayLike, radii: ArrayLike) -> np.ndarray:
        """Share of rows whose class is right and proved up to each radius.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            True labels.
        radii : array-like of shape (n_radii,)
            Radii.

        Returns
        -------
        ndarray of shape (n_radii,)
            Shares; abstentions count as errors. `CertificationResult` has the same method.
        """
        return self.certify(X).certified_accuracy(y, radii)

    def average_certified_radius(self, X: Any, y: ArrayLike) -> float:
        """Mean radius of all rows, 0 for those that are wrong or abstained from.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            True labels.

        Returns
        -------
        float
            The area below the curve of certified accuracy.
        """
        return self.certify(X).average_radius(y)

    # --------------------------------------------------------------------------------------------
    # draws

    def _checked(self, X):
        check_is_fitted(self, "estimator_")
        self._check_parameters()
        check_response(self.estimator_, self.response)
        check_abstain_label(self.abstain_label, self.classes_)
        return validate_data(self, X, dtype=FLOATS, allow_nd=True, reset=False)

    def _scores(self, shape):
        return scores_of(self.estimator_, float(self.sigma), self.response, shape)

    def _draws(self, scores, seed, purpose, n, shape):
        width, shared = int(np.prod(shape)), self.noise == "shared"
        draws = Draws(scores, seed, purpose, n, width, self.batch_size, shared)
        draws.prepare()
        return draws

    def _rule(self, scores):
        L = self.lipschitz
        if L == "auto":
            if not isinstance(scores, AffineScores):
                raise ValueError(
                    "lipschitz='auto' is for linear classifiers, alone or behind affine steps; got "
                    f"{type(self.estimator_).__name__}: give a number, or None"
                )
            L = scores.lipschitz(self.sigma)
        return Rule(self.sigma, self.alpha, self.n, self.radius, self.selection, L)

    def _certifier(self, X, seed) -> Callable[[range], Certificates]:
        """What certifies some rows."""
        scores = self._scores(X.shape[1:])
        rule, candidates, n_classes = self._rule(scores), self.candidates_, len(self.classes_)
        keep = self.bound == "betting"
        main = self._draws(scores, seed, ESTIMATION, self.n, X.shape[1:])

        def on_one_sample(rows):
            places = scores.place(X[rows.start : rows.stop])
            tallies = [Tally(candidates, n_classes, keep) for _ in rows]
            main.add(places, rows, tallies)
            return best_certificates(tallies, rule)

        if self.selection == "union":
            return on_one_sample
        first = self._draws(scores, seed, SELECTION, self.n0, X.shape[1:])

        def on_two_samples(rows):
            places = scores.place(X[rows.start : rows.stop])
            firsts = [Tally(candidates, n_classes) for _ in rows]
            first.add(places, rows, firsts)
            choices = choose(firsts, rule)
            tallies = [Tally([candidates[j]], n_classes, keep) for j in choices.map_index]
            drawn = np.flatnonzero(~choices.hopeless)
            main.add(
                [places[i] for i in drawn], [rows[i] for i in drawn], [tallies[i] for i in drawn]
            )
            return certificates_of_choices(tallies, choices, rule)

        return on_two_samples

    def _votes(self, X):
        """Numbers of draws that lead to each class, shape (n_samples, n_classes)."""
        counts = np.empty((len(X), len(self.classes_)))
        with while_evaluating(self.estimator_):
            scores = self._scores(X.shape[1:])
            main = self._draws(scores, seed_of(self.random_state), ESTIMATION, self.n, X.shape[1:])

            def count(rows):
                tallies = [Tally(VOTES, len(self.classes_)) for _ in rows]
                main.add(scores.place(X[rows.start : rows.stop]), rows, tallies)
                return [tally.sums[0] for tally in tallies]

            for rows, found in self._in_threads(count, chunks_of_rows(len(X))):
                counts[rows.start : rows.stop] = found
        return counts

    def _in_threads(self, work, chunks) -> Iterator[tuple[range, Any]]:
        """The chunks with what work makes of them, in order."""
        parallel = Parallel(n_jobs=self.n_jobs, prefer="threads", return_as="generator")
        results = parallel(delayed(work)(rows) for rows in chunks)
        with closing(results):
            shown = progress(
                results, total=len(chunks), verbose=self.verbose, by=type(self).__name__,
                unit=f"{ROWS_TOGETHER} rows",
            )  # fmt: skip
            yield from zip(chunks, shown, strict=True)

    def _checkpoint(self, path, X):
        if path is None:
            return None
        about = {name: repr(_plain(getattr(self, name))) for name in SETTINGS}
        if isinstance(self.random_state, Integral):
            about["random_state"] = repr(int(self.random_state))
        about |= {
            "estimator": fingerprint(self.estimator_),
            "X": fingerprint(np.ascontiguousarray(X)),
        }
        about["classes"] = repr(self.classes_.tolist())
        return Checkpoint(path, about, seed_of(self.random_state), len(X))

    def _result(self, columns):
        index = columns["label"]
        table = label_table(self.classes_, self.abstain_label)
        others = {name: columns[name] for name in columns if name != "label"}
        return CertificationResult(label=table[index], abstain=index < 0, **others)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.non_deterministic = self.noise == "independent"
        return tags


def _weight_parameter(estimator):
    """Name under which `fit` takes the weights of rows."""
    if _routing_enabled() or has_fit_parameter(estimator, "sample_weight"):
        return "sample_weight"
    if hasattr(estimator, "steps") and has_fit_parameter(estimator.steps[-1][1], "sample_weight"):
        return f"{estimator.steps[-1][0]}__sample_weight"
    raise ValueError(
        f"{type(estimator).__name__}.fit takes no sample_weight: leave the weights out"
    )


def _plain(value):
    """A setting whose repr does not depend on its container or its type of number."""
    return np.asarray(value).tolist() if isinstance(value, (tuple, list, np.ndarray)) else value
