"""Block coordinate descent, composed of partitions, selection rules and updates.

The design space of Nutini, Laradji and Schmidt (2022), "Let's Make Block Coordinate Descent
Converge Faster": a method is a partition (which blocks there are), a selection rule (which one is
next) and an update (how far it goes). `BlockCoordinateDescent` joins the three, by name or as the
objects below, and its `minimize` returns the whole history of the iterates.

Problems, each with an optional penalty of `skreg.optim`:

- `LeastSquares`, `Logistic`, `Multinomial`: sums of losses over the rows of a design;
- `GraphQuadratic`: label propagation and other sparse quadratics; `GraphHuber`: label propagation
  with couplings that no single edge dominates.

Partitions: `Variable`, `Order`, `Sort`, `Average`, `RedBlack`, `Tree`, `Blocks`;
`lattice_forests` gives two forests that cover a lattice.

Selections: `Random`, `Cyclic`, `LipschitzSampling`, `GaussSouthwell`, `GaussSouthwellQuadratic`,
`GaussSouthwellNewton`, `GreedyForest`, `ProximalGaussSouthwell`.

Updates: `Gradient`, `LipschitzLineSearch`, `Matrix`, `Newton`, `CubicNewton`, `MessagePassing`,
`ProximalGradient`, `ProjectedNewton`, `TwoMetric`, `Exact`.
"""

from skreg.optim.descent._forest import lattice_forests
from skreg.optim.descent._minimize import BlockCoordinateDescent
from skreg.optim.descent._partitions import (
    Average,
    Blocks,
    Order,
    RedBlack,
    Sort,
    Tree,
    Variable,
)
from skreg.optim.descent._problems import (
    GraphHuber,
    GraphQuadratic,
    LeastSquares,
    Logistic,
    Multinomial,
)
from skreg.optim.descent._selections import (
    Cyclic,
    GaussSouthwell,
    GaussSouthwellNewton,
    GaussSouthwellQuadratic,
    GreedyForest,
    LipschitzSampling,
    ProximalGaussSouthwell,
    Random,
)
from skreg.optim.descent._updates import (
    CubicNewton,
    Exact,
    Gradient,
    LipschitzLineSearch,
    Matrix,
    MessagePassing,
    Newton,
    ProjectedNewton,
    ProximalGradient,
    TwoMetric,
)

__all__ = [
    "Average",
    "BlockCoordinateDescent",
    "Blocks",
    "CubicNewton",
    "Cyclic",
    "Exact",
    "GaussSouthwell",
    "GaussSouthwellNewton",
    "GaussSouthwellQuadratic",
    "Gradient",
    "GraphHuber",
    "GraphQuadratic",
    "GreedyForest",
    "LeastSquares",
    "LipschitzLineSearch",
    "LipschitzSampling",
    "Logistic",
    "Matrix",
    "MessagePassing",
    "Multinomial",
    "Newton",
    "Order",
    "ProjectedNewton",
    "ProximalGaussSouthwell",
    "ProximalGradient",
    "Random",
    "RedBlack",
    "Sort",
    "Tree",
    "TwoMetric",
    "Variable",
    "lattice_forests",
]
