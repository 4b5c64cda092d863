"""The race of sparse solvers: its certificate, its adapters, its search, its command."""

import warnings
from dataclasses import replace

import cvxpy as cp
import numpy as np
import pandas as pd
import pytest

from skreg import optim
from skreg.bench import Evidence
from skreg.bench._benchmark import NoValuesError
from skreg.bench._cli import main
from skreg.bench._results import Finding, judge_claims
from skreg.bench.arena import sparse_contest
from skreg.bench.arena import sparse_problems as problems
from skreg.bench.arena.rivals import NEEDS
from skreg.bench.arena.sparse_rivals import FRESH, LIBRARIES
from skreg.bench.arena.sparse_search import Contestant, Run, loosest, next_level
from skreg.bench.races import sparse_race

SHAPE = {"n_samples": 40, "n_features": 60, "n_informative": 5}
CASES = [
    (kind, draw)
    for kind in (*problems.LEAST_SQUARES, problems.LOGISTIC, problems.POISSON)
    for draw in (problems.correlated_design, problems.sparse_design)
] + [(problems.MULTINOMIAL, None)]


def small_problem(kind, draw, fractions=(0.3, 0.1)):
    if kind == problems.MULTINOMIAL:
        problem = problems.digits_problem(50)
    else:
        if draw is problems.sparse_design:
            draw = dense_enough
        problem = problems.drawn_problem(kind, draw, 0, **SHAPE)
    return problem._replace(alphas=problems.alpha_max(problem) * np.array(fractions))


def dense_enough(rng, n_samples, n_features):
    return problems.sparse_design(rng, n_samples, n_features, density=0.2)


def interior_point(problem, alpha):
    """Coefficients by CLARABEL, which knows neither skreg nor the rivals."""
    X = problem.X if isinstance(problem.X, np.ndarray) else problem.X.toarray()
    n, p = X.shape
    y = problem.y
    shape = (p, len(y)) if problem.kind == problems.MULTINOMIAL else (p,)
    w = cp.Variable(shape)
    z = X @ w
    if problem.kind == problems.LOGISTIC:
        loss = cp.sum(cp.logistic(-cp.multiply(y, z)))
    elif problem.kind == problems.POISSON:
        loss = cp.sum(cp.exp(z)) - y @ z
    elif problem.kind == problems.MULTINOMIAL:
        loss = cp.sum(cp.log_sum_exp(z, axis=1)) - cp.sum(cp.multiply(y.T, z))
    else:
        loss = cp.sum_squares(y - z) / 2
    size = cp.sum(cp.abs(w))
    if problem.kind == problems.GROUP_LASSO:
        size = sum(cp.norm(w[b : b + 10]) for b in range(0, p, 10))
    ridge = (1 - problem.l1_ratio) / 2 * cp.sum_squares(w)
    objective = loss / n + alpha * (problem.l1_ratio * size + ridge)
    cp.Problem(cp.Minimize(objective)).solve(
        solver="CLARABEL", tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12
    )
    return w.value.T


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")  # tighter than CLARABEL can
@pytest.mark.parametrize(("kind", "draw"), CASES)
def test_certificate_vanishes_at_the_optimum_of_an_interior_point_solver(kind, draw):
    problem = small_problem(kind, draw)
    coefs = np.array([interior_point(problem, alpha) for alpha in problem.alphas])
    # the gap is first order in the error of the gradient, which exponential cones leave at 1e-6
    assert np.all(np.abs(problems.relative_gaps(problem, coefs)) < 2e-5)


@pytest.mark.parametrize(("kind", "draw"), CASES)
def test_certificate_bounds_the_suboptimality_of_any_coefficients(kind, draw):
    problem = small_problem(kind, draw)
    coefs = LIBRARIES["skreg"](problem)(1e-12)
    best, _, null = problems.VALUES[kind](problem, coefs)
    rng = np.random.default_rng(0)
    for scale in (1e-6, 1e-3, 1e-1):
        moved = coefs + scale * rng.standard_normal(coefs.shape) * (coefs != 0)
        value, dual, _ = problems.VALUES[kind](problem, moved)
        assert np.all(dual <= best * (1 + 1e-12))
        assert np.all(problems.relative_gaps(problem, moved) >= (value - best) / null - 1e-12)


@pytest.mark.parametrize(("kind", "draw"), CASES)
def test_certificate_agrees_with_that_of_the_engine(kind, draw):
    problem = small_problem(kind, draw, fractions=(0.1,))
    alpha = float(problem.alphas[0])
    loss = {
        problems.LOGISTIC: optim.Logistic(),
        problems.POISSON: optim.Poisson(),
        problems.MULTINOMIAL: optim.Multinomial(),
    }.get(kind, optim.Quadratic())
    penalty = {
        problems.ELASTIC_NET: optim.ElasticNet(alpha, 0.5),
        problems.GROUP_LASSO: optim.GroupL2(alpha, np.arange(problem.X.shape[1]) // 10),
    }.get(kind, optim.L1(alpha))
    coefs = LIBRARIES["skreg"](problem)(1e-3)
    theirs = optim.duality_gap(problem.X, problem.y.T, loss, penalty, coefs[0], fit_intercept=False)
    ours = problems.relative_gaps(problem, coefs)[0]
    assert theirs.gap <= ours + 1e-12  # the engine looks for a better multiple of the residuals
    if kind in problems.LEAST_SQUARES:
        assert ours == pytest.approx(theirs.gap, rel=1e-6)


@pytest.mark.parametrize(("kind", "draw"), CASES)
def test_largest_strength_is_the_least_with_zero_coefficients(kind, draw):
    problem = small_problem(kind, draw, fractions=(1.0, 0.99))
    coefs = LIBRARIES["skreg"](problem)(1e-12)
    zero = np.zeros_like(coefs)
    assert problems.relative_gaps(problem, zero)[0] == pytest.approx(0.0, abs=1e-12)
    assert np.any(coefs[1] != 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize(("kind", "draw"), CASES)
def test_every_adapter_solves_the_stated_problem(name, kind, draw):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name][0])
    problem = small_problem(kind, draw)
    solve = LIBRARIES[name](problem)
    if solve is None:
        pytest.skip(f"{name} has no {kind}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        coefs = solve(1e-9)
    # SAGA is still at 3e-3 when its epochs are spent
    slow = name == "scikit-learn" and kind == problems.MULTINOMIAL
    assert problems.relative_gaps(problem, coefs).max() < (1e-2 if slow else 1e-3)


class Stub:
    """A solver whose gap is `factor` times its tolerance, but at least `floor`."""

    def __init__(self, factor, floor=0.0):
        self.factor, self.floor, self.n_runs = factor, floor, 0

    def gap(self, level):
        self.n_runs += 1
        return max(self.factor * 10 ** (-level / 2), self.floor)

    def search(self, target):
        runs = {}
        while (level := next_level(runs, target)) is not None:
            runs[level] = Run(self.gap(level), 1.0, 1.0)
        return loosest(runs, target)


@pytest.mark.parametrize("factor", [1e-5, 0.02, 0.9, 1.1, 35.0, 2e4])
@pytest.mark.parametrize("target", [1e-4, 1e-6])
def test_search_finds_the_loosest_tolerance_of_the_grid_in_few_runs(factor, target):
    stub = Stub(factor)
    level = stub.search(target)
    assert stub.gap(level) <= target
    assert level == 0 or stub.gap(level - 1) > target
    assert stub.n_runs <= 8


def test_search_gives_up_on_a_solver_that_stalls():
    stub = Stub(1.0, floor=1e-7)
    assert stub.search(1e-10) is None
    assert stub.n_runs <= 6


def test_search_goes_on_where_a_range_of_tolerances_has_one_answer():
    runs = {level: Run(1e-5, 1.0, 1.0) for level in (5, 6, 7, 8)}
    assert next_level(runs, 1e-6) == 10


def test_search_does_not_take_an_overshooting_solver_for_a_stalled_one():
    runs = {level: Run(7e-7, 1.0, 1.0) for level in (3, 4, 12)}
    level = next_level(runs, 1e-10)
    assert 12 < level <= 20
    assert next_level(runs | {20: Run(6e-7, 1.0, 1.0)}, 1e-10) is None


def test_search_ends_at_its_budget_and_when_it_is_hopeless():
    problem = small_problem(problems.LASSO, problems.correlated_design)
    calls = []

    def slow(tol):
        calls.append(tol)
        return np.zeros((2, SHAPE["n_features"]))

    contestant = Contestant(problem, slow)
    contestant.settle(1e-4, budget=0.0)
    assert len(calls) == 1
    contestant.settle(1e-4, budget=1e9, hopeless=0.0)
    assert len(calls) == 1


def results_of(ratios, target=1e-6, rivals=sparse_race.FASTEST):
    """Results of skreg: ratios of several seeds for each setting."""
    return pd.DataFrame(
        [
            {"setting": name, "method": "skreg", "seed": seed, "target": target, "ratio": ratio}
            for name, of_seeds in ratios.items()
            for seed, ratio in enumerate(of_seeds)
        ]
        + [{"method": rival} for rival in rivals]
    )


def verdict(check, ratios):
    return check(Evidence(results_of(ratios), sparse_race.benchmark.settings, {}))


def test_without_the_fastest_rivals_there_is_no_verdict():
    results = results_of({"a": [0.1, 0.1]}, rivals=["celer"])
    with pytest.raises(NoValuesError, match="no results of 'skglm'"):
        sparse_race.mean_at_most(["a"], 1e-6, 0.5)(Evidence(results, {}, {}))


def test_claims_on_means_leave_out_what_no_rival_reaches():
    ratios = {"a": [0.1, 0.2, 0.1], "b": [0.4, 0.2, 0.4], "c": [0.0, 0.0, 0.0]}
    check = sparse_race.mean_at_most(["a", "b", "c"], 1e-6, 0.5)
    assert verdict(check, ratios).outcome == "reproduced"
    assert verdict(check, ratios).measured.startswith("mean ratio 0.2 (0.2 to 0.2 ")
    check = sparse_race.mean_at_most(["a", "b", "c"], 1e-6, 0.1)
    assert verdict(check, ratios).outcome == "contradicted"


def test_claims_on_each_row_name_those_that_do_not_hold():
    ratios = {name: [0.1, 0.2, 0.1] for name in "abcdefg"} | {"slow": [0.9, 3.0, 1.5]}
    check = sparse_race.each_at_most([*ratios], 1e-6, 1.1)
    found = verdict(check, ratios)
    assert found.outcome == "undecided"
    assert found.measured.startswith("held in 7 of 8; slow: ratio 1.59 (")
    ratios["slow"] = [3.0, 3.1, 2.9]
    assert verdict(check, ratios).outcome == "contradicted"
    ratios["slow"] = [0.0, 0.0, 0.0]  # no rival reaches the gap
    assert verdict(check, ratios).outcome == "reproduced"


def test_a_gap_that_skreg_misses_counts_against_it():
    ratios = {"a": [0.1, 0.1], "b": [np.inf, np.inf]}
    assert verdict(sparse_race.mean_at_most("ab", 1e-6, 0.5), ratios).outcome == "contradicted"
    assert verdict(sparse_race.each_at_most("ab", 1e-6, 1.1), ratios).outcome == "contradicted"


@pytest.mark.parametrize(
    ("times", "ratio"),
    [
        ({"skreg": 1.0, "a": 4.0, "b": 2.0}, 0.5),
        ({"skreg": 1.0}, 0.0),
        ({"a": 4.0}, np.inf),
        ({}, np.inf),
    ],
)
def test_ratios_are_to_the_fastest_other_library_that_reaches_the_gap(times, ratio):
    runs = {name: Run(1e-7, seconds, seconds) for name, seconds in times.items()}
    assert sparse_contest.ratio_to_best("skreg", runs) == ratio


def test_paths_that_a_rival_does_not_solve_are_not_asked_of_it():
    for rival, kinds in sparse_race.NOT_SOLVED_BY.items():
        pytest.importorskip(NEEDS[rival][0])
        for kind in (*sparse_race.KINDS, problems.MULTINOMIAL):
            problem = small_problem(kind, problems.correlated_design)
            assert (LIBRARIES[rival](problem) is None) == (kind in kinds)


def test_claims_about_missing_rivals_say_how_to_get_them(monkeypatch):
    missing = {"celer": ("no_such_module", "race"), "adelie": ("no_such_module", "pip install it")}
    benchmark = replace(sparse_race.benchmark, needs=missing)
    path = {"setting": "", "method": "skreg", "seed": 0, "target": 1e-6, "cpu": 1.0}
    rows = pd.DataFrame([path | {"setting": name} for name in sparse_race.RACES])
    judged = {claim.statement: claim for claim in judge_claims(Finding(benchmark, "full", rows))}
    for rival, hint in (("celer", "pip install 'skreg[race]'"), ("adelie", "pip install it")):
        claim = judged[f"Paths to gap 1e-6 take less time than {rival}'s."]
        assert (claim.badge, claim.numbers, claim.broken) == ("no verdict", hint, False)


@pytest.mark.parametrize("rival", ["scikit-learn", "skreg"])
def test_fresh_process_reports_seconds(rival):
    cpu, wall = sparse_contest.fresh_process(FRESH[rival], 0)
    assert cpu > 0
    assert wall > 0


def test_fresh_process_names_the_statement_that_fails():
    with pytest.raises(RuntimeError, match="import nonsense_module"):
        sparse_contest.fresh_process("import nonsense_module", 0)


def test_smallest_size_certifies_every_time_and_draws_its_figure(tmp_path, capsys):
    words = ["bench", "sparse-race", "--size", "smallest", "--output", str(tmp_path)]
    assert main(words) == 0, capsys.readouterr().out
    folder = tmp_path / "smallest" / "sparse-race"
    assert "fastest rival that reaches the gap" in (folder / "report.html").read_text()
    results = pd.read_parquet(folder / "results.parquet")
    timed = results[np.isfinite(results["cpu"])]
    assert "skreg" in set(timed["method"])
    assert np.all(timed["log_gap"] <= np.log10(timed["target"]))
