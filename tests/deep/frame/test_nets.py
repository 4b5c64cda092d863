"""The training step: who is asked when, and what comes out, against loops written by hand."""

import copy
import math
import pickle

import numpy as np
import pytest
import skorch
import skorch.helper
import torch
from sklearn.base import clone
from sklearn.datasets import make_classification
from skorch.callbacks import Checkpoint, LoadInitState, LRScheduler
from torch import nn
from torch.nn import functional as F

from skreg.deep import RegularizedNetClassifier, RegularizedNetRegressor, Regularizer
from skreg.deep.torch import OptimizerWrapper, SampleMemory, as_probabilities

N, D, K = 60, 5, 3


@pytest.fixture(scope="module")
def data():
    X, y = make_classification(N, D, n_informative=4, n_redundant=0, n_classes=K, random_state=0)
    return X.astype(np.float32), y


class Network(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(D, width), nn.Tanh())
        self.head = nn.Linear(width, K)

    def forward(self, X):
        return self.head(self.body(X))


def make_net(regularizers=(), net_class=RegularizedNetClassifier, module=Network, **arguments):
    torch.manual_seed(0)
    defaults = {"lr": 0.1, "max_epochs": 3, "batch_size": N, "train_split": None, "verbose": 0}
    named = [(f"r{i}", regularizer) for i, regularizer in enumerate(regularizers)]
    if net_class is not skorch.NeuralNetClassifier:
        arguments["regularizers"] = named
    return net_class(module, **{**defaults, **arguments})


def weights(net):
    return torch.cat([p.detach().flatten() for p in net.module_.parameters()])


def assert_same_weights(net, other, tol=1e-6):
    torch.testing.assert_close(weights(net), weights(other), rtol=0, atol=tol)


class Smoothing(Regularizer):
    def __init__(self, share=0.1):
        self.share = share

    def targets(self, net, batch, y):
        return (1 - self.share) * as_probabilities(y, K) + self.share / K


class Shrink(Regularizer):
    """Penalty on the squared output, or on the squared features of a layer."""

    def __init__(self, strength=0.1, layer=None):
        self.strength = strength
        self.layer = layer

    def penalty(self, net, batch, y_pred, features):
        return self.strength * (y_pred if features is None else features).square().mean()


class Scaled(nn.Module):
    def __init__(self, criterion, factor):
        super().__init__()
        self.inner, self.factor = criterion, factor

    def forward(self, y_pred, y):
        return self.factor * self.inner(y_pred, y)


class ScaledLoss(Regularizer):
    def __init__(self, factor):
        self.factor = factor

    def criterion(self, net, criterion):
        return Scaled(criterion, self.factor)


class TwoPasses(OptimizerWrapper):
    """Ascend by a fixed share of the gradient, then step from here with the gradient there."""

    needs_closure = True

    def __init__(self, base, radius):
        super().__init__(base)
        self.radius = radius

    def step(self, closure):
        loss = closure()
        parameters = [p for group in self.param_groups for p in group["params"]]
        before = [p.detach().clone() for p in parameters]
        with torch.no_grad():
            for p in parameters:
                p += self.radius * p.grad

        def gradient_there():
            closure()
            with torch.no_grad():
                for p, value in zip(parameters, before, strict=True):
                    p.copy_(value)
            return loss

        return self.base.step(gradient_there)


class Ascent(Regularizer):
    def __init__(self, radius=0.3):
        self.radius = radius

    def optimizer(self, net, optimizer):
        return TwoPasses(optimizer, self.radius)


class SignOfGradient(OptimizerWrapper):
    def step(self, closure):
        def signed():
            loss = closure()
            for group in self.param_groups:
                for p in group["params"]:
                    p.grad.sign_()
            return loss

        return self.base.step(signed)


class Signs(Regularizer):
    def optimizer(self, net, optimizer):
        return SignOfGradient(optimizer)


class Count(Regularizer):
    """Remembers how often each sample was seen, and its last probabilities."""

    def state(self, net):
        self.memory_ = SampleMemory()
        return self.memory_

    def penalty(self, net, batch, y_pred, features):
        self.memory_.allocate(net.n_samples_, 1 + K, like=y_pred)
        if batch.first_pass:
            seen = self.memory_.read(batch.index)[:, :1] + 1
            probabilities = y_pred.detach().softmax(1)
            self.memory_.write(batch.index, torch.cat([seen, probabilities], 1))


def by_hand(data, loss, n_steps=3, lr=0.1, update=None):
    """Full-batch gradient descent on ``loss(module, X, y)``."""
    X, y = (torch.as_tensor(part) for part in data)
    torch.manual_seed(0)
    module = Network()
    parameters = list(module.parameters())
    for _ in range(n_steps):
        gradient = torch.autograd.grad(loss(module, X, y), parameters)
        if update is not None:
            gradient = update(module, parameters, gradient, lambda m=module: loss(m, X, y))
        with torch.no_grad():
            for p, g in zip(parameters, gradient, strict=True):
                p -= lr * g
    return torch.cat([p.detach().flatten() for p in parameters])


def agrees(net, data, loss, **options):
    net.fit(*data)
    torch.testing.assert_close(weights(net), by_hand(data, loss, **options), rtol=0, atol=1e-6)


# the plain step


def test_without_regularizers_it_is_skorch(data):
    ours = make_net(batch_size=16, iterator_train__shuffle=True).fit(*data)
    theirs = make_net(
        net_class=skorch.NeuralNetClassifier,
        criterion=nn.CrossEntropyLoss,
        batch_size=16,
        iterator_train__shuffle=True,
    ).fit(*data)
    assert torch.equal(weights(ours), weights(theirs))
    np.testing.assert_array_equal(ours.predict_proba(data[0]), theirs.predict_proba(data[0]))


def test_regressor_without_regularizers_is_skorch(data):
    X, y = data[0], data[0] @ np.ones((D, K), np.float32)
    ours = make_net(net_class=RegularizedNetRegressor).fit(X, y)
    torch.manual_seed(0)
    theirs = skorch.NeuralNetRegressor(
        Network, lr=0.1, max_epochs=3, batch_size=N, train_split=None, verbose=0
    ).fit(X, y)
    assert torch.equal(weights(ours), weights(theirs))


def test_column_of_predictions_meets_vector_of_targets(data):
    X, y = data[0], data[0].sum(1)
    arguments = {"module__in_features": D, "module__out_features": 1}
    vector = make_net(net_class=RegularizedNetRegressor, module=nn.Linear, **arguments).fit(X, y)
    column = make_net(net_class=RegularizedNetRegressor, module=nn.Linear, **arguments)
    assert torch.equal(weights(vector), weights(column.fit(X, y[:, None])))


# each hook against a loop written by hand


def cross_entropy(module, X, y):
    return F.cross_entropy(module(X), y)


def test_targets(data):
    net = make_net([Smoothing(0.3)])
    agrees(net, data, lambda m, X, y: F.cross_entropy(m(X), y, label_smoothing=0.3))


def test_penalty(data):
    net = make_net([Shrink(0.5)])
    agrees(net, data, lambda m, X, y: cross_entropy(m, X, y) + 0.5 * m(X).square().mean())


@pytest.mark.parametrize("layer", ["body", "body.1", "penultimate"])
def test_features_of_a_layer(data, layer):
    net = make_net([Shrink(0.5, layer=layer)])
    agrees(net, data, lambda m, X, y: cross_entropy(m, X, y) + 0.5 * m.body(X).square().mean())


def test_criterion(data):
    agrees(make_net([ScaledLoss(3.0)]), data, lambda m, X, y: 3 * cross_entropy(m, X, y))


def test_optimizer_with_two_passes(data):
    def ascend(module, parameters, gradient, loss):
        there = copy.deepcopy(module)
        with torch.no_grad():
            for p, g in zip(there.parameters(), gradient, strict=True):
                p += 0.3 * g
        return torch.autograd.grad(loss(there), list(there.parameters()))

    agrees(make_net([Ascent(0.3)]), data, cross_entropy, update=ascend)


def test_reparametrize(data):
    class Square(nn.Module):
        def forward(self, v):
            return v**2

        def right_inverse(self, w):
            return w.abs().sqrt()

    class SquaredHead(Regularizer):
        def reparametrize(self, net, module):
            nn.utils.parametrize.register_parametrization(module.head, "weight", Square())

    net = make_net([SquaredHead()]).fit(*data)
    assert (net.module_.head.weight >= 0).all()
    trained = {id(p) for group in net.optimizer_.param_groups for p in group["params"]}
    assert trained == {id(p) for p in net.module_.parameters()}
    refitted = weights(net)
    torch.manual_seed(0)
    assert torch.equal(weights(net.fit(*data)), refitted)


def test_inputs_reach_module_and_penalty(data):
    class Flip(Regularizer):
        def inputs(self, net, batch, X):
            return -X

    class SeesFlipped(Regularizer):
        def penalty(self, net, batch, y_pred, features):
            return batch.X.mean() * y_pred.mean()

    def flipped(m, X, y):
        return cross_entropy(m, -X, y) - X.mean() * m(-X).mean()

    agrees(make_net([Flip(), SeesFlipped()]), data, flipped)


# pairs that touch the same hook


def test_two_targets_compose_in_order(data):
    class Sharpen(Regularizer):
        def targets(self, net, batch, y):
            squared = as_probabilities(y, K) ** 2
            return squared / squared.sum(1, keepdim=True)

    def loss(m, X, y):
        smooth = 0.7 * F.one_hot(y, K) + 0.1
        sharp = smooth**2 / (smooth**2).sum(1, keepdim=True)
        return F.cross_entropy(m(X), sharp)

    agrees(make_net([Smoothing(0.3), Sharpen()]), data, loss)
    agrees(
        make_net([Sharpen(), Smoothing(0.3)]),
        data,
        lambda m, X, y: F.cross_entropy(m(X), y, label_smoothing=0.3),
    )


def test_two_penalties_on_different_layers_add_up(data):
    def loss(m, X, y):
        body = m.body(X)
        return cross_entropy(m, X, y) + 0.5 * body.square().mean() + 0.2 * m(X).square().mean()

    agrees(make_net([Shrink(0.5, "body"), Shrink(0.2, "head")]), data, loss)


def test_two_criteria_nest(data):
    net = make_net([ScaledLoss(3.0), ScaledLoss(0.5)])
    agrees(net, data, lambda m, X, y: 1.5 * cross_entropy(m, X, y))


@pytest.mark.parametrize("order", [(Ascent(), Signs()), (Signs(), Ascent())])
def test_two_optimizers_nest(data, order):
    """The inner one sees the last gradient; the ascent is along what the outer one made of it."""

    def update(module, parameters, gradient, loss):
        outer_signs = isinstance(order[1], Signs)
        there = copy.deepcopy(module)
        with torch.no_grad():
            for p, g in zip(there.parameters(), gradient, strict=True):
                p += 0.3 * (g.sign() if outer_signs else g)
        return [g.sign() for g in torch.autograd.grad(loss(there), list(there.parameters()))]

    net = make_net(order, lr=0.01)
    agrees(net, data, cross_entropy, update=update, lr=0.01)


def test_all_hooks_at_once(data):
    def loss(m, X, y):
        return 2 * F.cross_entropy(m(X), y, label_smoothing=0.3) + 0.5 * m.body(X).square().mean()

    def ascend(module, parameters, gradient, loss):
        there = copy.deepcopy(module)
        with torch.no_grad():
            for p, g in zip(there.parameters(), gradient, strict=True):
                p += 0.3 * g
        return torch.autograd.grad(loss(there), list(there.parameters()))

    net = make_net([Smoothing(0.3), Shrink(0.5, "body"), ScaledLoss(2.0), Ascent(), Count()])
    agrees(net, data, loss, update=ascend)
    assert (net.regularizers[-1][1].memory_.values[:, 0] == 3).all()


def test_targets_and_inputs_are_asked_once_per_step(data):
    class Log(Regularizer):
        def initialize(self):
            self.calls_ = []
            return self

        def inputs(self, net, batch, X):
            self.calls_.append(("inputs", batch.first_pass))
            return X

        def targets(self, net, batch, y):
            self.calls_.append(("targets", batch.first_pass))
            return y

        def penalty(self, net, batch, y_pred, features):
            self.calls_.append(("penalty", batch.first_pass))

    log = Log()
    make_net([Ascent(), log], max_epochs=1).fit(*data)
    assert log.calls_ == [
        ("inputs", True), ("targets", True), ("penalty", True), ("penalty", False)
    ]  # fmt: skip


def test_validation_and_prediction_ask_nothing(data):
    class OnlyTraining(Regularizer):
        def penalty(self, net, batch, y_pred, features):
            assert net.module_.training
            return 1000 + 0 * y_pred.mean()

    net = make_net([OnlyTraining()], train_split=skorch.dataset.ValidSplit(4), max_epochs=1)
    net.fit(*data)
    assert net.history[-1, "train_loss"] > 1000 > net.history[-1, "valid_loss"]
    net.predict(data[0])


# per-sample state


def test_memory_follows_samples_through_shuffles_and_splits(data):
    X, y = data
    count = Count()
    net = make_net(
        [count],
        batch_size=7,
        lr=0.0,
        iterator_train__shuffle=True,
        train_split=skorch.dataset.ValidSplit(4, stratified=True),
    ).fit(X, y)
    times, stored = count.memory_.values[:, 0], count.memory_.values[:, 1:]
    trained = times > 0
    assert set(times.tolist()) == {0.0, 3.0}
    assert trained.sum() == N * 3 // 4
    expected = net.predict_proba(X)
    np.testing.assert_allclose(stored[trained], expected[trained.numpy()], atol=1e-6)
    assert torch.equal(count.memory_.written, trained)


def test_memory_of_a_subset_is_that_of_the_whole(data):
    whole = skorch.dataset.Dataset(data[0], data[1])
    count = Count()
    net = make_net([count])
    net.fit(torch.utils.data.Subset(whole, list(range(0, N, 2))), None)
    assert count.memory_.values.shape[0] == N
    assert torch.equal(count.memory_.written, torch.arange(N) % 2 == 0)
    first = torch.utils.data.Subset(whole, list(range(30)))
    net.partial_fit(first, None, sample_index=np.arange(30))
    assert torch.equal(count.memory_.written, (torch.arange(N) % 2 == 0) | (torch.arange(N) < 30))


def test_rows_of_a_later_part_are_new_samples(data):
    count = Count()
    net = make_net([count], max_epochs=1).partial_fit(*data).partial_fit(*data)
    assert (count.memory_.values[:, 0] == 1).all()
    assert net.n_samples_ == 2 * N
    net.partial_fit(*data, sample_index=np.arange(N))
    assert torch.equal(count.memory_.values[:, 0], 1.0 + (torch.arange(2 * N) < N))
    net.partial_fit(torch.utils.data.Subset(skorch.dataset.Dataset(*data), [3, 5]), None)
    expected = torch.arange(N)
    assert torch.equal(count.memory_.written[2 * N :], (expected == 3) | (expected == 5))


def test_resuming_from_a_checkpoint_is_as_if_never_interrupted(data, tmp_path):
    def net(epochs, *callbacks):
        return make_net(
            [Smoothing(), Count()],
            max_epochs=epochs,
            optimizer=torch.optim.Adam,
            lr=0.01,
            callbacks=list(callbacks),
        )

    straight = net(5).fit(*data)
    checkpoint = Checkpoint(dirname=tmp_path, monitor=None)
    net(2, checkpoint).fit(*data)
    resumed = net(3, LoadInitState(Checkpoint(dirname=tmp_path, monitor=None))).fit(*data)
    assert len(resumed.history) == 5
    assert_same_weights(straight, resumed, tol=0)
    memories = [n.regularizers[1][1].memory_.values for n in (straight, resumed)]
    assert torch.equal(*memories)
    assert (memories[0][:, 0] == 5).all()


def test_pickled_net_keeps_its_state_in_one_piece(data):
    net = make_net([Count(), Ascent()], optimizer=torch.optim.Adam).fit(*data)
    again = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(again.predict_proba(data[0]), net.predict_proba(data[0]))
    for one in (net, again):
        one.partial_fit(*data, sample_index=np.arange(N))
    assert torch.equal(weights(net), weights(again))
    count = again.regularizers[0][1]
    assert count.memory_ is again.criterion_.regularizers["r0"]
    assert (count.memory_.values[:, 0] == 6).all()


def test_refitting_starts_anew(data):
    count = Count()
    net = make_net([count]).fit(*data).fit(*data)
    assert (count.memory_.values[:, 0] == 3).all()
    warm = make_net([count], warm_start=True).fit(*data).fit(*data)
    assert (count.memory_.values[:, 0] == 6).all()
    assert len(warm.history) == 6
    assert len(net.history) == 3


# data of other kinds


def test_collate_function_of_the_user_gets_pairs(data):
    def doubled(samples):
        X, y = zip(*samples, strict=True)
        return 2 * torch.as_tensor(np.stack(X)), torch.as_tensor(np.stack(y))

    collated = make_net([Count()], batch_size=16, iterator_train__collate_fn=doubled)
    collated.fit(*data, sample_weight=np.ones(N))
    assert collated.get_params()["iterator_train__collate_fn"] is doubled
    plain = make_net(batch_size=16).fit(2 * data[0], data[1])
    assert_same_weights(collated, plain)


def test_modules_with_several_inputs(data):
    class TwoInputs(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(2, K), nn.Linear(D - 2, K)

        def forward(self, a, b):
            return self.first(a) + self.second(b)

    X, y = data
    count = Count()
    net = make_net([count, Shrink()], module=TwoInputs, batch_size=16)
    net.fit({"a": X[:, :2], "b": X[:, 2:]}, y)
    assert net.predict({"a": X[:, :2], "b": X[:, 2:]}).shape == (N,)
    assert (count.memory_.values[:, 0] == 3).all()


def test_streams_work_without_numbers(data):
    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            return zip(*data, strict=True)

    streamed = make_net([Smoothing()], batch_size=20).fit(Stream(), None)
    arrays = make_net([Smoothing()], batch_size=20).fit(*data)
    assert_same_weights(streamed, arrays)
    with pytest.raises(ValueError, match="IterableDataset takes no sample_weight"):
        make_net(batch_size=20).fit(Stream(), None, sample_weight=np.ones(N))


# sample weights


def test_weights_in_one_batch_are_repetitions(data):
    X, y = data
    weight = np.random.default_rng(0).integers(0, 4, N)
    repeated = np.repeat(np.arange(N), weight)
    weighted = make_net([Smoothing()]).fit(X, y, sample_weight=weight)
    plain = make_net([Smoothing()], batch_size=-1).fit(X[repeated], y[repeated])
    assert_same_weights(weighted, plain)
    loss = weighted.history[-1, "train_loss"]
    assert loss == pytest.approx(plain.history[-1, "train_loss"], rel=1e-5)


def test_unit_weights_of_any_scale_are_no_weights(data):
    plain = make_net(batch_size=16).fit(*data)
    weighted = make_net(batch_size=16).fit(*data, sample_weight=np.full(N, 7.0))
    assert_same_weights(weighted, plain)


def test_batch_loss_is_relative_to_the_mean_weight_of_all_samples(data):
    X, y = data
    weight = np.random.default_rng(0).random(N)
    net = make_net(batch_size=16, lr=0.0, max_epochs=1).fit(X, y, sample_weight=weight)
    log_loss = -np.log(net.predict_proba(X)[np.arange(N), y])
    for start, batch in zip(range(0, N, 16), net.history[0, "batches"], strict=True):
        rows = slice(start, start + 16)
        expected = (weight[rows] / weight.mean() * log_loss[rows]).mean()
        assert batch["train_loss"] == pytest.approx(expected, rel=1e-5)


def test_weights_apply_to_the_validation_loss(data):
    X, y = data
    weight = np.where(np.arange(N) < N // 2, 0.0, 1.0)
    split = skorch.helper.predefined_split
    valid = skorch.dataset.ValidSplit([(np.arange(N // 2), np.arange(N // 2, N))])
    net = make_net(train_split=valid, lr=0.0, max_epochs=1).fit(X, y, sample_weight=weight)
    log_loss = -np.log(net.predict_proba(X)[np.arange(N), y])
    assert net.history[-1, "train_loss"] == 0
    assert net.history[-1, "valid_loss"] == pytest.approx(2 * log_loss[N // 2 :].mean(), rel=1e-5)
    held_out = make_net(train_split=split(skorch.dataset.Dataset(X, y)), lr=0.0, max_epochs=1)
    held_out.fit(X, y, sample_weight=weight)
    assert held_out.history[-1, "valid_loss"] == pytest.approx(log_loss.mean(), rel=1e-5)


def test_nested_criteria_take_weights(data):
    weight = np.random.default_rng(0).random(N)
    nested = make_net([ScaledLoss(2.0)], lr=0.1).fit(*data, sample_weight=weight)
    plain = make_net(lr=0.2).fit(*data, sample_weight=weight)
    assert_same_weights(nested, plain)
    assert nested.criterion_.inner.reduction == "mean"


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(3), r"must have shape \(60,\), got \(3,\)"),
        (-np.ones(N), "not negative"),
        (np.zeros(N), "not all zero"),
        (np.full(N, np.nan), "finite"),
    ],
)
def test_bad_weights(data, weight, message):
    with pytest.raises(ValueError, match=message):
        make_net().fit(*data, sample_weight=weight)


def test_weights_need_a_criterion_with_single_losses(data):
    class Total(nn.Module):
        def forward(self, y_pred, y):
            return F.cross_entropy(y_pred, y)

    with pytest.raises(ValueError, match="one loss for each sample"):
        make_net(criterion=Total).fit(*data, sample_weight=np.ones(N))


# accumulation, precision, compilation, schedules


@pytest.mark.parametrize("regularizers", [[], [Shrink(0.5, "body")], [Ascent()]])
def test_accumulated_batches_are_one_batch(data, regularizers):
    accumulated = make_net(regularizers, batch_size=8, accumulation_steps=5).fit(*data)
    whole = make_net(regularizers, batch_size=40).fit(*data)
    assert_same_weights(accumulated, whole)


def test_accumulation_gives_an_optimizer_the_loss_of_all_batches(data):
    """The line search compares losses: of one batch and of all they would not fit together."""
    arguments = {
        "optimizer": torch.optim.LBFGS,
        "optimizer__line_search_fn": "strong_wolfe",
        "optimizer__max_iter": 5,
        "lr": 1.0,
        "max_epochs": 1,
    }
    parts = {"batch_size": 20, "accumulation_steps": 3}
    accumulated = make_net([Shrink(0.5)], **parts, **arguments).fit(*data)
    whole = make_net([Shrink(0.5)], **arguments).fit(*data)
    assert_same_weights(accumulated, whole, tol=1e-3)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_is_close_to_full(data, precision):
    regularizers = [Smoothing(), Shrink(0.5, "penultimate"), Count()]
    mixed = make_net(regularizers, mixed_precision=precision, max_epochs=8).fit(*data)
    overflows = 0 if mixed.scaler_ is None else math.log2(2**16 / mixed.scaler_.get_scale())
    full = make_net(regularizers, max_epochs=8 - int(overflows)).fit(*data)
    assert_same_weights(mixed, full, tol=5e-3)
    assert weights(mixed).dtype == torch.float32
    assert mixed.predict_proba(data[0]).dtype == np.float32
    assert not torch.equal(weights(mixed), weights(full))


def test_scaled_gradients_are_unscaled_before_callbacks_see_them(data):
    clip = skorch.callbacks.GradientNormClipping(1e-3)
    mixed = make_net(mixed_precision="float16", callbacks=[clip], max_epochs=1).fit(*data)
    torch.manual_seed(0)
    moved = weights(mixed) - torch.cat([p.detach().flatten() for p in Network().parameters()])
    assert moved.norm().item() == pytest.approx(0.1 * 1e-3, rel=0.02)


def test_float16_refuses_optimizers_that_evaluate_again(data):
    with pytest.raises(ValueError, match="use mixed_precision='bfloat16'"):
        make_net([Ascent()], mixed_precision="float16").fit(*data)
    with pytest.raises(ValueError, match="evaluates the loss several times"):
        make_net([Ascent(), Signs()], mixed_precision="float16").fit(*data)
    make_net([Ascent()], mixed_precision="bfloat16").fit(*data)


def test_compiled_module_gives_the_same(data):
    regularizers = [Smoothing(), Shrink(0.5, "body.1"), Ascent()]
    compiled = make_net(regularizers, compile=True, compile__backend="aot_eager").fit(*data)
    eager = make_net(regularizers).fit(*data)
    assert_same_weights(compiled, eager)
    compiled.partial_fit(*data)
    assert_same_weights(compiled, eager.partial_fit(*data))


def test_learning_rate_schedule_acts_through_wrappers(data):
    schedule = LRScheduler("StepLR", step_size=1, gamma=0.5, event_name="lr")
    wrapped = make_net([Ascent(0.0), Signs()], callbacks=[schedule], lr=0.1).fit(*data)
    assert wrapped.history[:, "lr"] == [0.1, 0.05, 0.025]
    assert wrapped.optimizer_.param_groups[0]["lr"] == pytest.approx(0.0125)
    wrapped.set_params(lr=0.5)
    assert wrapped.optimizer_.base.base.param_groups[0]["lr"] == 0.5


# parameters


def test_parameters_by_name(data):
    net = make_net([Smoothing(), Shrink()])
    assert net.get_params()["regularizers__r0__share"] == 0.1
    net.set_params(regularizers__r0__share=0.4, regularizers__r1=None, module__width=4)
    assert net.regularizers[0][1].share == 0.4
    assert len(net.regularizers_) == 1
    twin = clone(net)
    assert twin.regularizers[0][1] is not net.regularizers[0][1]
    assert twin.get_params()["regularizers__r0__share"] == 0.4
    net.fit(*data)
    assert clone(net).regularizers[1] == ("r1", None)
    with pytest.raises(ValueError, match="no regularizer 'r7'; it has"):
        net.set_params(regularizers__r7__share=0.4)
    with pytest.raises(ValueError, match="'r1' is None and has no parameter 'strength'"):
        net.set_params(regularizers__r1__strength=0.4)
    with pytest.raises(ValueError, match="Invalid parameter 'x'"):
        net.set_params(regularizers__r0__x=0.4)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"regularizers": [Smoothing()]}, TypeError, "must be pairs"),
        ({"regularizers": [("a", 3)]}, TypeError, "must be an instance of skreg.deep.Regularizer"),
        ({"regularizers": [("a", None), ("a", None)]}, ValueError, "must differ"),
        ({"regularizers": [("a__b", None)]}, ValueError, "contain '__'"),
        ({"accumulation_steps": 0}, ValueError, "accumulation_steps must be a positive integer"),
        ({"mixed_precision": "half"}, ValueError, "mixed_precision must be one of"),
        ({"regularizers": [("a", Shrink(layer="x"))]}, ValueError, "no layer 'x'; it has 'body'"),
    ],
)
def test_bad_arguments(data, arguments, error, message):
    with pytest.raises(error, match=message):
        RegularizedNetClassifier(Network, **arguments).fit(*data)


def test_penultimate_needs_a_linear_layer(data):
    net = make_net([Shrink(layer="penultimate")], module=lambda: nn.Bilinear(D, D, K))
    with pytest.raises(ValueError, match=r"needs a torch\.nn\.Linear in Bilinear"):
        net.fit(*data)


class Squared(nn.Module):
    """Cross entropy of squared outputs."""

    def forward(self, y_pred, y):
        return F.nll_loss(torch.log(self.predict_nonlinearity(y_pred)), y)

    def predict_nonlinearity(self, y_pred):
        return y_pred**2 / (y_pred**2).sum(1, keepdim=True)


def test_criterion_decides_about_probabilities(data):
    net = make_net(criterion=Squared).fit(*data)
    squares = net.forward(data[0]).numpy() ** 2
    expected = squares / squares.sum(1, keepdims=True)
    np.testing.assert_allclose(net.predict_proba(data[0]), expected, rtol=1e-5)
    margin = make_net(criterion=nn.MultiMarginLoss).fit(*data)
    np.testing.assert_allclose(
        margin.predict_proba(data[0]), margin.forward(data[0]).softmax(1), rtol=1e-5
    )
    identity = make_net(criterion=Squared, predict_nonlinearity=None).fit(*data)
    np.testing.assert_array_equal(
        identity.predict_proba(data[0]), identity.forward(data[0]).numpy()
    )


def test_given_criterion_and_regularizers_list_stay_as_they_were(data):
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    make_net([Count()], criterion=criterion).fit(*data)
    assert not list(criterion.children())


def test_predictions_leave_torchs_generator_alone(data):
    net = make_net(max_epochs=1).fit(*data)
    before = torch.get_rng_state()
    net.predict_proba(data[0])
    assert torch.equal(torch.get_rng_state(), before)


class Counting(Regularizer):
    """Asks for the number of training samples before they are split."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.expected_ = net.n_training_samples(X, y)

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        self.found_ = len(dataset_train)
        self.rows_ = list(getattr(dataset_train, "indices", range(self.found_)))


@pytest.mark.parametrize("cv", [None, 5, 0.25])
def test_number_of_training_samples_is_known_before_the_split_and_does_not_change_it(data, cv):
    def train(*regularizers):
        np.random.seed(3)  # noqa: NPY002, from which skorch's split draws
        split = None if cv is None else skorch.dataset.ValidSplit(cv, stratified=cv == 0.25)
        net = make_net(regularizers, train_split=split, max_epochs=1).fit(*data)
        return net, np.random.random()  # noqa: NPY002

    (net, drawn), (plain, drawn_without) = train(Counting()), train()
    counting = net.regularizers[0][1]
    assert counting.expected_ == counting.found_ == {None: 60, 5: 48, 0.25: 45}[cv]
    assert drawn == drawn_without
    assert_same_weights(net, plain, tol=0)


def test_predefined_splits_leave_all_samples_and_streams_have_no_number(data):
    X, y = data
    held_out = skorch.helper.predefined_split(skorch.dataset.Dataset(X[:9], y[:9]))
    net = make_net([Counting()], train_split=held_out).fit(X, y)
    assert net.regularizers[0][1].expected_ == N

    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(zip(X, y, strict=True))

    assert make_net(train_split=None).initialize().n_training_samples(Stream()) is None
