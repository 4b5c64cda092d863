"""Assignments of limited capacity: digits to cluster centres, tokens to experts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.special import softmax
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits

from skreg.transport import BalancedAssignment, sparse_transport

BALANCED, KMEANS, BEST = "BalancedAssignment", "k-means", "scipy, linear_sum_assignment"
TRANSPORT, TOP_1 = "transport", "favourite expert"
FIRST_COME, EXPERT_CHOICE = "favourite expert, if not full", "experts choose"


class Clusters(NamedTuple):
    """Squared distances of points to centres, k-means' own labels, and places of each centre."""

    cost: np.ndarray
    labels: np.ndarray
    capacity: int


def digits_clusters(seed: int, *, n_clusters: int = 10) -> Clusters:
    """k-means on the 1797 digits, and the least capacity that holds them all."""
    X = load_digits().data
    found = KMeans(n_clusters, n_init=4, random_state=seed).fit(X)
    cost = cdist(X, found.cluster_centers_, "sqeuclidean")
    return Clusters(cost, found.labels_, -(-len(X) // n_clusters))


def nearest_centres(clusters: Clusters) -> np.ndarray:
    return clusters.labels


def balanced(clusters: Clusters) -> np.ndarray:
    return BalancedAssignment(clusters.capacity).fit_predict(clusters.cost)


def best_within_capacity(clusters: Clusters) -> np.ndarray:
    """The cheapest of all: scipy's assignment to as many copies of a centre as it has places."""
    rows, places = linear_sum_assignment(np.repeat(clusters.cost, clusters.capacity, axis=1))
    return (places // clusters.capacity)[np.argsort(rows)]


def measure_clusters(
    clusters: Clusters, methods: Mapping[str, Callable[[Clusters], np.ndarray]], _seed: int
) -> Iterator[dict[str, Any]]:
    for name, method in methods.items():
        labels = method(clusters)
        sizes = np.bincount(labels, minlength=clusters.cost.shape[1])
        yield {
            "method": name,
            "largest": sizes.max(),
            "smallest": sizes.min(),
            "cost": clusters.cost[np.arange(len(labels)), labels].mean(),
        }


class Tokens(NamedTuple):
    """Logits of the gate (n_tokens, n_experts), and how many tokens an expert takes."""

    logits: np.ndarray
    capacity: int


def skewed_tokens(
    seed: int, *, n_tokens: int = 512, n_experts: int = 16, skew: float = 1.5
) -> Tokens:
    """Normal logits, of which experts have different means: most tokens favour few experts."""
    rng = np.random.default_rng(seed)
    popularity = skew * rng.normal(size=n_experts)
    logits = popularity + rng.normal(size=(n_tokens, n_experts))
    return Tokens(logits, n_tokens // n_experts)


def transport_routes(tokens: Tokens) -> np.ndarray:
    """The support of a plan with at most `capacity` tokens for each expert."""
    n_tokens, n_experts = tokens.logits.shape
    found = sparse_transport(
        np.full(n_tokens, 1.0 / n_tokens), np.full(n_experts, 1.0 / n_experts), -tokens.logits,
        max_nz=tokens.capacity, recovery="k_sparse",
    )  # fmt: skip
    return found.plan.toarray() > 0.5 / n_tokens


def favourite_routes(tokens: Tokens) -> np.ndarray:
    """Every token to its favourite expert, however many are there."""
    routes = np.zeros(tokens.logits.shape, dtype=bool)
    routes[np.arange(len(routes)), tokens.logits.argmax(axis=1)] = True
    return routes


def first_come_routes(tokens: Tokens) -> np.ndarray:
    """The same, but an expert drops the tokens that come when it is full."""
    routes = favourite_routes(tokens)
    return routes & (np.cumsum(routes, axis=0) <= tokens.capacity)


def expert_choice_routes(tokens: Tokens) -> np.ndarray:
    """Every expert takes the tokens of its largest gate values, which several may take, or none."""
    gate = softmax(tokens.logits, axis=1)
    chosen = np.argsort(-gate, axis=0)[: tokens.capacity]
    routes = np.zeros(gate.shape, dtype=bool)
    np.put_along_axis(routes, chosen, True, axis=0)
    return routes


def measure_routes(
    tokens: Tokens, methods: Mapping[str, Callable[[Tokens], np.ndarray]], _seed: int
) -> Iterator[dict[str, Any]]:
    """Tokens of the fullest expert over its capacity, share of tokens that an expert takes, and
    the mean over tokens of the largest gate value among experts that take it, else 0."""
    gate = softmax(tokens.logits, axis=1)
    for name, method in methods.items():
        routes = method(tokens)
        yield {
            "method": name,
            "load": routes.sum(axis=0).max() / tokens.capacity,
            "served": routes.any(axis=1).mean(),
            "affinity": (gate * routes).max(axis=1).mean(),
        }


CLUSTERINGS = {BALANCED: balanced, KMEANS: nearest_centres, BEST: best_within_capacity}
ROUTES = {
    TRANSPORT: transport_routes,
    TOP_1: favourite_routes,
    FIRST_COME: first_come_routes,
    EXPERT_CHOICE: expert_choice_routes,
}
