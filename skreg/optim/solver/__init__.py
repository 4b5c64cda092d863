"""The certified solver: working sets around coordinate descent and face Newton steps."""

from skreg.optim.solver._certificate import Certificate, duality_gap
from skreg.optim.solver._solution import Solution
from skreg.optim.solver._solve import penalty_max, solve, solve_path
from skreg.optim.solver._units import columns_of_few_digits

__all__ = [
    "Certificate",
    "Solution",
    "columns_of_few_digits",
    "duality_gap",
    "penalty_max",
    "solve",
    "solve_path",
]
