"""
=================================================================
Which block next, and how far? Composing block coordinate descent
=================================================================

Block coordinate descent changes a few variables at a time. Nutini, Laradji and Schmidt (JMLR 2022)
take it apart into three choices: which blocks there are, which one is next, and how far it goes.
How much does each choice matter? `skreg.optim.descent` holds the parts to find out.
"""

# %%
# Least squares, badly scaled
# ---------------------------
# Columns of very different scales make coordinate descent slow. Every method below updates five
# coordinates per iteration; the name says how the blocks are made, by which rule the next one is
# chosen, and whether a step uses the curvature of the whole block (a matrix) or only a bound on it.

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse
from sklearn.datasets import make_moons

from skreg.optim import NonNegative
from skreg.optim.descent import BlockCoordinateDescent, GraphQuadratic, LeastSquares
from skreg.pictures import STYLE
from skreg.semi_supervised import GraphLabelPropagation

plt.rcParams.update(STYLE)
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 3)))

rng = np.random.default_rng(0)
n_rows, n_columns = 200, 1000
X = (rng.standard_normal((n_rows, n_columns)) + 1) * 10 * rng.standard_normal(n_columns)
X *= rng.random(X.shape) < 10 * np.log(n_rows) / n_rows
x_true = rng.standard_normal(n_columns) * (rng.random(n_columns) < 0.1)
y = X @ x_true + rng.standard_normal(n_rows)
squares = LeastSquares(scipy.sparse.csc_array(X), y)

methods = {
    "random blocks, gradient step": ("variable", "random", "gradient"),
    "sorted blocks, GSL rule, gradient step": ("sort", "gsl", "gradient"),
    "greedy blocks, GSD rule, gradient step": ("variable", "gsd", "gradient"),
    "sorted blocks, GSQ rule, matrix step": ("sort", "gsq", "matrix"),
    "greedy blocks, GSD rule, matrix step": ("variable", "gsd", "matrix"),
    "greedy blocks, GSQ rule, matrix step": ("variable", "gsq", "matrix"),
}
figure, ax = plt.subplots(figsize=(6.4, 4.6))
print("f after 100 iterations, as a share of f at the start")
for (name, parts), line in zip(methods.items(), LINES, strict=True):
    method = BlockCoordinateDescent(*parts, 5, max_iter=100, tol=0.0, random_state=0)
    values = np.array([entry["fun"] for entry in method.minimize(squares).history])
    ax.semilogy(values / values[0], linestyle=line, label=name)
    print(f"  {name:38s} {values[-1] / values[0]:.0e}")
ax.set_title("Least squares, blocks of five coordinates")
ax.set(xlabel="iteration", ylabel="objective, relative to the start")
figure.legend(loc="outside lower center", ncols=2)

# %%
# All three choices matter: greedy blocks, a rule that knows the scales, and a matrix step.
#
# Sparsity: a finish in a few steps
# ---------------------------------
# With an L1 penalty on nonnegative coefficients most of them are zero. A variable block with room
# for all others finds them in a few iterations, and from there on the problem is smooth: Newton
# steps end at once, while proximal gradient steps go on for long. `identified_at` tells the
# iteration after which the zeros stayed.

strength = 0.3 * float((X.T @ y).max())
lasso = LeastSquares(squares.X, y, NonNegative(strength))
results = {
    update: BlockCoordinateDescent("variable", "gs_q", update, 50, max_iter=80, tol=1e-12).minimize(
        lasso
    )
    for update in ("proximal_gradient", "projected_newton", "two_metric")
}
best = min(result.fun for result in results.values())
figure, ax = plt.subplots(figsize=(6.4, 4.2))
for (update, result), marker, line in zip(results.items(), "os^", LINES[:3], strict=True):
    values = np.array([entry["fun"] for entry in result.history])
    gaps = np.maximum((values - best) / (values[0] - best), 1e-16)
    name = update.replace("_", " ")
    ax.semilogy(gaps, linestyle=line, marker=marker, markevery=max(len(gaps) // 12, 1), label=name)
    print(
        f"{name:17s} zeros found after {result.identified_at} iterations, "
        f"{result.nit} in all, duality gap {result.gap:.0e}"
    )
ax.set_title("Nonnegative lasso, blocks of 50 coordinates")
ax.set(xlabel="iteration", ylabel="distance from the minimum,\nrelative to the start")
figure.legend(loc="outside lower center", ncols=3)

# %%
# Forests: hundreds of variables in one exact step
# ------------------------------------------------
# In label propagation every variable has few neighbours. A block whose graph is a forest is solved
# exactly in linear time by message passing, so that it may hold a large part of all variables. The
# greedy tree takes the nodes with the largest gradients and leaves out those that would close a
# cycle. How far each method is from the minimum is known, as a sparse solver gives it here.

nodes, classes = make_moons(600, noise=0.1, random_state=0)
given = np.where(np.arange(600) < 20, classes, -1)
model = GraphLabelPropagation(n_neighbors=5).fit(nodes, given)
values = np.where(given == -1, np.nan, given)
propagation = GraphQuadratic.from_labels(model.affinity_matrix_, values)
solution = scipy.sparse.linalg.spsolve(scipy.sparse.csc_matrix(propagation.A), propagation.b)
best = 0.5 * solution @ (propagation.A @ solution) - propagation.b @ solution
graph_methods = {
    "ten largest gradients": ("variable", "gs", "matrix", 10),
    "red-black": ("red_black", "gs", "message_passing"),
    "tree partition": ("tree", "gs", "message_passing"),
    "greedy tree": ("variable", "greedy_tree", "message_passing"),
}
figure, ax = plt.subplots(figsize=(6.4, 4.2))
for (name, parts), line in zip(graph_methods.items(), LINES[:4], strict=True):
    history = BlockCoordinateDescent(*parts, max_iter=100, tol=0.0).minimize(propagation).history
    gaps = np.array([entry["fun"] for entry in history]) - best
    ax.semilogy(np.maximum(gaps / gaps[0], 1e-16), linestyle=line, label=name)
    print(
        f"{name:21s} {len(history[-1]['block']):3d} of {len(propagation.b)} nodes in the last "
        f"block, {gaps[-1] / gaps[0]:.0e} of the distance left"
    )
ax.set_title("Label propagation on two moons, exact steps on blocks")
ax.set(xlabel="iteration", ylabel="distance from the minimum,\nrelative to the start")
figure.legend(loc="outside lower center", ncols=4)

# %%
# As an estimator
# ---------------
# For the plain quadratic, linear solvers are faster still, and `GraphLabelPropagation` takes them.
# Message passing comes into its own where they do not apply: Huber couplings, with which a few
# wrong edges between the moons count for less. On moons this far apart both are right nearly
# everywhere.

rest = given == -1
for coupling in ("quadratic", "huber"):
    model = GraphLabelPropagation(n_neighbors=5, coupling=coupling).fit(nodes, given)
    accuracy = np.mean(model.transduction_[rest] == classes[rest])
    print(f"{coupling} couplings by {model.solver_!r}: accuracy {accuracy:.3f} from 20 labels")
plt.show()

# %%
# Where to go next: `skreg.semi_supervised` for labels on graphs, and
# :ref:`sphx_glr_gallery_plot_sparse_text_like.py` for a sparse model fitted by the package's own
# solver.
