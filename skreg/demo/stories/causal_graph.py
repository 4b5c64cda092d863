"""A causal graph with its noise levels.

Twenty columns that cause one another linearly, about forty edges, 1,000 rows, noise of one level.
CoLiDE (Saboksayr, Mateos and Tepper, ICLR 2024) estimates the acyclic graph and the noise level
together, so that one penalty fits all levels; skreg's also divides out the common unit of the
columns. Least squares, the score of DAGMA, takes columns as they are: its penalty is too weak or
too strong where the noise variance is far from 1. Least squares on the divided columns takes part.

When not to use it: if the unit of each column is arbitrary or the columns are standardised, no
method of this kind finds the directions. Hidden causes and nonlinear effects are not modelled.
"""

from typing import Any, NamedTuple

import numpy as np

from skreg.causal import CoLiDE
from skreg.causal.metrics import structural_hamming_distance
from skreg.datasets import make_linear_sem
from skreg.demo._intervals import Interval, mean_over_seeds
from skreg.demo._pictures import figure_with
from skreg.pictures import BLUE, GREEN, GREY, RED, series_style

COLIDE, LEAST_SQUARES, DIVIDED = "CoLiDE", "least squares", "least squares, unit divided out"
SCORES: dict[str, tuple[Any, Any]] = {
    COLIDE: ("ev", "global"),
    LEAST_SQUARES: ("ls", None),
    DIVIDED: ("ls", "global"),
}
VARIANCES = (0.1, 1.0, 50.0)
DRAWN = 50.0


def graph_and_noise_level(X, noise="ev", scale="global"):
    """Weights of the edges, and the standard deviation of the noise."""
    model = CoLiDE(noise, mode="fast", scale=scale).fit(X)
    return model.adjacency_matrix_, np.mean(model.sigma_)


SHOWN = graph_and_noise_level


class Measured(NamedTuple):
    """Distances to the true graph and noise levels (n_draws, n_variances) by method; one graph."""

    distance: dict[str, np.ndarray]
    level: dict[str, np.ndarray]
    true_edges: np.ndarray
    found_edges: np.ndarray

    def lead(self, rival: str) -> Interval:
        """Distance of CoLiDE minus that of a rival, variances averaged."""
        return mean_over_seeds((self.distance[COLIDE] - self.distance[rival]).mean(axis=1))

    def error_of_level(self, method: str) -> float:
        """Mean relative error of the noise level."""
        return float(np.abs(self.level[method] / np.sqrt(VARIANCES) - 1).mean())


def measure(seed: int, n_draws: int = 6, n_rows: int = 1000, n_features: int = 20) -> Measured:
    """Estimate graphs at all noise levels."""
    shape = (n_draws, len(VARIANCES))
    distance = {name: np.empty(shape) for name in SCORES}
    level = {name: np.empty(shape) for name in SCORES}
    for k in range(n_draws):
        for v, variance in enumerate(VARIANCES):
            sem = make_linear_sem(
                n_rows,
                n_features,
                edges_per_node=2,
                weight_range=(0.5, 2.0),
                noise_variance=variance,
                random_state=np.random.default_rng((seed, k)),
            )
            for name, (noise, scale) in SCORES.items():
                found, level[name][k, v] = graph_and_noise_level(sem.X, noise, scale)
                distance[name][k, v] = structural_hamming_distance(sem.adjacency, found)
                if name == COLIDE and k == 0 and variance == DRAWN:
                    drawn = sem.adjacency != 0, found != 0
    return Measured(distance, level, *drawn)


def sentence(measured: Measured) -> str:
    """Distances, errors of noise levels, and the interval of the difference."""
    lead = measured.lead(LEAST_SQUARES)
    words = {-1: "closer", 1: "farther", 0: "no closer beyond noise"}[lead.side_of(0)]
    mean = {name: distance.mean() for name, distance in measured.distance.items()}
    divided = {-1: "closer", 1: "farther", 0: "level"}[measured.lead(DIVIDED).side_of(0)]
    return (
        f"{len(measured.true_edges)} nodes, noise variances {VARIANCES[0]:g} to {VARIANCES[-1]:g}: "
        f"CoLiDE's graph is {mean[COLIDE]:.1f} edges from the truth, least squares' "
        f"{mean[LEAST_SQUARES]:.1f} ({words}, difference {lead.text(1)}) and "
        f"{mean[DIVIDED]:.1f} on divided columns ({divided}); noise levels are off by "
        f"{measured.error_of_level(COLIDE):.1%} and {measured.error_of_level(LEAST_SQUARES):.0%}"
    )


def draw(measured: Measured) -> tuple[Any, str]:
    """One graph as a matrix, and noise levels against the truth."""
    figure, (graph, levels) = figure_with(2, height=4.6)
    true, found = measured.true_edges, measured.found_edges
    kinds = (
        ("found", true & found, GREEN, "s"),
        ("missed", true & ~found, BLUE, "o"),
        ("not true", ~true & found, RED, "X"),
    )
    for name, edges, colour, marker in kinds:
        rows, columns = np.nonzero(edges)
        label = f"{name}: {len(rows)}"
        filled = colour if marker != "o" else "none"
        graph.scatter(
            columns, rows, s=42, marker=marker, facecolors=filled, edgecolors=colour, label=label
        )
    d = len(true)
    graph.set(xlim=(-0.7, d - 0.3), ylim=(d - 0.3, -0.7), xlabel="effect", ylabel="cause")
    graph.set_aspect("equal")
    graph.set_xticks(range(0, d, 5))
    graph.set_yticks(range(0, d, 5))
    graph.set_title(f"Edges at noise variance {DRAWN:g}")
    graph.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), handletextpad=0.2)
    truth = np.sqrt(VARIANCES)
    for i, (name, estimates) in enumerate(measured.level.items()):
        if name != DIVIDED:
            x = np.tile(truth, len(estimates)) * (1 + 0.06 * (2 * i - 1))
            ratio = (estimates / truth).ravel()
            levels.plot(x, ratio, linestyle="none", label=name, alpha=0.8, **series_style(i))
    levels.axhline(1, color=GREY, linestyle=(0, (4, 2)))
    levels.set(xscale="log", xlabel="true noise level (standard deviation)")
    levels.set_xticks(truth, labels=[f"{level:.2g}" for level in truth])
    levels.minorticks_off()
    levels.set(ylabel="estimated / true noise level")
    levels.set_title("Noise levels: reliable on the dashed line")
    levels.legend(loc="upper right")
    return figure, (
        "Above: the graph of one draw as a matrix, an edge from its row to its column. Below: a "
        "mark for each draw and noise level. Difference of CoLiDE's distance to the true graph "
        f"from that of least squares: {measured.lead(LEAST_SQUARES).text(1)} edges; from that of "
        "least squares with the common unit of the columns divided out: "
        f"{measured.lead(DIVIDED).text(1)} (mean and 95% interval over draws)."
    )
