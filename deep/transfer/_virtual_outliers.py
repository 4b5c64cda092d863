"""Virtual outlier regularization (Huang et al. 2024): energies, margins, and made-up features."""

from numbers import Integral, Real
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
import torch
from sklearn.utils import check_random_state
from torch import nn
from torch.nn import functional as F

from skreg._estimator import Estimator
from skreg._sklearn import Interval, StrOptions

from ..frame._batches import (
    check_choice,
    check_logits,
    check_number,
    check_range,
    check_targets,
    in_full_precision,
    mean_or_zero,
)

ENTRIES = 2**22  # of a block of products with the index
TINY = 1e-30  # for lengths of zero


def energy(logits: torch.Tensor) -> torch.Tensor:
    """Free energy of logits, ``-logsumexp(logits)``: low where a class is claimed with confidence.

    Parameters
    ----------
    logits : Tensor of shape (..., n_classes)
        Logits of the classes that are asked, such as those of one task.

    Returns
    -------
    Tensor of shape (...)
        The energies, at least in float32. They fall by c if c is added to all logits.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import energy
    >>> energy(torch.zeros(2))
    tensor(-0.6931)
    """
    return -torch.logsumexp(in_full_precision(logits), dim=-1)


def masked_cross_entropy(
    logits: torch.Tensor, target: torch.Tensor, start: int, stop: int
) -> torch.Tensor:
    """Cross entropy among the classes of one task, ``start``, ..., ``stop - 1``.

    The logits of all other classes count as minus infinity, and get no gradient.

    Parameters
    ----------
    logits : Tensor of shape (n, n_classes)
        Logits of all classes.
    target : Tensor of shape (n,), int64
        Class numbers, of the task's classes.
    start, stop : int
        The task's classes.

    Returns
    -------
    Tensor of shape ()
        The mean, at least in float32; zero for an empty batch.

    Raises
    ------
    ValueError
        If the shapes do not match, or classes or targets are out of range.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import masked_cross_entropy
    >>> logits = torch.tensor([[9.0, 9.0, 0.0, 0.0]])
    >>> masked_cross_entropy(logits, torch.tensor([3]), 2, 4)
    tensor(0.6931)
    """
    check_logits(logits)
    if not 0 <= start < stop <= logits.shape[1]:
        raise ValueError(
            f"start and stop must be 0 <= start < stop <= {logits.shape[1]}, the number of "
            f"logits, got {start} and {stop}"
        )
    if target.is_floating_point():
        raise ValueError(f"target must be class numbers, got {target.dtype}")
    check_targets(target, logits)
    check_range(f"target minus start={start}", target - start, stop - start)
    own = in_full_precision(logits[:, start:stop])
    return mean_or_zero(F.cross_entropy(own, target.long() - start, reduction="none"))


class EnergyMarginLoss(Estimator, nn.Module):
    """Low energy for the features of a task, high energy for outliers.

    With E the `energy` of the logits of the task's classes alone, for features z_i and outliers
    v_j::

        weight [mean_i H(relu(E(z_i) - tau_id)) + mean_j H(relu(tau_ood - E(v_j)))]

    where H is the Huber function, or the square. The means are over all, those within their margin
    included. A head that claims its own features with a logit of about ``-tau_id``, whatever the
    task, has logits that can be compared with those of other tasks.

    The margins are in the unit of the logits. Features of another scale reach them sooner or later
    than standardised ones, or not at all.

    Parameters
    ----------
    tau_id : float, default=-15.0
        Energy that features shall not exceed.
    tau_ood : float, default=-3.0
        Energy that outliers shall not fall below; larger than `tau_id`.
    weight : float, default=0.1
        Factor on the loss, lambda in the paper.
    penalty : {"huber", "squared"}, default="huber"
        H: a parabola r^2 / 2 up to `delta` and a straight line beyond, or r^2.
    delta : float, default=1.0
        Where the parabola ends.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    References
    ----------
    .. [1] W.-C. Huang, C.-F. Chen, H. Hsu, "OVOR: OnePrompt with Virtual Outlier Regularization for
       Rehearsal-Free Class-Incremental Learning", ICLR 2024.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import EnergyMarginLoss
    >>> loss = EnergyMarginLoss()
    >>> loss(torch.tensor([[12.0]]), torch.tensor([[4.0]]))  # 0.1 (H(3) + H(1))
    tensor(0.3000)
    """

    def __init__(
        self,
        tau_id: float = -15.0,
        tau_ood: float = -3.0,
        weight: float = 0.1,
        penalty: Literal["huber", "squared"] = "huber",
        delta: float = 1.0,
    ) -> None:
        super().__init__()
        check_number("tau_id", tau_id)
        check_number("tau_ood", tau_ood)
        if tau_id >= tau_ood:
            raise ValueError(
                f"tau_id must be less than tau_ood, got {tau_id:g} and {tau_ood:g}: features of "
                "the task shall have lower energy than outliers"
            )
        check_number("weight", weight, 0.0)
        check_choice("penalty", penalty, ("huber", "squared"))
        check_number("delta", delta, 0.0, above=True)
        self.tau_id, self.tau_ood, self.weight = tau_id, tau_ood, weight
        self.penalty, self.delta = penalty, delta

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name.

        Parameters
        ----------
        **params : dict
            Values.

        Returns
        -------
        EnergyMarginLoss
            This loss.

        Raises
        ------
        ValueError
            If there is no such parameter or a value is out of its range; nothing is set then.
        """
        base: Any = super()  # scikit-learn has no types
        now = base.get_params()
        if params.keys() <= now.keys():
            type(self)(**{**now, **params})
        return base.set_params(**params)

    def forward(
        self, id_logits: torch.Tensor, ood_logits: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Loss of a batch.

        Parameters
        ----------
        id_logits : Tensor of shape (n, n_classes)
            Logits of features of the task, for the task's classes only.
        ood_logits : Tensor of shape (n_outliers, n_classes), optional
            Logits of outliers for the same classes; without any, only the first term counts.

        Returns
        -------
        Tensor of shape ()
            The loss, at least in float32.

        Raises
        ------
        ValueError
            If a shape is wrong.
        """
        check_logits(id_logits, "id_logits")
        loss = mean_or_zero(self._cost(F.relu(energy(id_logits) - self.tau_id)))
        if ood_logits is not None:
            check_logits(ood_logits, "ood_logits")
            loss = loss + mean_or_zero(self._cost(F.relu(self.tau_ood - energy(ood_logits))))
        return self.weight * loss

    def _cost(self, excess):
        if self.penalty == "squared":
            return excess**2
        nothing = torch.zeros_like(excess)
        return F.huber_loss(excess, nothing, reduction="none", delta=self.delta)


class Index(NamedTuple):
    """Rows whose k-th nearest to other points is looked up.

    Attributes
    ----------
    rows : ndarray of shape (n, d)
        The rows r.
    half : ndarray of shape (n,)
        |r|^2 / 2.
    k : int
        Which neighbour, from 1 to n.
    by_direction : bool
        Whether points are scaled to length one before, as the rows then are.
    """

    rows: np.ndarray
    half: np.ndarray
    k: int
    by_direction: bool

    @classmethod
    def of(cls, rows, k, by_direction):
        """The index of some rows, of which there may be fewer than k."""
        squared = np.ones_like(rows[:, 0]) if by_direction else np.einsum("ij,ij->i", rows, rows)
        return cls(rows, squared / 2, min(k, len(rows)), by_direction)

    def distances(self, products, squared_lengths):
        """Squared distances of points p to their k-th nearest row, by products p'r and |p|^2.

        |p - r|^2 = |p|^2 - 2 (p'r - |r|^2 / 2), of which the bracket decides who is nearest; and
        |p / |p| - r|^2 = 2 - 2 p'r / |p| for rows of length one.
        """
        nearest = np.partition(self.half - products, self.k - 1, axis=1)[:, self.k - 1]
        if self.by_direction:
            return 2 - 2 * (0.5 - nearest) / np.sqrt(np.maximum(squared_lengths, TINY))
        return squared_lengths + 2 * nearest

    def distances_of(self, points):
        """The same for points of shape (m, d), a block of them at a time."""
        size = max(1, ENTRIES // len(self.rows))
        blocks = (points[i : i + size] for i in range(0, len(points), size))
        return np.concatenate(
            [self.distances(b @ self.rows.T, np.einsum("ij,ij->i", b, b)) for b in blocks]
        )

    def distances_around(self, centres, steps):
        """The same for all ``centre + step``, of shape (n_centres, n_steps).

        Products are bilinear, so that those of the centres and of the steps are enough.
        """
        of_centres, of_steps = centres @ self.rows.T, steps @ self.rows.T
        between = centres @ steps.T
        lengths = np.einsum("ij,ij->i", steps, steps)
        return np.stack(
            [
                self.distances(of_steps + of_centre, centre @ centre + 2 * cross + lengths)
                for centre, of_centre, cross in zip(centres, of_centres, between, strict=True)
            ]
        )


class VirtualOutlierSynthesizer(Estimator):
    """Features that no sample has, around those samples that lie at the boundary of a task.

    For features z_1, ..., z_n of one task:

    1. Features that are far from their k-th nearest neighbour, the `n_boundary` farthest, are the
       boundary. Neighbours are found by direction, that is among features of length one.
    2. Around each boundary point lie `n_draws` candidates z_b + sigma epsilon_j, where epsilon_j
       is drawn from N(0, I), the same for each point.
    3. The candidates that are farthest from their k-th nearest neighbour among the features,
       `per_class` for each class of the task, are the outliers, the farthest first.

    Parameters
    ----------
    n_neighbors : int, default=50
        k. A feature counts among its own neighbours; with fewer features than this the farthest one
        is taken.
    n_boundary : int, default=50
        Number of boundary points.
    n_draws : int, default=600
        Number of candidates around each.
    sigma : float, default=0.1
        Standard deviation of the noise, in the unit of the features.
    per_class : int, default=40
        Number of outliers for each class of the task.
    outliers : {"boundary", "origin", "none"}, default="boundary"
        Where outliers lie. "origin" is what the published code does, which leaves the boundary
        points out: the candidates are sigma epsilon_j, each repeated `n_boundary` times, and their
        lengths count in the search for neighbours. "none" makes no outliers, so that of
        `EnergyMarginLoss` the term of the features is left.
    normalize : bool, default=True
        Whether neighbours are found by direction.
    random_state : int, RandomState or None, default=None
        Seed of the draws. With an integer every call has the same draws.

    Attributes
    ----------
    boundary_indices_ : ndarray of shape (n_boundary,)
        Row numbers of the boundary points of the last call, the farthest first.

    References
    ----------
    .. [1] W.-C. Huang, C.-F. Chen, H. Hsu, "OVOR: OnePrompt with Virtual Outlier Regularization for
       Rehearsal-Free Class-Incremental Learning", ICLR 2024.
    .. [2] L. Tao, X. Du, X. Zhu, Y. Li, "Non-Parametric Outlier Synthesis", ICLR 2023.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import VirtualOutlierSynthesizer
    >>> features = torch.tensor([[0.0], [1.0], [2.0], [3.0], [100.0]])
    >>> synthesizer = VirtualOutlierSynthesizer(
    ...     n_neighbors=2, n_boundary=1, per_class=4, normalize=False, random_state=0
    ... )
    >>> synthesizer.generate(features).shape
    torch.Size([4, 1])
    >>> synthesizer.boundary_indices_
    array([4])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "n_boundary": [Interval(Integral, 1, None, closed="left")],
        "n_draws": [Interval(Integral, 1, None, closed="left")],
        "sigma": [Interval(Real, 0, None, closed="neither")],
        "per_class": [Interval(Integral, 1, None, closed="left")],
        "outliers": [StrOptions({"boundary", "origin", "none"})],
        "normalize": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_neighbors: int = 50,
        n_boundary: int = 50,
        n_draws: int = 600,
        sigma: float = 0.1,
        per_class: int = 40,
        outliers: Literal["boundary", "origin", "none"] = "boundary",
        normalize: bool = True,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.n_boundary = n_boundary
        self.n_draws = n_draws
        self.sigma = sigma
        self.per_class = per_class
        self.outliers = outliers
        self.normalize = normalize
        self.random_state = random_state

    def generate(self, Z: torch.Tensor, n_classes: int = 1) -> torch.Tensor:
        """Make outliers of the features of a task.

        Parameters
        ----------
        Z : Tensor of shape (n, d)
            Features.
        n_classes : int, default=1
            Number of the task's classes.

        Returns
        -------
        Tensor of shape (n_outliers, d)
            The outliers, the farthest first, on the device and of the type of `Z`; without
            gradient.

        Raises
        ------
        ValueError
            If a parameter is out of its range, or there are no features.
        """
        self._validate_params()
        if Z.ndim != 2 or not len(Z) or not Z.is_floating_point():
            raise ValueError(
                "Z must be floating-point features of shape (n, d) with n >= 1, got "
                f"{Z.dtype} of shape {tuple(Z.shape)}"
            )
        check_number("n_classes", n_classes, 1)
        if self.outliers == "none":
            return Z.new_zeros(0, Z.shape[1])
        features = in_full_precision(Z.detach()).cpu().numpy()
        found = self._farthest(features, self.per_class * n_classes)
        return torch.from_numpy(found).to(Z)

    def _farthest(self, features, n_wanted):
        """The candidates that are farthest from the features."""
        shift = np.zeros_like(features[0]) if self.normalize else features.mean(axis=0)
        features = features - shift  # distances are differences of squares: keep these small
        rows = _of_length_one(features) if self.normalize else features
        index = Index.of(rows, self.n_neighbors, self.normalize)
        farthest = np.argsort(-index.distances_of(features), kind="stable")
        self.boundary_indices_ = farthest[: self.n_boundary]
        rng = check_random_state(self.random_state)
        draws = rng.standard_normal((self.n_draws, features.shape[1])).astype(features.dtype)
        steps = self.sigma * draws
        if self.outliers == "origin":
            index, centres = index._replace(by_direction=False), np.zeros_like(features[:1]) - shift
        else:
            centres = features[self.boundary_indices_]
        distances = index.distances_around(centres, steps).reshape(-1)
        order = np.argsort(-distances, kind="stable")
        if self.outliers == "origin":
            order = np.repeat(order, len(self.boundary_indices_))
        centre, step = np.divmod(order[:n_wanted], self.n_draws)
        return centres[centre] + steps[step] + shift


def _of_length_one(rows):
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    return rows / np.maximum(lengths, TINY)[:, None]
