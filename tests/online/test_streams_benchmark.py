"""The benchmarks on streams run, their numbers are right, and graphs of models are theirs."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import SGDRegressor

from skreg.bench._cli import main
from skreg.bench.arena import online_tasks as tasks
from skreg.online import OptimisticOMDClassifier, OptimisticOMDRegressor


@pytest.mark.parametrize(
    ("name", "settings"), [("optimistic-mirror-descent", 5), ("online-speed", 3)]
)
def test_smallest_size_runs(name, settings, tmp_path, capsys):
    words = ["bench", name, "--size", "smallest", "--n-jobs", "1", "--output", str(tmp_path)]
    assert main(words) == 0, capsys.readouterr().out
    results = pd.read_parquet(tmp_path / "smallest" / name / "results.parquet")
    assert results["setting"].nunique() == settings


def test_regret_is_that_of_the_best_point_of_the_ball():
    """min over |x| <= 1 of sum <c_t, x> + n ridge / 2 |x|^2, on a fine grid of the plane."""
    rng = np.random.default_rng(0)
    for ridge in (0.0, 0.2, 5.0):
        stream = tasks.linear_stream(rng.normal(size=(30, 2)), ridge=ridge)
        angle, size = np.meshgrid(np.linspace(0, 2 * np.pi, 2001), np.linspace(0, 1, 501))
        x = (size * np.stack([np.cos(angle), np.sin(angle)])).reshape(2, -1)
        best = (stream.X.sum(axis=0) @ x + 15 * ridge * np.sum(x**2, axis=0)).min()
        said = tasks.Said(np.zeros(30), np.zeros(30), 1.0)
        assert tasks.regret(stream, said)["regret"] == pytest.approx(-best, abs=1e-3)


def test_learners_of_the_bench_predict_before_they_learn():
    stream = tasks.moving_coefficients(0, kind="jumping", n_rounds=60)[0]
    assert np.linalg.norm(stream.X, axis=1).max() <= 1.0
    said = tasks.scikit_learn()(stream).predictions
    model = SGDRegressor(fit_intercept=False, random_state=0)
    model.partial_fit(stream.X[:1], stream.y[:1])
    assert said[1] == pytest.approx(model.predict(stream.X[1:2])[0])
    ours = tasks.mirror_descent()(stream).predictions
    alone = OptimisticOMDRegressor(radius=1.0, fit_intercept=False)
    np.testing.assert_allclose(ours, alone.progressive_fit_predict(stream.X, stream.y))


def test_points_of_the_bench_are_those_that_are_played():
    stream = tasks.centres(1, drift=False, lengths=(40,))[0]
    said = tasks.mirror_descent(curvature="strongly_convex")(stream)
    model = OptimisticOMDRegressor(
        "absolute_error", radius=1.0, fit_intercept=False, alpha=1.0, curvature="strongly_convex"
    )
    np.testing.assert_allclose(
        said.predictions, model.progressive_fit_predict(stream.X, stream.y), atol=1e-12
    )
    assert said.certificate == pytest.approx(model.regret_certificate_)


def test_a_graph_needs_probabilities():
    pytest.importorskip("skl2onnx")
    from skreg.export import to_onnx

    X, y = np.random.default_rng(2).normal(size=(20, 3)), np.arange(20) % 2
    with pytest.raises(ValueError, match="no probabilities"):
        to_onnx(OptimisticOMDClassifier("hinge").fit(X, y), X)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_graph_says_what_the_classifier_says(n_classes):
    pytest.importorskip("skl2onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    from skreg.export import to_onnx

    X, y = np.random.default_rng(3).normal(size=(60, 3)), np.arange(60) % n_classes
    model = OptimisticOMDClassifier().fit(X, y)
    session = onnxruntime.InferenceSession(to_onnx(model, X).SerializeToString())
    labels, probabilities = session.run(None, {"X": X})[:2]
    np.testing.assert_array_equal(labels, model.predict(X))
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-6)
