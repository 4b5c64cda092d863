"""How often intervals and tests of ordinal models are right, and what a summary costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit
from threadpoolctl import threadpool_limits

from skreg.bench.arena.clock import medians_in_turns
from skreg.bench.arena.ordinal_contest import fit_statsmodels
from skreg.ordinal import (
    PrestoClassifier,
    ProportionalOddsClassifier,
    brant_test,
    likelihood_ratio_test,
)

LEVEL = 0.95
Sample = tuple[np.ndarray, np.ndarray]


class Study(NamedTuple):
    """Samples from one truth, and a model that holds it.

    `truth` are the values of the rows of the model's summary: coefficients, then thresholds.
    """

    samples: list[Sample]
    make: Callable[[], Any]
    truth: np.ndarray


def draw(rng: np.random.Generator, n: int, thresholds: np.ndarray, beta: np.ndarray) -> Sample:
    """Two uniform features around an even binary one, and classes of P(y <= k) as they say.

    `beta` (n_boundaries, 3) must not let boundaries cross for features within -3^0.5 and 3^0.5.
    """
    X = np.sqrt(3.0) * rng.uniform(-1.0, 1.0, (n, 3))
    X[:, 1] = X[:, 1] > 0.0
    below = expit(thresholds + X @ beta.T)
    return X, (rng.random((n, 1)) > below).sum(axis=1)


def study(
    seed: int,
    *,
    n_samples: int,
    n_studies: int,
    thresholds: tuple[float, ...],
    beta: tuple[float, ...],
    last: tuple[float, ...] | None = None,
) -> Study:
    """Samples of `n_samples` rows whose coefficients are `beta`, at the last boundary `last`.

    Where these are given, the model has a coefficient of its own at each boundary for the features
    in which they differ.
    """
    rng = np.random.default_rng(seed)
    alpha, common = np.array(thresholds), np.array(beta)
    coef = np.tile(common, (len(alpha), 1))
    coef[-1] = common if last is None else last
    same = coef[-1] == common
    samples = [draw(rng, n_samples, alpha, coef) for _ in range(n_studies)]
    truth = np.concatenate([common[same], coef[:, ~same].ravel(), alpha])
    if last is None:
        return Study(samples, ProportionalOddsClassifier, truth)
    return Study(samples, lambda: PrestoClassifier(0.0, proportional=same), truth)


def measure_coverage(
    study: Study, methods: Mapping[str, str], _seed: int
) -> Iterator[dict[str, Any]]:
    """Methods are kinds of intervals."""
    n_thresholds = int(study.samples[0][1].max())
    fits = [study.make().fit(X, y) for X, y in study.samples]
    for name, interval in methods.items():
        ends = np.array(
            [
                fit.summary(X, y, interval=interval, level=LEVEL)[["lower", "upper"]]
                for fit, (X, y) in zip(fits, study.samples, strict=True)
            ]
        )
        above, below = study.truth < ends[..., 0], ends[..., 1] < study.truth
        covered = 1.0 - (above | below).mean(axis=0)
        yield {
            "method": name,
            "coverage": covered[:-n_thresholds].mean(),
            "rare_threshold": covered[-1],
            "distance": np.abs(covered - LEVEL).mean(),
            "imbalance": np.abs(above.mean(axis=0) - below.mean(axis=0)).mean(),
        }


TESTS = {"Brant": brant_test, "Likelihood ratio": likelihood_ratio_test}


def measure_tests(study: Study, methods: Mapping[str, str], _seed: int) -> Iterator[dict[str, Any]]:
    """Share of samples in which proportional odds are rejected, whatever the truth is."""
    for name in methods:
        p_values = [
            TESTS[name](ProportionalOddsClassifier().fit(X, y), X, y)["p_value"].iloc[0]
            for X, y in study.samples
        ]
        yield {"method": name, "rejected": np.mean(np.array(p_values) < 1.0 - LEVEL)}


def one_sample(seed: int, *, shape: tuple[int, int]) -> Sample:
    """Proportional odds of normal features."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal(shape)
    score = X @ rng.choice([-0.5, 0.5], shape[1]) + rng.logistic(size=shape[0])
    return X, np.digitize(score, [0.0, 2.0, 4.0])


def measure_cost(
    sample: Sample, methods: Mapping[str, Any], _seed: int
) -> Iterator[dict[str, Any]]:
    """Seconds until standard errors are there: our fit and summary, and statsmodels' fit."""
    with threadpool_limits(1):
        for name, inference in methods.items():
            seconds = medians_in_turns({name: partial(inference, *sample)}, 3, patience=10.0)
            yield {"method": name, "seconds": seconds[name]}


def summary_of_a_fit(X: np.ndarray, y: np.ndarray) -> Any:
    return ProportionalOddsClassifier().fit(X, y).summary(X, y)


def errors_of_statsmodels(X: np.ndarray, y: np.ndarray) -> Any:
    return fit_statsmodels(X, y).bse
