"""Every partition with every selection and every update: it works as promised, or says why not."""

import itertools

import numpy as np
import pytest

from skreg.optim.descent import BlockCoordinateDescent

KINDS = ["least squares", "logistic", "multinomial", "graph", "huber"]
PENALTIES = [None, "l1", "elastic net", "nonnegative", "groups"]
FIXED = ["order", "sort", "average", "hsort", "haverage"]
GRAPH_PARTITIONS = ["red_black", "tree"]
SMOOTH_RULES = ["gs", "gsl", "gsd", "gsq", "gsn"]
ANY_RULES = ["random", "cyclic", "lipschitz"]
TREE_RULES = ["greedy_tree", "greedy_tree_lipschitz", "greedy_tree_row_sum", "random_tree"]
PROXIMAL_RULES = ["gs_s", "gs_r", "gs_q", "gsd_q"]
FIXED_PROXIMAL_RULES = ["gsl_q", "gsq_q"]
SELECTIONS = [
    *ANY_RULES, *SMOOTH_RULES, "gsq_forward", "gsq_iht", "gsn_cubic", *TREE_RULES,
    *PROXIMAL_RULES, *FIXED_PROXIMAL_RULES,
]  # fmt: skip
SMOOTH_UPDATES = ["gradient", "line_search_lipschitz", "matrix", "newton"]
PENALISED_UPDATES = ["proximal_gradient", "projected_newton", "exact"]
UPDATES = [*SMOOTH_UPDATES, "cubic", "message_passing", *PENALISED_UPDATES, "two_metric"]


def user_blocks(n, n_classes, groups):
    """Blocks of three sizes; with groups, whole groups in a mixed order."""
    if groups:
        units = [[0, 1, 2, 8, 9], [3, 4], [5, 6, 7, 10, 11]]
        return [[f * n_classes + c for f in unit for c in range(n_classes)] for unit in units]
    return [np.arange(0, n, 3), np.arange(1, n, 3)[::-1], np.arange(2, n, 3)]


def suits_partition(kind, penalty, partition, selection):
    """Whether the blocks and their rule fit the problem."""
    named = partition if isinstance(partition, str) else None
    variable, of_graph = named == "variable", named in GRAPH_PARTITIONS
    graph = kind in ("graph", "huber", "logistic")  # the logistic case has a sparse design
    if of_graph and not graph:
        return False
    if selection in TREE_RULES and not (graph and variable):
        return False
    if (of_graph or selection in TREE_RULES) and penalty == "groups":
        return False
    if selection in ("gsq_forward", "gsq_iht") and not variable:
        return False
    return not (selection in ("gsn_cubic", *FIXED_PROXIMAL_RULES) and variable)


def suits_penalty(penalty, selection, update):
    """Whether the rule and the update know the penalty."""
    if penalty is None:
        return update != "two_metric"
    allowed = [*PENALISED_UPDATES, *(["two_metric"] if penalty != "groups" else [])]
    rules = [*ANY_RULES, "random_tree", *PROXIMAL_RULES, *FIXED_PROXIMAL_RULES]
    return selection in rules and update in allowed


def is_valid(kind, penalty, partition, selection, update):
    """What goes together, written down independently; None if that depends on the blocks."""
    if update == "message_passing":
        on_forests = is_valid(kind, penalty, partition, selection, "matrix") and kind in (
            "graph",
            "huber",
            "logistic",
        )
        if not on_forests or selection in TREE_RULES:
            return on_forests
        return True if isinstance(partition, str) and partition in GRAPH_PARTITIONS else None
    if kind == "huber" and (update == "cubic" or selection == "gsn_cubic"):
        return False
    return suits_partition(kind, penalty, partition, selection) and suits_penalty(
        penalty, selection, update
    )


def run(case, partition, selection, update, max_iter=3):
    """(result, x before each iteration)."""
    points = [np.zeros(case.n)]
    size = None
    if isinstance(partition, str) and partition not in GRAPH_PARTITIONS:
        size = None if selection in TREE_RULES else 2
    method = BlockCoordinateDescent(
        partition, selection, update, size, max_iter=max_iter, tol=0.0, random_state=0,
        callback=lambda intermediate_result: points.append(intermediate_result.x),
    )  # fmt: skip
    return method.minimize(case.problem), points


def promised_decrease(case, update, x, block):
    """Decrease that the update guarantees at x on a block, from the formulas of the paper."""
    bound = case.majorant(x) if update == "message_passing" else case.bound
    g, H = case.gradient(x)[block], bound[np.ix_(block, block)]
    largest = np.linalg.eigvalsh(H)[-1]
    if update == "gradient":
        return g @ g / (2 * largest)
    if update == "line_search_lipschitz":
        return g @ g / (2 * max(2 * np.trace(H), 1.0))
    if update in ("matrix", "exact", "message_passing"):
        return 0.5 * g @ np.linalg.pinv(H, hermitian=True, rcond=1e-9) @ g
    return 0.0


@pytest.mark.slow
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_combination_works_as_promised_or_says_why_not(kind, penalty, cases, penalty_of):
    case = cases(kind, penalty)
    if case is None:
        pytest.skip("groups do not go with graphs; tested in test_interface")
    n_classes = 3 if kind == "multinomial" else 1
    blocks = user_blocks(case.n, n_classes, penalty == "groups")
    n_run = 0
    for partition, selection, update in itertools.product(
        ["variable", *FIXED, *GRAPH_PARTITIONS, blocks], SELECTIONS, UPDATES
    ):
        name = (partition if isinstance(partition, str) else "blocks", selection, update)
        valid = is_valid(kind, penalty, partition, selection, update)
        if valid is None:
            continue
        if not valid:
            with pytest.raises(ValueError, match=r".{20}"):
                run(case, partition, selection, update)
            continue
        result, points = run(case, partition, selection, update)
        n_run += 1

        def objective(x):
            return case.value(x) + penalty_of(case.problem.penalty, x, n_classes)

        slack = 1e-10 * max(abs(objective(points[0])), 1.0)
        for x, new, entry in zip(points, points[1:], result.history[1:], strict=False):
            change = objective(new) - objective(x)
            assert entry["fun"] == pytest.approx(objective(new), rel=1e-9, abs=slack), name
            moved = np.flatnonzero(new != x)
            assert np.isin(moved, entry["block"]).all(), name
            if penalty is None and not (kind == "multinomial" and update in ("matrix", "exact")):
                promised = promised_decrease(case, update, x, entry["block"])
            else:
                promised = 0.0
            assert change <= -promised * (1 - 1e-9) + slack, name
        if penalty is None and np.any(np.abs(case.gradient(points[0])) > 1e-12):
            assert result.fun < objective(points[0]) - slack, name
    assert n_run > 100
