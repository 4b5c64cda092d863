"""What all estimators of linear graphs can do once they have weights, means and noise scales."""

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._estimator import Estimator
from skreg.causal._effects import standard_normal_rows
from skreg.causal._effects_mixin import EffectsMixin
from skreg.causal._exports_mixin import ExportsMixin
from skreg.causal._names import default_names
from skreg.causal._noise_report import NoiseReport, noise_report
from skreg.causal._validation import complete_rows
from skreg.graphs import propagate
from skreg.rows import checked_weights


class LinearDAG(EffectsMixin, ExportsMixin, Estimator):
    """Base of estimators with `adjacency_matrix_`, `mean_`, `sigma_` and `causal_order_`."""

    adjacency_matrix_: np.ndarray
    mean_: np.ndarray
    sigma_: float | np.ndarray
    causal_order_: np.ndarray
    n_features_in_: int

    def predict(self, X: ArrayLike) -> np.ndarray:
        r"""Predict every node from its parents: :math:`\mu + W^\top (x - \mu)`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Values of all nodes; NaN where `missing` allows it.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Predicted values; the mean for nodes without parents, NaN where a parent is missing.
        """
        check_is_fitted(self)
        finite = "allow-nan" if get_tags(self).input_tags.allow_nan else True
        X = validate_data(self, X, dtype=np.float64, reset=False, ensure_all_finite=finite)
        W, missing = self.adjacency_matrix_, np.isnan(X)
        predicted = self.mean_ + (np.where(missing, self.mean_, X) - self.mean_) @ W
        predicted[missing @ (W != 0)] = np.nan
        return predicted

    def score(
        self,
        X: ArrayLike,
        y: None = None,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        r"""Mean Gaussian log-likelihood of the rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Values of all nodes.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            Mean of :math:`-\frac12 \sum_j \log(2 \pi \sigma_j^2) + r_j^2 / \sigma_j^2` with
            the residuals :math:`r = x - \mathrm{predict}(x)`.

        Raises
        ------
        ValueError
            If X or the weights have NaN or infinity, or no weight is positive.

        Notes
        -----
        The likelihood cannot tell the direction of edges that could as well be turned round without
        changing the conditional independences, and at best weakly choose a threshold or penalty.
        `BootstrapDAG` offers stability instead.
        """
        check_is_fitted(self)
        X = complete_rows(self, X, "score")
        deviation = X - self.mean_
        residual = deviation - deviation @ self.adjacency_matrix_
        sigma = np.broadcast_to(self.sigma_, residual.shape[1:])
        log_density = -0.5 * (np.log(2 * np.pi * sigma**2) + (residual / sigma) ** 2).sum(axis=1)
        return float(np.average(log_density, weights=checked_weights(sample_weight, X)))

    def sample(self, n_samples: int = 1, random_state: Any = None) -> np.ndarray:
        """Draw rows from the fitted model with Gaussian noise.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState or None, default=None
            Seed.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Rows.

        Raises
        ------
        ValueError
            If `n_samples` is negative or no integer.
        """
        check_is_fitted(self)
        Z = standard_normal_rows(n_samples, self.n_features_in_, random_state)
        return self.mean_ + propagate(Z * self.sigma_, self.adjacency_matrix_, self.causal_order_)

    def noise_report(self, X: ArrayLike, *, level: float = 0.05) -> NoiseReport:
        """Test whether residuals contradict the assumptions of the model and of its score.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, of the fit or new ones; some hundreds are needed to see much.
        level : float, default=0.05
            Level of each of the four tests, over all nodes together. With very many rows small
            departures fail too: look at their sizes.

        Returns
        -------
        NoiseReport
            Skewness and kurtosis of the residuals, p-values of normal noise, of a constant noise
            level, of uncorrelated noises and of equal variances, and in `failed` and in print which
            of them do not hold. What is not contradicted is not proved.

        Raises
        ------
        ValueError
            If X has NaN or infinity or too few rows, or the level is not between 0 and 1.
        """
        check_is_fitted(self)
        if not isinstance(level, Real) or not 0 < level < 1:
            raise ValueError(f"level={level!r} must lie between 0 and 1")
        X = complete_rows(self, X, "noise_report")
        return noise_report(X, self.adjacency_matrix_ != 0, self._names(), float(level))

    def _directions_come_from_variances(self):
        """Whether the graph changes with the units of single columns."""
        return True

    def _names(self):
        # a meta-estimator, whose rows are an array, can give names beforehand
        names = getattr(self, "_node_names", getattr(self, "feature_names_in_", None))
        return default_names(self.n_features_in_) if names is None else [str(n) for n in names]
