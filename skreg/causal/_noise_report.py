"""What residuals say about the assumptions of the model and of its score."""

from dataclasses import dataclass, field

import numpy as np

from skreg.causal._noise_tests import (
    constant_variance,
    correlations,
    equal_variances,
    holm,
    residuals,
    shape_of,
)

MOST_LISTED = 12  # nodes in the text
MEANING = {
    "normal noise": (
        "`score` and `sample` take the noise for normal. Weights and effects do not; heavy tails "
        "make them less sure. Methods for non-normal noise can find directions without variances"
    ),
    "constant noise level": (
        "a noise level changes with the parents, as it does where a relation is not linear. "
        "`sigma_` is an average, and only bootstrap intervals are right"
    ),
    "uncorrelated noises": (
        "two noises go together: an edge is missing or wrong, or a hidden cause drives both "
        "columns. Effects are biased then"
    ),
    "equal noise variances": (
        "directions are known to be right with equal noise variances in the columns' common unit. "
        "Here they rest on the luck that variances grow along the edges"
    ),
}


@dataclass(frozen=True, eq=False, repr=False)
class NoiseReport:
    """Which assumptions the residuals contradict; prints as a table with what follows.

    Residuals are those of each node by least squares on its parents. P-values are for many rows,
    and for all nodes (or pairs) of a column at once, by Holm's steps. A node that its parents
    determine has no noise, and nan.

    Parameters
    ----------
    names : list of str
        Names of the nodes.
    n_samples : int
        Number of rows.
    level : float
        An assumption fails if a p-value is below this.
    scale : ndarray of shape (n_features,)
        Standard deviations of the residuals.
    skewness, excess_kurtosis : ndarray of shape (n_features,)
        0 for normal noise.
    p_normal : ndarray of shape (n_features,)
        Of normal noise (Jarque and Bera).
    p_constant : ndarray of shape (n_features,)
        Of a noise level that does not depend on the parents (Breusch and Pagan, studentised); nan
        for nodes without parents.
    correlation : ndarray of shape (n_features, n_features)
        Correlations of the residuals.
    p_uncorrelated : ndarray of shape (n_features, n_features)
        Of uncorrelated noises, above the diagonal.
    p_equal_variances : float
        Of one noise variance for all nodes (Brown and Forsythe).
    """

    names: list[str] = field(repr=False)
    n_samples: int
    level: float
    scale: np.ndarray
    skewness: np.ndarray
    excess_kurtosis: np.ndarray
    p_normal: np.ndarray
    p_constant: np.ndarray
    correlation: np.ndarray
    p_uncorrelated: np.ndarray
    p_equal_variances: float

    @property
    def smallest_p(self) -> dict[str, float]:
        """Smallest p-value of each assumption; nan where there is nothing to test."""
        found = {
            "normal noise": self.p_normal,
            "constant noise level": self.p_constant,
            "uncorrelated noises": self.p_uncorrelated,
            "equal noise variances": np.array([self.p_equal_variances]),
        }
        return {
            name: float(np.nanmin(p)) if not np.isnan(p).all() else float("nan")
            for name, p in found.items()
        }

    @property
    def failed(self) -> list[str]:
        """Assumptions that the residuals contradict at the level."""
        return [name for name, p in self.smallest_p.items() if p < self.level]

    def __repr__(self) -> str:
        failed = ", ".join(self.failed) or "none"
        return f"NoiseReport({len(self.names)} nodes, {self.n_samples} rows, failed: {failed})"

    def __str__(self) -> str:
        lines = [
            f"Noise report: {self.n_samples} samples, {len(self.names)} nodes",
            f"{'node':16s} {'level':>9s} {'skewness':>9s} {'kurtosis':>9s} {'p normal':>9s} "
            f"{'p constant':>10s}",
        ]
        worst = np.fmin(self.p_normal, self.p_constant)
        shown = np.sort(np.argsort(worst, kind="stable")[:MOST_LISTED])
        lines += [
            f"{self.names[j][:16]:16s} {self.scale[j]:9.3g} {self.skewness[j]:9.2f} "
            f"{self.excess_kurtosis[j]:9.2f} {self.p_normal[j]:9.2g} {self.p_constant[j]:10.2g}"
            for j in shown
        ]
        if len(shown) < len(self.names):
            lines.append(f"... and {len(self.names) - len(shown)} nodes with larger p-values")
        for name, p in self.smallest_p.items():
            verdict = "FAILS" if p < self.level else "not contradicted"
            lines.append(f"{name}: {verdict}, smallest p {p:.2g}{self._detail(name)}")
        lines += [f"- {name}: {MEANING[name]}." for name in self.failed]
        return "\n".join(lines)

    def _detail(self, name):
        if name == "equal noise variances":
            noisy = self.scale[self.scale > 0]
            return f", levels differ by a factor of {noisy.max() / noisy.min():.3g}"
        if name == "uncorrelated noises" and not np.isnan(self.p_uncorrelated).all():
            i, j = np.unravel_index(np.nanargmin(self.p_uncorrelated), self.correlation.shape)
            return f" ({self.names[i]} and {self.names[j]}: {self.correlation[i, j]:.2f})"
        return ""


def noise_report(X: np.ndarray, B: np.ndarray, names: list[str], level: float) -> NoiseReport:
    """Report on the rows X (n, d) in the graph B (d, d).

    Raises
    ------
    ValueError
        If there are too few rows for the regressions, or no node has noise.
    """
    needed = int(B.sum(axis=0).max()) + 3
    if len(X) < needed:
        raise ValueError(
            f"X has {len(X)} rows; a report on a node with {needed - 3} parents needs {needed}"
        )
    unit = np.ptp(X, axis=0).max() or 1.0  # no square overflows
    X = X / unit
    R = residuals(X, B)
    if not R.any():
        raise ValueError("X has no noise: every node is constant or determined by its parents")
    skewness, kurtosis, p_normal = shape_of(R)
    correlation, p_uncorrelated = correlations(R)
    return NoiseReport(
        names,
        len(X),
        level,
        unit * R.std(axis=0),
        skewness,
        kurtosis,
        holm(p_normal),
        holm(constant_variance(X, R, B)),
        correlation,
        holm(p_uncorrelated),
        equal_variances(R),
    )
