"""Linear acyclic graphs from observational data: CoLiDE, with what checks and baselines need.

S. S. Saboksayr, G. Mateos, M. Tepper, "CoLiDE: Concomitant Linear DAG Estimation", ICLR 2024.
"""

from skreg.causal import metrics
from skreg.causal._acyclicity import logdet_acyclicity
from skreg.causal._adjacency_display import AdjacencyDisplay
from skreg.causal._average_effect import AverageEffect
from skreg.causal._bootstrap import BootstrapDAG
from skreg.causal._colide import CoLiDE
from skreg.causal._convergence_display import ConvergenceDisplay
from skreg.causal._cycles import threshold_to_dag
from skreg.causal._dag_display import DAGDisplay
from skreg.causal._effects import Intervention
from skreg.causal._noise_report import NoiseReport
from skreg.causal._paths import EffectPath
from skreg.causal._rolling_evaluation import RollingEvaluation, rolling_evaluation
from skreg.causal._select_parents import SelectParents
from skreg.causal._sort_n_regress import SortNRegress, var_sortability
from skreg.causal._structural_var import StructuralVAR

__all__ = [
    "AdjacencyDisplay",
    "AverageEffect",
    "BootstrapDAG",
    "CoLiDE",
    "ConvergenceDisplay",
    "DAGDisplay",
    "EffectPath",
    "Intervention",
    "NoiseReport",
    "RollingEvaluation",
    "SelectParents",
    "SortNRegress",
    "StructuralVAR",
    "logdet_acyclicity",
    "metrics",
    "rolling_evaluation",
    "threshold_to_dag",
    "var_sortability",
]
