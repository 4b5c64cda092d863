"""Which classifier needs the fewest wines?

An example of a benchmark outside the package. It is found by its folder:

    skreg bench --benchmarks examples/benchmarks wine-probes

Copied into skreg/bench/papers/ it would come with skreg.
"""

from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg.bench import Axis, Benchmark, Claim, Metric, Setting
from skreg.bench.arena.checks import all_of, level
from skreg.probe import LinearNaiveBayes


def wines(seed, *, train_sizes):
    """One stratified split for each training size; equal seeds give equal splits."""
    X, y = load_wine(return_X_y=True)
    return [
        train_test_split(X, y, train_size=size, test_size=60, stratify=y, random_state=seed)
        for size in train_sizes
    ]


def accuracies(splits, methods, _seed):
    for X, X_test, y, y_test in splits:
        for name, method in methods.items():
            accuracy = clone(method).fit(X, y).score(X_test, y_test)
            yield {"method": name, "n_train": len(y), "accuracy": accuracy}


METHODS = {
    "naive Bayes": LinearNaiveBayes(),
    "naive Bayes, LOO shrinkage": LinearNaiveBayes(shrinkage="loo"),
    "logistic regression": make_pipeline(StandardScaler(), LogisticRegression()),
}

benchmark = Benchmark(
    settings={
        "Wine": Setting(
            description="178 wines, 13 features, 3 cultivars; 60 wines are kept for the test.",
            data=wines,
            measure=accuracies,
            metrics=["accuracy"],
            axis=Axis("n_train", "training samples"),
            parameters={
                "smallest": {"train_sizes": [6, 24]},
                "quick": {"train_sizes": [6, 12, 24, 48, 96]},
                "full": {"train_sizes": [6, 12, 24, 48, 96]},
            },
        )
    },
    methods=METHODS,
    metrics={"accuracy": Metric("Accuracy", better="higher")},
    repeats={"smallest": 2, "quick": 10, "full": 50},
    reference="naive Bayes",
    claims=[
        Claim(
            "With 96 labels, every method is right on 95 % of wines.",
            all_of(
                *(level(name, "accuracy", setting="Wine", at=96, at_least=0.95) for name in METHODS)
            ),
            ["Wine"],
        )
    ],
)
