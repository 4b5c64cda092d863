"""From names to parts, and which parts go together."""

import numbers
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from skreg.optim.descent import _partitions as partitions
from skreg.optim.descent import _selections as selections
from skreg.optim.descent import _updates as updates
from skreg.optim.descent._problems import (
    GraphHuber,
    GraphQuadratic,
    LeastSquares,
    Logistic,
    Multinomial,
)
from skreg.optim.kernels._designs import Csc
from skreg.optim.penalties import check_penalty, separable

PROBLEMS = (LeastSquares, Logistic, Multinomial, GraphQuadratic, GraphHuber)

SIZED: dict[str, Any] = {
    "variable": partitions.Variable(),
    "order": partitions.Order(),
    "sort": partitions.Sort(),
    "average": partitions.Average(),
    "hsort": partitions.Sort(diagonal="row_sum"),
    "haverage": partitions.Average(diagonal="row_sum"),
}
UNSIZED: dict[str, Any] = {"red_black": partitions.RedBlack(), "tree": partitions.Tree()}
SELECTIONS: dict[str, Any] = {
    "random": selections.Random(),
    "cyclic": selections.Cyclic(),
    "lipschitz": selections.LipschitzSampling(),
    "gs": selections.GaussSouthwell("none"),
    "gsl": selections.GaussSouthwell("lipschitz"),
    "gsd": selections.GaussSouthwell("diagonal"),
    "gsq": selections.GaussSouthwellQuadratic(),
    "gsq_forward": selections.GaussSouthwellQuadratic("forward"),
    "gsq_iht": selections.GaussSouthwellQuadratic("iht"),
    "gsn": selections.GaussSouthwellNewton(),
    "gsn_cubic": selections.GaussSouthwellNewton(cubic=True),
    "greedy_tree": selections.GreedyForest(),
    "greedy_tree_lipschitz": selections.GreedyForest("lipschitz"),
    "greedy_tree_row_sum": selections.GreedyForest("diagonal"),
    "random_tree": selections.GreedyForest("random"),
    "gs_s": selections.ProximalGaussSouthwell("s"),
    "gs_r": selections.ProximalGaussSouthwell("r"),
    "gs_q": selections.ProximalGaussSouthwell("q"),
    "gsl_q": selections.ProximalGaussSouthwell("q", "lipschitz"),
    "gsd_q": selections.ProximalGaussSouthwell("q", "diagonal"),
    "gsq_q": selections.ProximalGaussSouthwell("q", "matrix"),
}
UPDATES: dict[str, Any] = {
    "gradient": updates.Gradient(),
    "line_search_lipschitz": updates.LipschitzLineSearch(),
    "matrix": updates.Matrix(),
    "newton": updates.Newton(),
    "cubic": updates.CubicNewton(),
    "message_passing": updates.MessagePassing(),
    "proximal_gradient": updates.ProximalGradient(),
    "projected_newton": updates.ProjectedNewton(),
    "two_metric": updates.TwoMetric(),
    "exact": updates.Exact(),
}
CHOICES = {
    "diagonal": ("lipschitz", "row_sum"),
    "order": ("lipschitz", "index"),
    "method": ("auto", "exact", "forward", "iht"),
    "measure": ("s", "r", "q"),
}
CURVATURES: dict[type, tuple[str, ...]] = {
    selections.GaussSouthwell: ("none", "lipschitz", "diagonal"),
    selections.GreedyForest: ("none", "lipschitz", "diagonal", "random"),
    selections.ProximalGaussSouthwell: ("auto", "lipschitz", "diagonal", "matrix"),
}
WITHOUT_GRADIENT = (selections.Random, selections.Cyclic, selections.LipschitzSampling)
ON_GRAPHS = (
    partitions.RedBlack,
    partitions.Tree,
    selections.GreedyForest,
    updates.MessagePassing,
)
SMOOTH_ONLY = (
    updates.Gradient,
    updates.LipschitzLineSearch,
    updates.Matrix,
    updates.Newton,
    updates.CubicNewton,
    updates.MessagePassing,
)
SMOOTH_RULES = (
    selections.GaussSouthwell,
    selections.GaussSouthwellQuadratic,
    selections.GaussSouthwellNewton,
)
FITTING = (partitions.Variable, partitions.Order, partitions.Sort, partitions.Average)
GRAPHS = "GraphQuadratic, GraphHuber, or a sparse X with one output"


class Parts(NamedTuple):
    """What a method is made of."""

    partition: Any
    selection: Any
    update: Any

    @property
    def needs_gradient(self):
        """Whether the selection looks at the whole gradient."""
        return not isinstance(self.selection, WITHOUT_GRADIENT)

    @property
    def needs_graph(self):
        """Whether a part works on the graph of the Hessian."""
        return any(isinstance(part, ON_GRAPHS) for part in self)


def compose(method, problem):
    """The parts of a `BlockCoordinateDescent` for a problem.

    Raises
    ------
    ValueError
        If a parameter is out of range or the parts do not go together.
    """
    _check_problem(problem)
    _check_numbers(method)
    partition = _partition(method)
    selection = _selection(method, problem)
    update = _update(method, problem, partition, selection)
    for part in (partition, selection, update):
        _check_choices(part)
    for reason in _objections(problem, partition, selection, update):
        raise ValueError(reason)
    if method.block_size is not None and isinstance(selection, selections.GreedyForest):
        raise ValueError("block_size must be None with a greedy tree: it is as large as it gets")
    return Parts(partition, selection, update)


def _check_problem(problem):
    if not isinstance(problem, PROBLEMS):
        known = ", ".join(cls.__name__ for cls in PROBLEMS)
        raise ValueError(f"problem must be one of {known}, not {type(problem).__name__}")
    if problem.penalty is not None:
        check_penalty(problem.penalty)


def _check_numbers(method):
    size = method.block_size
    if size is not None and not (_is_integer(size) and size >= 1):
        raise ValueError(f"block_size must be None or a positive integer, not {size!r}")
    if not (_is_integer(method.max_iter) and method.max_iter >= 0):
        raise ValueError(f"max_iter must be a nonnegative integer, not {method.max_iter!r}")
    if not (isinstance(method.tol, numbers.Real) and 0.0 <= float(method.tol) < np.inf):
        raise ValueError(f"tol must be nonnegative and finite, not {method.tol!r}")
    if method.diag not in CHOICES["diagonal"]:
        raise ValueError(f"diag must be 'lipschitz' or 'row_sum', not {method.diag!r}")
    if method.callback is not None and not callable(method.callback):
        raise ValueError(f"callback must be callable, not {method.callback!r}")
    if not isinstance(method.verbose, int | np.integer) or method.verbose < 0:
        raise ValueError(f"verbose must be a nonnegative integer, not {method.verbose!r}")


def _is_integer(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _look_up(what, name, known):
    key = name.replace("-", "_")
    if key not in known:
        raise ValueError(f"{what} must be one of {', '.join(sorted(known))}, not {name!r}")
    return known[key]


def _partition(method):
    given, size = method.partition, method.block_size
    if isinstance(given, str):
        known = {"auto": SIZED["variable"], **SIZED, **UNSIZED}
        part = _look_up("partition", given, known)
        if isinstance(part, FITTING):
            return part._replace(size=size)
    elif isinstance(given, (*FITTING, partitions.RedBlack, partitions.Tree, partitions.Blocks)):
        part = given
    else:
        part = partitions.Blocks(_as_blocks(given))
    if size is not None:
        raise ValueError(
            f"block_size must be None where the partition says how large its blocks are, not {size}"
        )
    return part


def _as_blocks(given):
    if isinstance(given, list | tuple) or (isinstance(given, np.ndarray) and given.ndim == 2):
        return list(given)
    raise ValueError(
        f"partition must be a name, a part or a sequence of index arrays, not {given!r}"
    )


def _selection(method, problem):
    given = method.selection
    if not isinstance(given, str):
        if not isinstance(given, tuple(type(part) for part in SELECTIONS.values())):
            raise ValueError(f"selection must be a name or a selection rule, not {given!r}")
        return given
    if given == "auto":
        if problem.penalty is not None:
            given = "gs_q"
        elif _is_graph(problem) and method.block_size is None and method.partition in (
            "auto", "variable", partitions.Variable(),
        ):  # fmt: skip
            given = "greedy_tree"
        else:
            given = "gsd"
    part = _look_up("selection", given, SELECTIONS)
    if given.replace("-", "_") in ("gsd", "gsd_q", "gs_q", "gs_r"):
        return part._replace(diagonal=method.diag)
    return part


def _update(method, problem, partition, selection):
    given = method.update
    if not isinstance(given, str):
        if not isinstance(given, tuple(type(part) for part in UPDATES.values())):
            raise ValueError(f"update must be a name or an update, not {given!r}")
        return given
    if given == "auto":
        if problem.penalty is not None:
            given = "two_metric" if separable(problem.penalty) else "projected_newton"
        elif isinstance(selection, selections.GreedyForest) or isinstance(
            partition, partitions.Tree | partitions.RedBlack
        ):
            given = "message_passing"
        else:
            given = "newton"
    return _look_up("update", given, UPDATES)


def _check_choices(part):
    for name, value in part._asdict().items():
        known = CHOICES.get(name)
        if name == "curvature":
            known = CURVATURES[type(part)]
        if known is not None and value not in known:
            raise ValueError(
                f"{name} of {type(part).__name__} must be one of {', '.join(known)}, not {value!r}"
            )
    size = getattr(part, "size", None)
    if size is not None and not (_is_integer(size) and size >= 1):
        raise ValueError(
            f"size of {type(part).__name__} must be None or a positive integer, not {size!r}"
        )


def _is_graph(problem):
    return isinstance(problem, GraphQuadratic | GraphHuber)


def _has_graph(problem):
    if isinstance(problem, Multinomial):
        return False
    return _is_graph(problem) or scipy.sparse.issparse(problem.X) or isinstance(problem.X, Csc)


def _objections(problem, partition, selection, update):
    """Reasons why the parts do not go together, or not with the problem."""
    variable = isinstance(partition, partitions.Variable)
    yield from _objections_to_graphs(problem, partition, selection, update)
    yield from _objections_to_penalties(problem.penalty, selection, update)
    yield from _objections_to_quadratic_rules(selection, variable)
    yield from _objections_to_proximal_rules(selection, variable)
    if isinstance(selection, selections.GaussSouthwellNewton) and selection.cubic and variable:
        yield "the cubic rule over all variable blocks is combinatorial; use fixed blocks or 'gsn'"
    cubic = isinstance(update, updates.CubicNewton) or getattr(selection, "cubic", False)
    if cubic and isinstance(problem, GraphHuber):
        yield "Huber couplings have no third derivative that a cubic model could bound"


def _objections_to_penalties(penalty, selection, update):
    greedy_tree = isinstance(selection, selections.GreedyForest)
    smooth_rule = isinstance(selection, SMOOTH_RULES) or (
        greedy_tree and selection.curvature != "random"
    )
    if penalty is not None and smooth_rule:
        yield (
            f"the selection {type(selection).__name__} ranks by the gradient of the smooth "
            "part alone; with a penalty use 'gs_s', 'gs_r' or 'gs_q'"
        )
    if penalty is not None and isinstance(update, SMOOTH_ONLY):
        yield (
            f"the update {type(update).__name__} ignores the penalty; use "
            "'proximal_gradient', 'projected_newton', 'two_metric' or 'exact'"
        )
    by_variable = penalty is not None and separable(penalty)
    if isinstance(update, updates.TwoMetric) and not by_variable:
        yield (
            "two-metric projection needs a penalty that holds each variable at zero by itself, as "
            "L1 does; use 'newton' without a penalty and 'projected_newton' with groups"
        )


def _objections_to_quadratic_rules(selection, variable):
    if isinstance(selection, selections.GaussSouthwellQuadratic):
        if selection.method in ("forward", "iht") and not variable:
            yield f"GSQ by {selection.method!r} forms variable blocks; on fixed blocks use 'gsq'"
        if selection.method == "exact" and variable:
            yield "exact GSQ over all variable blocks is combinatorial; use 'gsq_forward'"


def _objections_to_proximal_rules(selection, variable):
    if isinstance(selection, selections.ProximalGaussSouthwell):
        if selection.curvature == "lipschitz" and variable:
            yield "L_b of a variable block is not known beforehand; use 'gsd_q' or fixed blocks"
        if selection.curvature == "matrix" and variable:
            yield "GSQ-q over all variable blocks is combinatorial; use 'gsd_q' or fixed blocks"
        if selection.curvature == "matrix" and selection.measure != "q":
            yield "only the measure 'q' is defined with the matrix H_b"


def _objections_to_graphs(problem, partition, selection, update):
    for part in (partition, selection, update):
        if isinstance(part, ON_GRAPHS):
            name = type(part).__name__
            if not _has_graph(problem):
                yield f"{name} needs a problem whose Hessian is sparse: {GRAPHS}"
            if problem.penalty is not None and not separable(problem.penalty):
                yield f"{name} works on single coordinates, which a group penalty couples"
    if isinstance(selection, selections.GreedyForest) and not isinstance(
        partition, partitions.Variable
    ):
        yield "a greedy tree forms its own blocks: the partition must be 'variable'"


def as_generator(random_state):
    """Generator of a seed, a RandomState or a Generator, which is used itself."""
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31))
    if random_state is None or isinstance(random_state, np.random.Generator):
        return np.random.default_rng(random_state)
    if _is_integer(random_state) and random_state >= 0:
        return np.random.default_rng(int(random_state))
    raise ValueError(
        f"random_state must be None, a nonnegative integer, a RandomState or a Generator, not "
        f"{random_state!r}"
    )
