"""
==================================================
Which words matter? Sparse text with a certificate
==================================================

Text becomes a sparse matrix with a column for each word and each pair of adjacent words: thousands
of columns, nearly all entries zero. This example takes a text that every reader of it has at hand,
the documentation of scikit-learn's own estimators, and asks which words tell a paragraph about a
classifier from one about a regressor, a transformer or a clustering method.

A multinomial logistic regression answers with few words. Its penalty acts on single coefficients,
so that a word may speak for one class alone, or on whole words, which are then used for all four
classes or for none. It stands at the end of a `Pipeline`, and a `GridSearchCV` chooses the kind of
penalty and its strength.
"""

# %%
# Paragraphs of documentation
# ---------------------------
# A document is a paragraph of an estimator's docstring. Paragraphs that several estimators share
# word for word are kept once. Test and validation folds hold out whole estimators, so that the
# model cannot recognise an estimator by its name.

import importlib
import inspect
import re

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import ClassifierMixin, ClusterMixin, RegressorMixin, TransformerMixin
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import Pipeline

from skreg.linear_model import RegularizationPathDisplay, SparseLogisticRegression
from skreg.pictures import STYLE, series_style

plt.rcParams.update(STYLE)
kinds = {
    "cluster": ClusterMixin,
    "classifier": ClassifierMixin,
    "regressor": RegressorMixin,
    "transformer": TransformerMixin,
}
packages = [
    "cluster",
    "decomposition",
    "discriminant_analysis",
    "ensemble",
    "feature_selection",
    "gaussian_process",
    "impute",
    "linear_model",
    "manifold",
    "naive_bayes",
    "neighbors",
    "neural_network",
    "preprocessing",
    "semi_supervised",
    "svm",
    "tree",
]
classes = {
    name: getattr(package, name)
    for package in (importlib.import_module(f"sklearn.{name}") for name in packages)
    for name in package.__all__
    if inspect.isclass(getattr(package, name))
}
paragraphs = {}
for kind, mixin in kinds.items():
    for name, estimator in classes.items():
        if not issubclass(estimator, mixin):
            continue
        text = inspect.getdoc(estimator).partition("Examples\n---")[0]
        for paragraph in re.split(r"\n\s*\n", text):
            if len(paragraph.split()) >= 15:
                paragraphs.setdefault(paragraph, (kind, name))
documents = np.array(list(paragraphs), dtype=object)
labels, estimators = np.array(list(paragraphs.values())).T
train, test = next(StratifiedGroupKFold(4).split(documents, labels, estimators))
print(f"{len(documents)} paragraphs about {len(set(estimators))} estimators")

# %%
# A pipeline under a grid search
# ------------------------------
# The vectoriser gives a sparse matrix in rows; the estimator turns it into columns once and never
# makes it dense. Its `tol` is a relative duality gap, so that all strengths are solved to the same
# accuracy and scores differ for statistical reasons only.

pipeline = Pipeline(
    [
        ("words", TfidfVectorizer(ngram_range=(1, 2), min_df=8, token_pattern=r"[a-z]{2,}")),
        ("model", SparseLogisticRegression(tol=1e-3)),
    ]
)
grid = {
    "model__row_groups": [False, True],
    "model__alpha": np.geomspace(2e-3, 3e-4, 3),
}
search = GridSearchCV(pipeline, grid, cv=StratifiedGroupKFold(3), scoring="neg_log_loss")
search.fit(documents[train], labels[train], groups=estimators[train])
model = search.best_estimator_["model"]
n_features = model.n_features_in_

for parameters, score in zip(
    search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
):
    print(
        f"{'whole words' if parameters['model__row_groups'] else 'single coefficients':19s} "
        f"alpha = {parameters['model__alpha']:.4f}: log-loss {-score:.3f}"
    )
frequencies = np.unique(labels[test], return_counts=True)[1] / len(test)
grouped = search.best_params_["model__row_groups"]
print(f"chosen: alpha = {model.alpha:.4f}, {'whole words' if grouped else 'single coefficients'}")
print(f"{len(model.active_set_)} of {n_features} words and pairs are used")
print(f"relative duality gap {model.dual_gap_:.1e}")
accuracy = search.best_estimator_.score(documents[test], labels[test])
print(f"accuracy on unseen estimators {accuracy:.2f}")
print(f"share of the largest class    {frequencies.max():.2f}")

# %%
# The words
# ---------
# The largest coefficients of each class: words that one would have guessed, and a few that one
# would not.

vocabulary = search.best_estimator_["words"].get_feature_names_out()
figure, axes = plt.subplots(2, 2, figsize=(6.4, 5), sharex=True)
for i, (ax, kind, coefficients) in enumerate(
    zip(axes.flat, model.classes_, model.coef_, strict=True)
):
    top = np.argsort(-coefficients)[:7]
    print(f"{kind:>12}: {', '.join(vocabulary[top])}")
    ax.hlines(range(len(top)), 0, coefficients[top], color="0.8")
    ax.plot(coefficients[top], range(len(top)), linestyle="", **series_style(i))
    ax.set_yticks(range(len(top)), vocabulary[top])
    ax.invert_yaxis()
    ax.set(title=kind, xlim=(0, 1.05 * model.coef_.max()))
for ax in axes[1]:
    ax.set_xlabel("coefficient (log-odds)")

# %%
# The path
# --------
# The larger the penalty, the fewer words are in the model. The lines are the norms of a word's
# coefficients over the four classes.

display = RegularizationPathDisplay.from_estimator(
    search, documents[train], labels[train], alphas=8, eps=0.1
)
display.axes_[0].set_title("Words that tell kinds of estimators apart")
plt.show()

# %%
# Where to go next: :ref:`sphx_glr_gallery_plot_block_coordinate_descent.py` shows what a solver is
# made of, and the documentation of `skreg.linear_model` has squared, Poisson and other losses.
