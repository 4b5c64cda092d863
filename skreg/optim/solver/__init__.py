"""The certified solver: working sets around coordinate descent and face Newton steps."""

from skreg.optim.solver._certificate import Certificate, duality_gap
from skreg.optim.solver._solution import Solution
from skreg.optim.solver._solve import penalty_max, solve, solve_path

__all__ = ["Certificate", "Solution", "duality_gap", "penalty_max", "solve", "solve_path"]
