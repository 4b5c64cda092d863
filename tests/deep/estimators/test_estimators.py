"""The estimators: data of any kind in, labels and targets out, and scikit-learn's tools around."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from joblib import parallel_config
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Checkpoint, LoadInitState, LRScheduler
from torch import nn

from skreg.deep import DeepClassifier, DeepRegressor, LossCurveDisplay, Regularizer
from skreg.deep.torch import SampleMemory

SMALL = {"lr": 0.01, "max_epochs": 5, "random_state": 0, "net_params": {"module__width": 16}}


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def line():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    return X, X @ [1.0, -2.0, 0.5] + 0.01 * rng.normal(size=80)


class Shrink(Regularizer):
    def __init__(self, strength=0.1):
        self.strength = strength

    def penalty(self, net, batch, y_pred, features):
        return self.strength * y_pred.square().mean()


class Remember(Regularizer):
    def state(self, net):
        self.memory_ = SampleMemory()
        return self.memory_

    def penalty(self, net, batch, y_pred, features):
        self.memory_.allocate(net.n_samples_, y_pred.shape[1], like=y_pred)
        self.memory_.write(batch.index, y_pred.detach())


class TwoLayers(nn.Module):
    def __init__(self, n_inputs, n_outputs, width=8):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_inputs, width), nn.ReLU(), nn.Linear(width, n_outputs)
        )

    def forward(self, X):
        return self.layers(X)


# inputs and labels


def test_arrays_frames_and_tensors_give_the_same_network(iris):
    X, y = iris
    expected = DeepClassifier(**SMALL).fit(X, y).predict_proba(X)
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = DeepClassifier(**SMALL).fit(frame, pd.Series(y))
    assert model.feature_names_in_.tolist() == list("abcd")
    np.testing.assert_array_equal(model.predict_proba(frame), expected)
    X_tensor, y_tensor = torch.as_tensor(X), torch.as_tensor(y)
    model = DeepClassifier(**SMALL).fit(X_tensor, y_tensor)
    np.testing.assert_array_equal(model.predict_proba(X_tensor), expected)


@pytest.mark.parametrize(
    "labels", [np.array(["a", "b", "c"]), np.array(["a", "b", "c"], object), np.array([-7, 2, 90])]
)
def test_any_labels(iris, labels):
    X, y = iris
    model = DeepClassifier(**SMALL).fit(X, labels[y])
    plain = DeepClassifier(**SMALL).fit(X, y)
    np.testing.assert_array_equal(model.classes_, labels)
    np.testing.assert_array_equal(model.predict(X), labels[plain.predict(X)])
    assert model.score(X, labels[y]) == plain.score(X, y) > 0.8


def test_images_get_a_small_convolutional_network():
    X, y = load_digits(return_X_y=True)
    images = X[:300].reshape(-1, 8, 8)
    model = DeepClassifier(random_state=0, max_epochs=12, lr=0.01).fit(images, y[:300])
    assert type(model.net_.module_).__name__ == "SmallCNN"
    assert model.score(images, y[:300]) > 0.9
    channels = clone(model).fit(images[:, None], y[:300])
    np.testing.assert_array_equal(
        channels.predict_proba(images[:, None]), model.predict_proba(images)
    )
    with pytest.raises(ValueError, match=r"X must have shape \(n, \(8, 8\)\)"):
        model.predict(images[:, :, :4])


def test_several_targets(line):
    X, y = line
    Y = np.stack([y, 1e6 * y + 1e7], axis=1)
    model = DeepRegressor(random_state=0, max_epochs=60, lr=0.01).fit(X, Y)
    assert model.predict(X).shape == Y.shape
    assert model.score(X, Y) > 0.95


@pytest.mark.parametrize("scale", [1e-200, 1e-5, 1e150])
def test_scales_of_inputs_and_targets_do_not_matter(line, scale):
    X, y = line
    plain = DeepRegressor(**SMALL).fit(X, y).predict(X)
    scaled = DeepRegressor(**SMALL).fit(X * scale + scale, y * scale - scale)
    prediction = scaled.predict(X * scale + scale)
    np.testing.assert_allclose(prediction / scale + 1, plain, rtol=1e-3, atol=1e-3)


def test_constant_columns_and_targets(line):
    X, y = line
    X = np.column_stack([X, np.full(len(X), 1e9), np.zeros(len(X))])
    assert np.isfinite(DeepRegressor(**SMALL).fit(X, y).predict(X)).all()
    constant = DeepRegressor(**SMALL).fit(X, np.full(len(X), 3.0)).predict(X)
    np.testing.assert_allclose(constant, 3.0, atol=1.5)


def test_standardization_is_that_of_a_pipeline(iris):
    X, y = iris
    outside = make_pipeline(StandardScaler(), DeepClassifier(**SMALL, standardize=False))
    inside = DeepClassifier(**SMALL, standardize=True)
    np.testing.assert_allclose(
        inside.fit(X, y).predict_proba(X), outside.fit(X, y).predict_proba(X), atol=1e-5
    )


# networks of the user


def test_a_class_gets_its_sizes_and_parameters(iris):
    X, y = iris
    model = DeepClassifier(TwoLayers, random_state=0, max_epochs=1)
    model.set_params(module__width=5, optimizer__weight_decay=0.25).fit(X, y)
    assert model.net_.module_.layers[0].weight.shape == (5, 4)
    assert model.net_.optimizer_.param_groups[0]["weight_decay"] == 0.25


def test_a_module_is_copied(iris):
    X, y = iris
    module = nn.Linear(4, 3)
    before = module.weight.detach().clone()
    model = DeepClassifier(module, lr=0.1, max_epochs=3).fit(X, y)
    assert torch.equal(module.weight, before)
    assert not torch.equal(model.net_.module_.weight, before)


def test_a_linear_network_is_logistic_regression(iris):
    X, y = iris
    X = StandardScaler().fit_transform(X)
    model = DeepClassifier(
        nn.Linear(4, 3),
        [("ridge", WeightNorm(0.5 / len(X)))],
        optimizer=torch.optim.LBFGS,
        lr=1.0,
        batch_size=len(X),
        max_epochs=20,
        dtype="float64",
        net_params={"optimizer__line_search_fn": "strong_wolfe"},
    ).fit(X, y)
    logistic = sklearn.linear_model.LogisticRegression(C=1.0, tol=1e-8).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), logistic.predict_proba(X), atol=1e-4)


class WeightNorm(Regularizer):
    """The penalty of scikit-learn's logistic regression with C = 1."""

    def __init__(self, strength):
        self.strength = strength

    def penalty(self, net, batch, y_pred, features):
        return self.strength * net.module_.weight.square().sum()


def test_three_axes_need_a_module(iris):
    with pytest.raises(ValueError, match="give a module"):
        DeepClassifier().fit(np.zeros((4, 1, 2, 3, 3)), [0, 1, 0, 1])


# weights


@pytest.mark.parametrize("Estimator", [DeepClassifier, DeepRegressor])
def test_rows_of_weight_zero_take_no_part(iris, Estimator):
    X, y = iris
    weight = np.arange(len(y)) % 3 > 0
    X_other = np.where(weight[:, None], X, 1e6)
    model = Estimator(**SMALL, batch_size=32, regularizers=[("memory", Remember())])
    weighted = clone(model).fit(X_other, y, sample_weight=weight)
    removed = clone(model).fit(X[weight], y[weight])
    np.testing.assert_allclose(weighted.predict(X), removed.predict(X), rtol=1e-5)
    memory = dict(weighted.net_.regularizers_)["memory"].memory_
    np.testing.assert_array_equal(memory.written.numpy(), weight)


def test_weights_are_repetitions_in_single_precision(iris):
    X, y = iris
    weight = np.random.default_rng(0).integers(0, 3, len(y))
    rows = np.repeat(np.arange(len(y)), weight)
    model = DeepClassifier(**SMALL, batch_size=1000)
    weighted = clone(model).fit(X, y, sample_weight=weight).predict_proba(X)
    np.testing.assert_allclose(weighted, model.fit(X[rows], y[rows]).predict_proba(X), atol=1e-3)


# randomness and going on


def test_random_state_gives_the_same_network_and_leaves_torch_alone(iris):
    before = torch.get_rng_state()
    settings = {**SMALL, "batch_size": 16, "early_stopping": True}
    first = DeepClassifier(**settings).set_params(module__dropout=0.2).fit(*iris)
    torch.rand(3)
    state = torch.get_rng_state()
    second = DeepClassifier(**settings).set_params(module__dropout=0.2).fit(*iris)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(before, state)
    for p, q in zip(first.net_.module_.parameters(), second.net_.module_.parameters(), strict=True):
        assert torch.equal(p, q)
    other = clone(first).set_params(random_state=1).fit(*iris)
    assert not np.array_equal(first.predict_proba(iris[0]), other.predict_proba(iris[0]))


@pytest.mark.parametrize("Estimator", [DeepClassifier, DeepRegressor])
def test_passes_of_partial_fit_are_epochs_of_fit(iris, Estimator):
    X, y = iris
    whole = Estimator(**SMALL, batch_size=16).fit(X, y)
    parts = Estimator(**SMALL, batch_size=16)
    for _ in range(SMALL["max_epochs"]):
        parts.partial_fit(X, y)
    assert parts.n_iter_ == whole.n_iter_ == 5
    np.testing.assert_allclose(parts.predict(X), whole.predict(X), rtol=1e-5)


def test_partial_fit_takes_classes_in_parts(iris):
    X, y = iris
    model = DeepClassifier(**SMALL).partial_fit(X[:50], y[:50], classes=[0, 1, 2])
    model.partial_fit(X[50:], y[50:])
    assert model.classes_.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match=r"labels \[9\] that are not among the classes"):
        model.partial_fit(X[:2], [0, 9])
    with pytest.raises(ValueError, match="needs early_stopping=False"):
        DeepClassifier(early_stopping=True).partial_fit(X, y)


def test_warm_start_goes_on(iris):
    model = DeepClassifier(**SMALL, warm_start=True).fit(*iris).fit(*iris)
    assert model.n_iter_ == 10
    assert model.set_params(warm_start=False).fit(*iris).n_iter_ == 5


def test_early_stopping_keeps_the_best_epoch(iris):
    model = DeepClassifier(
        early_stopping=True, n_iter_no_change=3, max_epochs=200, lr=0.05, random_state=0
    ).fit(*iris)
    losses = model.history_["valid_loss"]
    assert model.n_iter_ < 200
    assert losses.idxmin() == model.n_iter_ - 3
    callback = dict(model.net_.callbacks_)["EarlyStopping"]
    assert callback.best_epoch_ == losses.idxmin()


def test_checkpoint_and_resume(iris, tmp_path):
    settings = {**SMALL, "regularizers": [("memory", Remember())], "batch_size": 1000}
    straight = DeepClassifier(**settings).fit(*iris)
    checkpoint = Checkpoint(dirname=tmp_path, monitor=None)
    DeepClassifier(**{**settings, "max_epochs": 2}, callbacks=[checkpoint]).fit(*iris)
    load = LoadInitState(Checkpoint(dirname=tmp_path, monitor=None))
    resumed = DeepClassifier(**{**settings, "max_epochs": 3}, callbacks=[load]).fit(*iris)
    assert resumed.n_iter_ == 5
    np.testing.assert_allclose(
        resumed.predict_proba(iris[0]), straight.predict_proba(iris[0]), atol=1e-5
    )
    values = [m.net_.regularizers[0][1].memory_.values for m in (straight, resumed)]
    torch.testing.assert_close(*values, rtol=0, atol=1e-4)


def test_schedules_by_callbacks(iris):
    schedule = LRScheduler("CosineAnnealingLR", T_max=5, event_name="lr")
    model = DeepClassifier(**SMALL, callbacks=[schedule]).fit(*iris)
    expected = 0.01 * (1 + np.cos(np.pi * np.arange(5) / 5)) / 2
    np.testing.assert_allclose(model.history_["lr"], expected)
    assert not hasattr(schedule, "policy_")


@pytest.mark.parametrize(
    "options",
    [{"mixed_precision": "bfloat16"}, {"mixed_precision": "float16"}, {"accumulation_steps": 3}],
)
def test_options_of_the_step_work_with_a_regularizer(iris, options):
    model = DeepClassifier(**SMALL, regularizers=[("s", Shrink())], batch_size=16, **options)
    assert model.fit(*iris).score(*iris) > 0.8


def test_compiled(iris):
    options = {**SMALL, "compile": True, "regularizers": [("s", Shrink())]}
    options["net_params"] = {"module__width": 16, "compile__backend": "aot_eager"}
    model = DeepClassifier(**options).fit(*iris)
    eager = DeepClassifier(**SMALL, regularizers=[("s", Shrink())]).fit(*iris)
    np.testing.assert_allclose(
        model.predict_proba(iris[0]), eager.predict_proba(iris[0]), atol=1e-5
    )
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(iris[0]), model.predict(iris[0]))


# scikit-learn's tools


def test_pickled_estimator_goes_on_as_the_original(iris):
    settings = {**SMALL, "batch_size": 16, "regularizers": [("memory", Remember())]}
    model = DeepClassifier(**settings).fit(*iris)
    again = pickle.loads(pickle.dumps(model))
    model.partial_fit(*iris)
    again.partial_fit(*iris)
    np.testing.assert_array_equal(again.predict_proba(iris[0]), model.predict_proba(iris[0]))


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_grid_search_over_a_regularizer(iris, n_jobs):
    model = DeepClassifier(**SMALL, regularizers=[("shrink", Shrink())])
    grid = {"regularizers__shrink__strength": [0.01, 1e4], "module__width": [8, 16]}
    search = GridSearchCV(model, grid, cv=2, n_jobs=n_jobs, scoring="neg_log_loss").fit(*iris)
    assert search.best_params_["regularizers__shrink__strength"] == 0.01
    assert search.best_estimator_.regularizers[0][1].strength == 0.01
    assert model.regularizers[0][1].strength == 0.1


def test_grid_search_can_leave_a_regularizer_out(iris):
    model = DeepClassifier(**SMALL, regularizers=[("shrink", Shrink(1e4))])
    grid = {"regularizers__shrink": [None, Shrink(1e4)]}
    search = GridSearchCV(model, grid, cv=2, scoring="neg_log_loss").fit(*iris)
    assert search.best_params_["regularizers__shrink"] is None


def test_grid_search_on_dask(iris):
    distributed = pytest.importorskip("distributed")
    model = DeepClassifier(**SMALL, regularizers=[("shrink", Shrink())])
    grid = {"regularizers__shrink__strength": [0.01, 1e4]}
    here = GridSearchCV(model, grid, cv=2).fit(*iris)
    with (
        distributed.Client(processes=False, n_workers=1, dashboard_address=None),
        parallel_config("dask"),
    ):
        there = GridSearchCV(model, grid, cv=2).fit(*iris)
    np.testing.assert_allclose(
        there.cv_results_["mean_test_score"], here.cv_results_["mean_test_score"]
    )


def test_sample_weights_are_routed(iris):
    X, y = iris
    weight = (y > 0).astype(float)
    with sklearn.config_context(enable_metadata_routing=True):
        model = DeepClassifier(**SMALL).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        search = GridSearchCV(make_pipeline(scaler, model), {"deepclassifier__lr": [0.01]}, cv=2)
        search.fit(X, y, sample_weight=weight)
    assert set(search.predict(X)) <= {1, 2}
    assert search.best_score_ > 0.8


def test_parameters_by_name():
    model = DeepClassifier(regularizers=[("shrink", Shrink()), ("off", None)])
    model.set_params(module__width=4, regularizers__shrink__strength=2.0, lr=0.5)
    params = model.get_params()
    assert params["module__width"] == 4
    assert params["regularizers__shrink__strength"] == 2.0
    assert model.net_params == {"module__width": 4}
    assert clone(model).get_params()["regularizers__shrink__strength"] == 2.0
    with pytest.raises(ValueError, match="Invalid parameter 'x'"):
        model.set_params(x=1)
    with pytest.raises(ValueError, match="no regularizer 'other'"):
        model.set_params(regularizers__other__strength=1)


# what one sees


def test_history_and_loss_curve(iris):
    model = DeepClassifier(**SMALL, early_stopping=True).fit(*iris)
    history = model.history_
    assert list(history.index) == [1, 2, 3, 4, 5]
    assert {"train_loss", "valid_loss", "valid_acc", "dur"} <= set(history.columns)
    display = LossCurveDisplay.from_estimator(model)
    train, valid = display.lines_
    np.testing.assert_array_equal(train.get_ydata(), history["train_loss"])
    np.testing.assert_array_equal(valid.get_ydata(), history["valid_loss"])
    assert display.ax_.get_title() == "DeepClassifier"
    alone = LossCurveDisplay.from_estimator(DeepClassifier(**SMALL).fit(*iris), ax=display.ax_)
    assert len(alone.lines_) == 1
    assert alone.figure_ is display.figure_
    with pytest.raises(ValueError, match="no epochs"):
        LossCurveDisplay.from_estimator(DeepClassifier(max_epochs=0).fit(*iris))
    with pytest.raises(sklearn.exceptions.NotFittedError):
        _ = DeepClassifier().history_


def test_progress(iris, capsys):
    DeepClassifier(**SMALL).fit(*iris)
    assert capsys.readouterr() == ("", "")
    DeepClassifier(**SMALL, verbose=2).fit(*iris)
    printed = capsys.readouterr()
    assert "train_loss" in printed.out
    assert "it/s" in printed.err


def test_interruption_keeps_the_network(iris):
    class Interrupt(Regularizer):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 2:
                raise KeyboardInterrupt

    model = DeepClassifier(**SMALL, regularizers=[("interrupt", Interrupt())]).fit(*iris)
    assert model.n_iter_ == 2
    assert np.isfinite(model.predict_proba(iris[0])).all()


# bad input


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("module", 3), ("regularizers", "x"), ("criterion", "x"), ("optimizer", "adam"),
        ("lr", 0), ("max_epochs", -1), ("batch_size", 0), ("early_stopping", "x"),
        ("validation_fraction", 1.0), ("n_iter_no_change", 0), ("accumulation_steps", 0),
        ("mixed_precision", "half"), ("compile", "x"), ("standardize", "x"),
        ("standardize_target", "x"), ("device", 3), ("dtype", "float16"), ("callbacks", "x"),
        ("net_params", [1]), ("warm_start", "x"), ("random_state", -1), ("verbose", -1),
    ],
)  # fmt: skip
def test_bad_parameters(iris, parameter, value):
    model = DeepRegressor().set_params(**{parameter: value})
    with pytest.raises(ValueError, match=f"The '{parameter}' parameter of DeepRegressor must be"):
        model.fit(*iris)


def test_bad_data(iris, line):
    X, y = iris
    with pytest.raises(ValueError, match="contains NaN"):
        DeepClassifier().fit(np.where(X > 5, np.nan, X), y)
    with pytest.raises(ValueError, match="too large for dtype"):
        DeepClassifier(standardize=False).fit(X * 1e100, y)
    with pytest.raises(ValueError, match="too large for dtype"):
        DeepRegressor(standardize_target=False).fit(X, y * 1e100)
    with pytest.raises(ValueError, match="at least one non-zero"):
        DeepClassifier().fit(X, y, sample_weight=np.zeros(len(y)))
    with pytest.raises(ValueError, match="Unknown label type"):
        DeepClassifier().fit(*line)
    model = DeepRegressor(**SMALL).fit(X, np.stack([y, y], 1))
    with pytest.raises(ValueError, match=r"y must have shape \(n, \(2,\)\)"):
        model.partial_fit(X, y)
