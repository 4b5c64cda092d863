"""Compiled inner loops: designs, coordinate descent and Newton steps on a face.

Method folders that solve penalised quadratic models of their own build on what is listed here.
"""

from skreg.optim.kernels._coordinate_descent import descend_gram
from skreg.optim.kernels._designs import Csc, Dense, as_design, column_moments
from skreg.optim.kernels._newton import descend_face

__all__ = ["Csc", "Dense", "as_design", "column_moments", "descend_face", "descend_gram"]
