"""
=================================================================
Which block next, and how far? Composing block coordinate descent
=================================================================

Block coordinate descent changes a few variables at a time. Nutini, Laradji and Schmidt (JMLR 2022)
take it apart into three choices, which blocks there are, which one is next, and how far it goes,
and put together methods that need a handful of iterations where the textbook's need thousands.
`skreg.optim.descent` holds the parts. The example takes about ten seconds.
"""

# %%
# Least squares, badly scaled
# ---------------------------
# Columns of very different scales make coordinate descent slow. Every method below updates five
# coordinates per iteration.

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse
from sklearn.datasets import make_moons

from skreg.optim import NonNegative
from skreg.optim.descent import BlockCoordinateDescent, GraphQuadratic, LeastSquares
from skreg.semi_supervised import GraphLabelPropagation

rng = np.random.default_rng(0)
X = (rng.standard_normal((200, 2000)) + 1) * 10 * rng.standard_normal(2000)
X *= rng.random(X.shape) < 10 * np.log(200) / 200
x_true = rng.standard_normal(2000) * (rng.random(2000) < 0.1)
y = X @ x_true + rng.standard_normal(200)
squares = LeastSquares(scipy.sparse.csc_array(X), y)

methods = {
    "random blocks, gradient step": ("variable", "random", "gradient"),
    "sorted blocks, GSL, gradient step": ("sort", "gsl", "gradient"),
    "greedy blocks (GSD), gradient step": ("variable", "gsd", "gradient"),
    "sorted blocks, GSQ, matrix step": ("sort", "gsq", "matrix"),
    "greedy blocks (GSD), matrix step": ("variable", "gsd", "matrix"),
    "greedy blocks (GSQ), matrix step": ("variable", "gsq", "matrix"),
}
figure, panels = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
for name, parts in methods.items():
    method = BlockCoordinateDescent(*parts, 5, max_iter=150, tol=0.0, random_state=0)
    values = np.array([entry["fun"] for entry in method.minimize(squares).history])
    panels[0].semilogy(values / values[0], label=name)
    print(f"{name}: f falls to {values[-1] / values[0]:.0e} of its start")
panels[0].set(title="Least squares, blocks of 5", xlabel="iteration", ylabel="f / f(0)")
panels[0].legend(fontsize=7)

# %%
# Sparsity: a superlinear finish
# ------------------------------
# With an L1 penalty on nonnegative coefficients most of them are zero. A variable block with room
# for all others finds them in a few iterations, and from there on the problem is smooth: Newton
# steps end at once, while proximal gradient steps go on for long. `identified_at` tells the
# iteration after which the zeros stayed.

strength = 0.3 * float((X.T @ y).max())
lasso = LeastSquares(squares.X, y, NonNegative(strength))
best = BlockCoordinateDescent(tol=1e-14).minimize(lasso).fun
for update in ("proximal_gradient", "projected_newton", "two_metric"):
    method = BlockCoordinateDescent("variable", "gs_q", update, 50, max_iter=120, tol=1e-12)
    result = method.minimize(lasso)
    values = np.array([entry["fun"] for entry in result.history])
    gaps = np.maximum((values - best) / (values[0] - best), 1e-16)
    panels[1].semilogy(gaps, marker="." if len(gaps) < 20 else None, label=update.replace("_", " "))
    print(
        f"{update}: support after {result.identified_at} iterations, "
        f"{result.nit} in all, duality gap {result.gap:.0e}"
    )
panels[1].set(title="Nonnegative lasso, blocks of 50", xlabel="iteration")
panels[1].set_ylabel("(F − F*) / (F(0) − F*)")
panels[1].legend(fontsize=7)

# %%
# Forests: thousands of variables in one exact step
# -------------------------------------------------
# In label propagation every variable has few neighbours. A block whose graph is a forest is solved
# exactly in linear time by message passing, so that it may hold half of all variables and more.
# The greedy tree takes the nodes with the largest gradients and leaves out those that would close a
# cycle.

nodes, classes = make_moons(1000, noise=0.1, random_state=0)
given = np.where(np.arange(1000) < 20, classes, -1)
model = GraphLabelPropagation(n_neighbors=5).fit(nodes, given)
values = np.where(given == -1, np.nan, given)
propagation = GraphQuadratic.from_labels(model.affinity_matrix_, values)
best = BlockCoordinateDescent(tol=1e-12, max_iter=5000).minimize(propagation).fun
graph_methods = {
    "ten largest gradients": ("variable", "gs", "matrix", 10),
    "red-black": ("red_black", "gs", "message_passing"),
    "tree partition": ("tree", "gs", "message_passing"),
    "greedy tree": ("variable", "greedy_tree", "message_passing"),
}
for name, parts in graph_methods.items():
    method = BlockCoordinateDescent(*parts, max_iter=150, tol=0.0)
    history = method.minimize(propagation).history
    gaps = np.array([entry["fun"] for entry in history]) - best
    panels[2].semilogy(np.maximum(gaps / gaps[0], 1e-16), label=name)
    print(f"{name}: {len(history[-1]['block'])} of {len(propagation.b)} nodes in the last block")
panels[2].set(title="Label propagation, exact blocks", xlabel="iteration")
panels[2].set_ylabel("(f − f*) / (f(0) − f*)")
panels[2].legend(fontsize=7)
plt.show()

# %%
# As an estimator
# ---------------
# For the plain quadratic, linear solvers are faster still, and `GraphLabelPropagation` takes them.
# Message passing comes into its own where they do not apply: Huber couplings, with which a few
# wrong edges between the moons count for less.

rest = given == -1
for coupling in ("quadratic", "huber"):
    model = GraphLabelPropagation(n_neighbors=5, coupling=coupling).fit(nodes, given)
    accuracy = np.mean(model.transduction_[rest] == classes[rest])
    print(f"{coupling} couplings by {model.solver_!r}: accuracy {accuracy:.3f} from 20 labels")
