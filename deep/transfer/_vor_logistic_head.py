"""A linear head on features whose classes come one task at a time."""

from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.special import softmax
from sklearn.base import ClassifierMixin, clone
from sklearn.utils import check_array, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data
from torch import nn

from skreg._estimator import Estimator
from skreg._progress import progress
from skreg._sklearn import Interval, StrOptions
from skreg._state import all_or_nothing
from skreg.metrics import average_accuracy, forgetting

from ._task_training import TaskTraining, features_of, train_task
from ._virtual_outliers import EnergyMarginLoss, VirtualOutlierSynthesizer

PARAMETERS = """
    regularizer : EnergyMarginLoss, "energy_margin" or None, default="energy_margin"
        What is added to the cross entropy in the second phase of a task; the word stands for
        ``EnergyMarginLoss()``. None is plain training for as many epochs.
    synthesizer : VirtualOutlierSynthesizer or {{"boundary", "origin", "none"}}, default="boundary"
        Where the outliers of the regularizer come from; a word w stands for
        ``VirtualOutlierSynthesizer(outliers=w)``. "none" leaves its term of the features. Draws
        come from `random_state`, unless the synthesizer has one of its own.
    max_epochs : (int, int), default={max_epochs}
        Epochs of a task without and with the regularizer.
    lr : float, default={lr}
        Learning rate of Adam, which begins anew with each task.
    schedule : {{"cosine", "constant"}}, default="cosine"
        Whether the learning rate falls over both phases, nearly to zero.
    batch_size : int, default={batch_size}
        Samples of a batch.
    allow_repeated : bool, default=False
        Whether classes of earlier tasks may come again. Their rows of the head then go on from
        where they are, and what they were trained on before is not seen again.
    random_state : int, RandomState or None, default=None
        Seed of the order of samples and of the draws of outliers. Task t draws the same numbers
        however the tasks before were given.
    verbose : int, default=0
        Whether to show a progress bar for each task.
"""
ATTRIBUTES = """
    classes_ : ndarray of shape (n_classes,)
        The labels so far, sorted.
    coef_ : ndarray of shape (n_classes, d)
        Weights of the d features.
    intercept_ : ndarray of shape (n_classes,)
        Intercepts.
    tasks_ : list of ndarray
        The labels of each task, in the order in which they came.
    task_accuracy_ : ndarray of shape (n_tasks, n_tasks)
        Accuracy on the validation samples of task j after task t in row t and column j, NaN for
        j > t and where there were none; only if validation samples were given.
    average_accuracy_ : float
        `skreg.metrics.average_accuracy` of these.
    forgetting_ : float
        `skreg.metrics.forgetting` of these.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if `X` had names.
"""


class VORLogisticHead(ClassifierMixin, Estimator):
    __doc__ = (
        """Classifier on features whose classes come one task at a time, without old samples.

    Each task trains the rows of its own classes: first by the cross entropy among these, then with
    virtual outlier regularization (Huang et al. 2024) as well, which asks low energies of the
    task's features and high ones of outliers that are made of them. Rows of other tasks stay as
    they are. A sample is given the class of the largest logit among all classes so far, whatever
    its task. Without the regularizer the logits of different tasks have no common scale.

    Standardise the features, by the statistics of the first task for instance: a mean that all of
    them share lowers the energy of any task's features, and then the regularizer does harm. Rows of
    the head begin at zero.

    Parameters
    ----------"""
        + PARAMETERS.format(max_epochs=(20, 10), lr="0.01", batch_size=64)
        + """
    Attributes
    ----------"""
        + ATTRIBUTES
        + """
    See Also
    --------
    ClassIncrementalClassifier : The same behind a network.

    References
    ----------
    .. [1] W.-C. Huang, C.-F. Chen, H. Hsu, "OVOR: OnePrompt with Virtual Outlier Regularization for
       Rehearsal-Free Class-Incremental Learning", ICLR 2024.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skreg.deep import VORLogisticHead
    >>> X, y = load_digits(return_X_y=True)
    >>> X = StandardScaler().fit_transform(X)
    >>> head = VORLogisticHead(random_state=0).fit(X[::2], y[::2], task=y[::2] // 5)
    >>> [task.tolist() for task in head.tasks_]
    [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    >>> plain = VORLogisticHead(regularizer=None, random_state=0).fit(X[::2], y[::2], y[::2] // 5)
    >>> bool(head.score(X[1::2], y[1::2]) > plain.score(X[1::2], y[1::2]))
    True
    """
    )

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "regularizer": [EnergyMarginLoss, StrOptions({"energy_margin"}), None],
        "synthesizer": [VirtualOutlierSynthesizer, StrOptions({"boundary", "origin", "none"})],
        "max_epochs": [tuple, list],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "schedule": [StrOptions({"cosine", "constant"})],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "allow_repeated": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }
    classes_: np.ndarray
    coef_: np.ndarray
    intercept_: np.ndarray
    tasks_: list[np.ndarray]
    task_accuracy_: np.ndarray

    def __init__(
        self,
        *,
        regularizer: EnergyMarginLoss | Literal["energy_margin"] | None = "energy_margin",
        synthesizer: (
            VirtualOutlierSynthesizer | Literal["boundary", "origin", "none"]
        ) = "boundary",
        max_epochs: tuple[int, int] = (20, 10),
        lr: float = 0.01,
        schedule: Literal["cosine", "constant"] = "cosine",
        batch_size: int = 64,
        allow_repeated: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.regularizer = regularizer
        self.synthesizer = synthesizer
        self.max_epochs = max_epochs
        self.lr = lr
        self.schedule = schedule
        self.batch_size = batch_size
        self.allow_repeated = allow_repeated
        self.random_state = random_state
        self.verbose = verbose

    @all_or_nothing
    def fit(
        self,
        X: Any,
        y: ArrayLike,
        task: ArrayLike | None = None,
        *,
        X_val: Any = None,
        y_val: ArrayLike | None = None,
    ) -> Self:
        """Learn all tasks, one after the other, forgetting what was learned before this call.

        Parameters
        ----------
        X : array of shape (n, n_features) or (n, ...)
            Samples, of the form that `partial_fit` takes.
        y : array of shape (n,)
            Labels: numbers, strings or booleans.
        task : array of shape (n,), default=None
            Task of each sample; tasks come in the order of their sorted ids. By default all
            samples are of one task.
        X_val, y_val : as `X` and `y`, default=None
            Samples on which `task_accuracy_` is measured after each task.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are not valid, or a class is in several tasks and
            `allow_repeated` is off.
        """
        X, labels, validation = self._checked(X, y, X_val, y_val, reset=True)
        ids = _checked_ids(task, labels)
        self._begin()
        for one in np.unique(ids):
            rows = np.flatnonzero(ids == one)
            self._learn(X[rows], labels[rows], np.unique(labels[rows]), validation)
        return self

    @all_or_nothing
    def partial_fit(
        self,
        X: Any,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        *,
        X_val: Any = None,
        y_val: ArrayLike | None = None,
    ) -> Self:
        """Learn one more task.

        Parameters
        ----------
        X : array of shape (n, n_features) or (n, ...)
            The task's samples.
        y : array of shape (n,)
            Labels.
        classes : array of shape (n_classes_of_task,), default=None
            The task's classes; those in `y` by default.
        X_val, y_val : as `X` and `y`, default=None
            Samples of the tasks so far, for the last row of `task_accuracy_`.

        Returns
        -------
        self
            The estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are not valid, or a class was in an earlier task and
            `allow_repeated` is off.
        """
        begins = not hasattr(self, "tasks_")
        X, labels, validation = self._checked(X, y, X_val, y_val, reset=begins)
        own = np.unique(labels if classes is None else classes)
        unknown = np.setdiff1d(labels, own)
        if len(unknown):
            raise ValueError(f"y has labels {unknown.tolist()} that are not among the classes")
        if begins:
            self._begin()
        self._learn(X, labels, own, validation)
        return self

    def _checked(self, X, y, X_val, y_val, *, reset):
        self._validate_params()
        if len(self.max_epochs) != 2 or not all(
            isinstance(n, Integral) and n >= 0 for n in self.max_epochs
        ):
            raise ValueError(
                "max_epochs must be two whole numbers >= 0, the epochs without and with the "
                f"regularizer, got {self.max_epochs!r}"
            )
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val belong together: give both, or none of them")
        X, y = self._checked_rows(X, y=y, reset=reset)
        check_classification_targets(y)
        if X_val is None:
            return X, y, None
        return X, y, self._checked_rows(X_val, y=y_val, reset=False)

    def _checked_rows(self, X, *, reset, **labels):
        """Samples, and labels if there is a `y`, as arrays."""
        return validate_data(self, X, **labels, dtype=[np.float64, np.float32], reset=reset)

    def _begin(self):
        for name in ("classes_", "task_accuracy_", "average_accuracy_", "forgetting_"):
            if hasattr(self, name):
                delattr(self, name)
        self.tasks_ = []
        self._entropy = int(check_random_state(self.random_state).randint(2**31 - 1))

    def _learn(self, X, y, classes, validation):
        """Train the rows of the classes of a task."""
        before = getattr(self, "classes_", classes[:0])
        together = unique_labels(before, classes) if len(before) else classes
        repeated = np.intersect1d(before, classes)
        if len(repeated) and not self.allow_repeated:
            raise ValueError(
                f"classes {repeated.tolist()} were in an earlier task, whose samples are not kept: "
                "give all samples of a class in one task, or set allow_repeated=True"
            )
        inputs, extractor = self._task_inputs(X)
        like = features_of(extractor, inputs[:1], 1)
        self._make_room(together, like.shape[1])
        own = np.searchsorted(self.classes_, classes)
        rows = nn.utils.skip_init(
            nn.Linear, like.shape[1], len(own), dtype=like.dtype, device=like.device
        )
        _write(rows, self.coef_[own], self.intercept_[own])
        target = torch.from_numpy(np.searchsorted(classes, y)).to(like.device)
        self._train(rows, extractor, inputs, target)
        self.coef_[own], self.intercept_[own] = _read(rows)
        self.tasks_ = [*self.tasks_, classes]
        if validation is not None or hasattr(self, "task_accuracy_"):
            self._measure(validation)

    def _task_inputs(self, X):
        """What the features of a task are made of, and the module that makes them."""
        return torch.tensor(X), nn.Identity()

    def _make_room(self, classes, n_features):
        """Rows of zeros for classes that are new; arrays that were there before stay unchanged."""
        coef, intercept = np.zeros((len(classes), n_features)), np.zeros(len(classes))
        if self.tasks_:
            old = np.searchsorted(classes, self.classes_)
            coef[old], intercept[old] = self.coef_, self.intercept_
        self.classes_, self.coef_, self.intercept_ = classes, coef, intercept

    def _train(self, rows, extractor, inputs, target):
        order, draws, noise = np.random.SeedSequence([self._entropy, len(self.tasks_)]).spawn(3)
        training = TaskTraining(
            self.max_epochs,
            self.lr,
            self.schedule,
            self.batch_size,
            EnergyMarginLoss() if self.regularizer == "energy_margin" else self.regularizer,
            self._seeded_synthesizer(draws),
            _random_state(order),
        )
        rates = progress(
            training.learning_rates(),
            total=sum(self.max_epochs),
            verbose=self.verbose,
            by=f"{type(self).__name__}, task {len(self.tasks_)}",
            unit="epoch",
        )
        device = rows.weight.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(int(noise.generate_state(1)[0]))
            train_task(rows, extractor, inputs, target, training, rates)
        if not all(bool(torch.isfinite(parameter).all()) for parameter in rows.parameters()):
            raise ValueError(
                f"the training of task {len(self.tasks_)} diverged with lr={self.lr:g}: lower it, "
                "or standardise the features"
            )

    def _seeded_synthesizer(self, seed):
        """A copy of the synthesizer that goes on drawing from call to call."""
        given = self.synthesizer
        if isinstance(given, str):
            given = VirtualOutlierSynthesizer(outliers=given)
        own = given.random_state
        return clone(given).set_params(
            random_state=_random_state(seed) if own is None else check_random_state(own)
        )

    def _measure(self, validation):
        """Add a row and a column to the accuracies of tasks."""
        n = len(self.tasks_)
        accuracy = np.full((n, n), np.nan)
        if hasattr(self, "task_accuracy_"):
            accuracy[:-1, :-1] = self.task_accuracy_
        if validation is not None:
            X, y = validation
            right = self._labels(self._logits(X)) == y
            own = [right[np.isin(y, task)] for task in self.tasks_]
            accuracy[-1] = [task.mean() if len(task) else np.nan for task in own]
        self.task_accuracy_ = accuracy
        self.average_accuracy_ = average_accuracy(accuracy)
        self.forgetting_ = forgetting(accuracy)

    def _features(self, X):
        """Features of checked samples."""
        return X

    def _logits(self, X):
        """Logits of checked samples, in the order of `classes_`."""
        return self._features(X) @ self.coef_.T + self.intercept_

    def _labels(self, logits):
        return self.classes_[logits.argmax(axis=1)]

    def decision_function(self, X: Any) -> np.ndarray:
        """Logits of the classes so far.

        Parameters
        ----------
        X : array of shape (n, n_features) or (n, ...)
            Samples.

        Returns
        -------
        ndarray of shape (n, n_classes), or (n,) for two classes
            Logits, in the order of `classes_`; of two classes the second minus the first.
        """
        check_is_fitted(self)
        logits = self._logits(self._checked_rows(X, reset=False))
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def predict_proba(self, X: Any) -> np.ndarray:
        """Softmax of the logits of all classes so far.

        Parameters
        ----------
        X : array of shape (n, n_features) or (n, ...)
            Samples.

        Returns
        -------
        ndarray of shape (n, n_classes)
            Probabilities, in the order of `classes_`. No two tasks were trained together, which
            leaves them uncalibrated.
        """
        check_is_fitted(self)
        return softmax(self._logits(self._checked_rows(X, reset=False)), axis=1)

    def predict(self, X: Any) -> np.ndarray:
        """Labels of the largest logits among all classes so far.

        Parameters
        ----------
        X : array of shape (n, n_features) or (n, ...)
            Samples.

        Returns
        -------
        ndarray of shape (n,)
            Labels.
        """
        check_is_fitted(self)
        return self._labels(self._logits(self._checked_rows(X, reset=False)))


def _checked_ids(task, labels):
    """The id of the task of each sample, the same for all if there is none."""
    if task is None:
        return np.zeros(len(labels), dtype=int)
    ids = column_or_1d(check_array(task, ensure_2d=False, dtype=None, input_name="task"))
    check_consistent_length(labels, ids)
    return ids


def _random_state(seed):
    return np.random.RandomState(np.random.MT19937(seed))


def _write(rows, coef, intercept):
    with torch.no_grad():
        rows.weight.copy_(torch.from_numpy(coef))
        rows.bias.copy_(torch.from_numpy(intercept))


def _read(rows):
    return rows.weight.detach().cpu().numpy(), rows.bias.detach().cpu().numpy()
