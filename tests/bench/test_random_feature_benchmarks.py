"""What the benchmarks of random features measure, against the package's own fits."""

import numpy as np
import pandas as pd
import pytest

from skreg.bench._benchmark import Axis, Evidence, Metric, Setting
from skreg.bench.arena import random_feature_race as race
from skreg.bench.arena import random_feature_tasks as tasks
from skreg.bench.arena.random_feature_checks import (
    close_to,
    differs_by,
    falls_along,
    place_over_place,
    towers,
)
from skreg.random_features import RandomFeatureRidge, RandomFeatures


def test_the_path_of_ridges_is_that_of_single_fits():
    task = tasks.digits(0, along="k", at=[40], fixed=60)
    X, Y, X_test, Y_test = task.X[:60], task.Y[:60], task.X[60:160], task.Y[60:160]
    features = RandomFeatures(40, random_state=3).fit(X)
    test, train = tasks.errors_of_path(features.transform(X), Y, features.transform(X_test), Y_test)
    for place in (10, 30, 48):
        model = RandomFeatureRidge(
            40, alpha=tasks.RIDGES[place], fit_intercept=False, random_state=3
        ).fit(X, Y)
        found = np.mean(np.sum((model.predict(X_test) - Y_test) ** 2, axis=1))
        assert test[place] == pytest.approx(found, rel=1e-6)
        assert train[place] == pytest.approx(10 * model.train_mse_, rel=1e-6)


def test_digits_are_measured_at_every_place():
    task = tasks.digits(0, along="n", at=[32, 64], fixed=48)
    rows = pd.DataFrame(tasks.measure_digits(task, {tasks.BEST: None, tasks.TINY: None}, 0))
    assert set(rows["n"]) == {32, 64}
    best, tiny = (
        rows[rows["method"] == name]["test"].to_numpy() for name in (tasks.BEST, tasks.TINY)
    )
    assert np.all(best <= tiny)


def test_noise_of_a_power_law_makes_a_ridge_worth_while():
    law = tasks.power_law(0, alpha=1.5, beta=2.0, n=60, n_modes=400, relative=[0.0, 20.0])
    rows = pd.DataFrame(tasks.measure_power_law(law, {}, 0)).set_index(["method", "noise"])["test"]
    ratios = [
        rows[tasks.INTERPOLATION, noise] / rows[tasks.OPTIMUM, noise] for noise in (0.0, 20.0)
    ]
    assert ratios[0] < 1.05
    assert ratios[1] > 1.1


def evidence(**values):
    """Of methods a and b at places 1 and 2, over three seeds."""
    rows = [
        {"setting": "s", "method": method, "k": k, "seed": seed, "test": value + 0.001 * seed}
        for method, pair in values.items()
        for k, value in zip((1, 2), pair, strict=True)
        for seed in range(3)
    ]
    setting = Setting("", lambda: None, lambda: None, ["test"], axis=Axis("k", "k"))
    return Evidence(pd.DataFrame(rows), {"s": setting}, {"test": Metric("")})


def test_checks_of_growth():
    found = evidence(a=(2.0, 1.0), b=(2.1, 4.0))
    outcomes = [
        check(found).outcome
        for check in (
            falls_along("a", "test", "s", (1, 2)),
            falls_along("b", "test", "s", (1, 2)),
            place_over_place("b", "test", "s", 2, 1, at_least=1.5),
            towers("b", "a", "s", 2, 1, at_least=1.5),
            close_to("a", "b", "test", "s", 1, to=0.1),
            close_to("a", "b", "test", "s", 2, to=0.1),
            differs_by("a", "b", "test", "s", 1, to=0.2),
            differs_by("a", "b", "test", "s", 1, to=0.05),
        )
    ]
    held, lost = "reproduced", "contradicted"
    assert outcomes == [held, lost, held, held, held, lost, held, lost]


def test_the_race_times_the_same_models():
    task = race.waves(0, n=300, k=30)
    rows = pd.DataFrame(race.measure(task, [race.OURS, race.SAMPLER, race.NYSTROEM], 0))
    assert (rows["seconds"] > 0.0).all()
    assert rows["error"].max() < 2.0 * rows["error"].min()
    parts = pd.DataFrame(race.measure_parts(task, {}, 0))
    assert list(parts["method"]) == [race.FIT, race.DECOMPOSITION]
