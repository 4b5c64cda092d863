"""Each regularizer trains a net as its torch part does in a hand-written loop."""

import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_classification
from torch import nn
from torch.nn import functional as F

from skreg.deep import (
    DeepClassifier,
    DeepRegressor,
    RegularizedNetClassifier,
    RegularizedNetRegressor,
)
from skreg.deep import torch as parts
from skreg.deep.regularizers import (
    ELR,
    PSKD,
    ConR,
    ELRPlus,
    OrthogonalGradient,
    StabilityMonitor,
    StableMax,
    ThresholdConsistentMargin,
)

EPOCHS, BATCH, N, K = 3, 16, 40, 3


class Net(nn.Module):
    """Two layers; tells its features when asked."""

    def __init__(self, n_outputs=K):
        super().__init__()
        torch.manual_seed(0)
        self.hidden, self.head = nn.Linear(5, 8), nn.Linear(8, n_outputs)

    def features(self, x):
        return self.hidden(x).tanh()

    def forward(self, x):
        return self.head(self.features(x))


def classes(seed=0, n=N):
    X, y = make_classification(
        n, 5, n_informative=5, n_redundant=0, n_classes=K, flip_y=0.2, random_state=seed
    )
    return X.astype(np.float32), y.astype(np.int64)


def net_with(regularizers, module=Net, cls=RegularizedNetClassifier, **arguments):
    return cls(
        module,
        **{
            "regularizers": regularizers, "optimizer": torch.optim.SGD, "lr": 0.1,
            "max_epochs": EPOCHS, "batch_size": BATCH, "train_split": None, "verbose": 0,
        } | arguments,
    )  # fmt: skip


def by_hand(loss_of, wrap=lambda optimizer: optimizer, n_outputs=K, begin=lambda epoch: None):
    """Train on batches in order; `loss_of(net, x, y, index)` gives the loss."""
    X, y = map(torch.from_numpy, classes())
    net = Net(n_outputs)
    optimizer = wrap(torch.optim.SGD(net.parameters(), lr=0.1))
    for epoch in range(EPOCHS):
        begin(epoch + 1)
        for index in torch.arange(N).split(BATCH):
            optimizer.zero_grad()
            loss_of(net, X[index], y[index], index).backward()
            optimizer.step()
    return net


def assert_same_weights(net, expected, rtol=1e-5, atol=1e-6):
    for found, wanted in zip(net.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(found, wanted, rtol=rtol, atol=atol)


def elr_by_hand():
    loss = parts.ELRLoss(N, K, lam=2.0)
    return by_hand(lambda net, x, y, index: loss(net(x), y, index))


def ps_kd_by_hand():
    loss = parts.PSKDLoss(N, K, max_epochs=EPOCHS)
    return by_hand(lambda net, x, y, index: loss(net(x), y, index), begin=loss.set_epoch)


def ps_kd_with_model_by_hand():
    teachers = {}

    def loss_of(net, x, y, index):
        teachers["next"] = net
        target = F.one_hot(y, K).float()
        if "last" in teachers:
            target = target.lerp(teachers["last"](x).softmax(1), teachers["alpha"])
        return F.cross_entropy(net(x), target)

    def begin(epoch):
        teachers["alpha"] = 0.8 * epoch / EPOCHS
        if epoch > 1:
            teachers["last"] = parts.FrozenCopy(teachers["next"])

    return by_hand(loss_of, begin=begin)


def stablemax_by_hand():
    loss = parts.StableMaxCrossEntropyLoss()
    return by_hand(lambda net, x, y, index: loss(net(x), y))


def orthogonal_by_hand():
    return by_hand(
        lambda net, x, y, index: F.cross_entropy(net(x), y),
        lambda optimizer: parts.OrthogonalGradient(optimizer, per="global", min_ndim=1),
    )


def tcm_by_hand():
    margin = parts.ThresholdConsistentMarginLoss(0.8, 0.1)
    return by_hand(lambda net, x, y, index: F.cross_entropy(net(x), y) + margin(net.features(x), y))


@pytest.mark.parametrize(
    ("regularizer", "expected"),
    [
        (ELR(lam=2.0), elr_by_hand),
        (PSKD(), ps_kd_by_hand),
        (PSKD(teacher="model"), ps_kd_with_model_by_hand),
        (StableMax(), stablemax_by_hand),
        (OrthogonalGradient(per="global", min_ndim=1), orthogonal_by_hand),
        (ThresholdConsistentMargin(0.8, 0.1), tcm_by_hand),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_classifier_trains_as_by_hand(regularizer, expected):
    net = net_with([("it", regularizer)]).fit(*classes())
    assert_same_weights(net.module_, expected())
    plain = by_hand(lambda net, x, y, index: F.cross_entropy(net(x), y))
    assert not torch.allclose(net.module_.head.weight, plain.head.weight, rtol=1e-3)


@pytest.mark.parametrize("layer", ["penultimate", "act"])
def test_regressor_with_contrast_trains_as_by_hand(layer):
    class Named(Net):
        def __init__(self, n_outputs=1):
            super().__init__(n_outputs)
            self.act = nn.Tanh()

        def features(self, x):
            return self.act(self.hidden(x))

    X, y = classes()
    target = (y + np.linspace(0, 0.5, N)).astype(np.float32)[:, None]
    loss, all_targets = parts.ConRLoss(0.3, 0.5, 0.2), torch.from_numpy(target)

    def loss_of(net, x, y, index):
        predictions, y = net(x), all_targets[index]
        contrast = loss(net.features(x), y, predictions)
        return F.mse_loss(predictions, y) + 0.5 * contrast

    conr = ConR(beta=0.5, window=0.3, temperature=0.5, push=0.2, layer=layer)
    net = net_with([("it", conr)], Named, RegularizedNetRegressor, module__n_outputs=1)
    assert_same_weights(net.fit(X, target).module_, by_hand(loss_of, n_outputs=1))


def test_contrast_of_two_views_is_that_of_one_batch_twice():
    X, y = classes()
    target = (y + np.linspace(0, 0.5, N)).astype(np.float32)[:, None]
    loss, all_targets = parts.ConRLoss(0.3, 0.5, 0.2), torch.from_numpy(target)
    weight = torch.linspace(0.5, 1.5, N)

    def loss_of(net, x, y, index):
        y, w = all_targets[index], weight[index]
        views = torch.cat([2 * x, 2 * x])
        contrast = loss(net.features(views), torch.cat([y, y]), net(views), torch.cat([w, w]))
        return (w[:, None] * (net(x) - y) ** 2).mean() + 0.5 * contrast

    def double(X):
        return 2 * X

    conr = ConR(beta=0.5, window=0.3, temperature=0.5, push=0.2, augment=double)
    net = net_with([("it", conr)], cls=RegularizedNetRegressor, module__n_outputs=1)
    net.fit(X, target, sample_weight=weight.numpy())
    assert_same_weights(net.module_, by_hand(loss_of, n_outputs=1))


@pytest.mark.parametrize(
    "nothing",
    [ELR(lam=0.0), PSKD(alpha=0.0), StabilityMonitor(), ThresholdConsistentMargin(0.9, 0.5, 0, 0)],
)
def test_regularizer_of_no_strength_leaves_the_weights_alone(nothing):
    net = net_with([("it", nothing)], iterator_train__shuffle=True).fit(*classes())
    plain = net_with(None, iterator_train__shuffle=True).fit(*classes())
    assert_same_weights(net.module_, plain.module_, rtol=0, atol=0)


@pytest.mark.parametrize("regularizer", [ELR(), PSKD(), ELRPlus(ema_rampup=5)])
def test_resumed_training_goes_on_as_if_never_interrupted(regularizer, tmp_path):
    def trained(epochs, **arguments):
        net = net_with([("it", clone(regularizer))], **arguments).initialize()
        return net, epochs

    X, y = classes()
    torch.manual_seed(7)
    whole, _ = trained(4, max_epochs=4)
    whole.partial_fit(X, y, epochs=2)
    paths = {f"f_{part}": str(tmp_path / part) for part in ("params", "optimizer", "criterion",
                                                           "history")}  # fmt: skip
    whole.save_params(**paths)
    whole.partial_fit(X, y, epochs=2, sample_index=np.arange(len(y)))
    resumed, _ = trained(4, max_epochs=4)
    resumed.load_params(**paths)
    torch.manual_seed(99)  # the checkpoint holds the random numbers to come
    resumed.partial_fit(X, y, epochs=2, sample_index=np.arange(len(y)))
    assert_same_weights(resumed.module_, whole.module_, rtol=0, atol=0)
    for name, value in whole.criterion_.state_dict().items():
        assert torch.equal(resumed.criterion_.state_dict()[name], value), name


@pytest.mark.parametrize(
    "regularizer",
    [ELR(), PSKD(), PSKD(teacher="model"), ELRPlus(ema_rampup=5), StableMax(),
     OrthogonalGradient(), ThresholdConsistentMargin(), StabilityMonitor()],
)  # fmt: skip
def test_pickled_and_copied_nets_go_on_alike(regularizer):
    X, y = classes()
    net = net_with([("it", regularizer)], max_epochs=2).fit(X, y)
    twins = [pickle.loads(pickle.dumps(net)), copy.deepcopy(net)]
    numbers = torch.get_rng_state()
    net.partial_fit(X, y)
    for twin in twins:
        torch.set_rng_state(numbers)
        twin.partial_fit(X, y)
        assert_same_weights(twin.module_, net.module_, rtol=0, atol=0)
        np.testing.assert_array_equal(twin.predict_proba(X), net.predict_proba(X))


def test_memory_follows_samples_through_shuffling_and_splits():
    X, y = classes()
    elr, ps_kd = ELR(beta=0.0), PSKD()
    model = DeepClassifier(
        Net, [("elr", elr), ("ps_kd", ps_kd)], max_epochs=2, batch_size=8, early_stopping=True,
        validation_fraction=0.25, n_iter_no_change=5, random_state=0,
    ).fit(X, y)  # fmt: skip
    fitted = dict(model.net_.regularizers)
    beliefs, predictions = fitted["elr"].targets_, fitted["ps_kd"].predictions_
    seen = beliefs.any(axis=1)
    assert seen.sum() == 30
    np.testing.assert_array_equal(predictions.any(axis=1), seen)
    np.testing.assert_allclose(beliefs, predictions, atol=2e-4)  # both the latest, one clamped
    # a label that contradicts the data is what the network disbelieves
    assert np.isnan(fitted["elr"].label_quality_[~seen]).all()
    assert not fitted["elr"].label_issues_[~seen].any()
    expected = beliefs[np.arange(N), y][seen]
    np.testing.assert_allclose(fitted["elr"].label_quality_[seen], expected, rtol=1e-6)
    np.testing.assert_array_equal(fitted["elr"].label_issues_[seen],
                                  beliefs.argmax(axis=1)[seen] != y[seen])  # fmt: skip


def test_two_passes_in_a_step_update_the_memory_once():
    class Twice(parts.OptimizerWrapper):
        def step(self, closure):
            closure()
            return self.base.step(closure)

    class TwoPasses(ELR):
        def optimizer(self, net, optimizer):
            return Twice(optimizer)

    X, y = classes()
    once = net_with([("elr", ELR()), ("ps_kd", PSKD())]).fit(X, y)
    twice = net_with([("elr", TwoPasses()), ("ps_kd", PSKD())]).fit(X, y)
    assert_same_weights(once.module_, twice.module_, rtol=1e-6, atol=1e-7)
    for name, value in once.criterion_.state_dict().items():
        torch.testing.assert_close(twice.criterion_.state_dict()[name], value)


def test_accumulated_batches_make_the_step_of_one_batch():
    X, y = classes()
    for regularizer in (ELR(), PSKD(), StableMax(), OrthogonalGradient()):
        whole = net_with([("it", clone(regularizer))], batch_size=N).fit(X, y)
        parts_of_it = net_with([("it", clone(regularizer))], batch_size=10, accumulation_steps=4)
        assert_same_weights(parts_of_it.fit(X, y).module_, whole.module_)


def test_elr_plus_keeps_batches_that_wait_for_a_step_apart():
    X, y = classes()
    whole = net_with([("it", ELRPlus(mixup_alpha=0.0))], batch_size=N).fit(X, y)
    waiting = net_with([("it", ELRPlus(mixup_alpha=0.0))], batch_size=10, accumulation_steps=4).fit(
        X, y
    )
    assert_same_weights(waiting.module_, whole.module_)


def test_elr_plus_trains_as_by_hand():
    X, y = map(torch.from_numpy, classes())

    def seeded(seed):
        net = Net()
        with torch.no_grad():
            net.head.weight.normal_(generator=torch.Generator().manual_seed(seed))
        return net

    class Numbered(Net):
        built = 0

        def __init__(self):
            super().__init__()
            self.load_state_dict(seeded(Numbered.built).state_dict())
            Numbered.built += 1

    regularizer = ELRPlus(lam=2.0, ema_rampup=4, lam_rampup=3)
    net = net_with([("it", regularizer)], Numbered, max_epochs=4).initialize()
    torch.manual_seed(5)
    net.partial_fit(X, y)
    assert Numbered.built == 2

    model = parts.ELRPlus(seeded(0), seeded(1), N, lam=2.0, ema_rampup=4, lam_rampup=3)
    optimizer = torch.optim.SGD(model.networks.parameters(), lr=0.1)
    torch.manual_seed(5)
    for epoch in range(4):
        model.turn_to(epoch % 2)
        torch.empty((), dtype=torch.int64).random_()  # the loader's seed
        for index in torch.arange(N).split(BATCH):
            mixed, soft, q = model.mix(X[index], y[index], index)
            optimizer.zero_grad()
            model.loss(model(mixed), soft, q).backward()
            optimizer.step()
            model.update_average()
    for name, value in model.state_dict().items():
        torch.testing.assert_close(net.module_.state_dict()[name], value, msg=name)
    expected = 0.5 * (model.networks[0](X) + model.networks[1](X))
    np.testing.assert_allclose(net.predict_proba(X), expected.softmax(1).detach(), rtol=1e-5)
    assert regularizer.targets_.shape == (N, K)


def test_stablemax_predicts_its_own_probabilities():
    X, y = classes()
    net = net_with([("it", StableMax())]).fit(X, y)
    logits = net.forward(X)
    np.testing.assert_allclose(
        net.predict_proba(X), parts.stablemax(logits, dim=1).numpy(), rtol=1e-5
    )
    smooth = net_with([("it", StableMax())], criterion__label_smoothing=0.2).initialize()
    assert smooth.criterion_.label_smoothing == 0.2
    with pytest.raises(TypeError, match="but the criterion is MultiMarginLoss"):
        net_with([("it", StableMax())], criterion=nn.MultiMarginLoss).initialize()


def test_monitor_writes_what_the_meters_say():
    X, y = classes()
    net = net_with([("it", StabilityMonitor())], max_epochs=1, batch_size=N, lr=1e-12)
    with torch.no_grad():
        net.initialize().module_.head.weight.mul_(60)
    net.partial_fit(X, y)
    logits = net.forward(X)
    epoch = net.history[-1]
    assert epoch["softmax_collapse"] == pytest.approx(parts.softmax_collapse_rate(logits).item())
    assert 0 < epoch["softmax_collapse"] < 1
    zero = parts.zero_loss_rate(logits, torch.from_numpy(y)).item()
    assert epoch["zero_loss"] == pytest.approx(zero, abs=1e-7)
    assert epoch["logit_scale"] == pytest.approx(logits.abs().amax(1).mean().item(), rel=1e-5)
    F.cross_entropy(net.module_(torch.from_numpy(X)), torch.from_numpy(y)).backward()
    expected = parts.weight_gradient_cosine(net.module_.parameters()).item()
    assert epoch["weight_descent_cosine"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    "pair",
    [
        [ELR(), PSKD()],
        [PSKD(), ELR()],
        [StableMax(), PSKD()],
        [ELR(), OrthogonalGradient()],
        [PSKD(), ELRPlus(ema_rampup=5)],
        [ELRPlus(ema_rampup=5), OrthogonalGradient()],
        [ThresholdConsistentMargin(), ELR()],
        [StableMax(), StabilityMonitor()],
    ],
    ids=lambda pair: "-".join(type(one).__name__ for one in pair),
)
@pytest.mark.parametrize("mixed_precision", [None, "bfloat16"])
def test_pairs_train_with_weights_and_mixed_precision(pair, mixed_precision):
    X, y = classes()
    names = np.array(["a", "b", "c"])[y]
    named = [(str(i), one) for i, one in enumerate(pair)]
    model = DeepClassifier(
        regularizers=named, max_epochs=4, batch_size=16, mixed_precision=mixed_precision,
        random_state=0,
    )  # fmt: skip
    weight = np.linspace(0.5, 2, N)
    first = model.fit(X, names, weight).predict_proba(X)
    np.testing.assert_allclose(first.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(clone(model).fit(X, names, weight).predict_proba(X), first)


def test_targets_of_two_regularizers_are_mixed_one_after_the_other():
    X, y = classes()
    first, second = PSKD(alpha=0.6), PSKD(alpha=0.3)
    net = net_with([("first", first), ("second", second)]).fit(X, y)
    memory = torch.zeros(N, K)

    def loss_of(net, x, y, index):
        logits, target = net(x), F.one_hot(y, K).float()
        for alpha in (0.6 * state["epoch"] / EPOCHS, 0.3 * state["epoch"] / EPOCHS):
            if state["epoch"] > 1:
                target = target.lerp(memory[index], alpha)
        memory[index] = logits.detach().softmax(1)
        return F.cross_entropy(logits, target)

    state = {}
    expected = by_hand(loss_of, begin=lambda epoch: state.update(epoch=epoch))
    assert_same_weights(net.module_, expected)


@pytest.mark.parametrize(
    ("regularizer", "message"),
    [
        (ELR(lam=-1.0), "lam must be in"),
        (ELR(beta=1.0), "beta must be in"),
        (ELR(clamp=0.0), "clamp must be in"),
        (PSKD(alpha=1.0), "alpha must be in"),
        (PSKD(teacher="other"), "teacher must be one of"),
        (PSKD(max_epochs=0), "max_epochs must be in"),
        (ELRPlus(mixup_alpha=-1.0), "mixup_alpha must be in"),
        (ELRPlus(ema_decay=1.0), "ema_decay must be in"),
        (OrthogonalGradient(per="layer"), "per must be one of"),
        (ThresholdConsistentMargin(margin_neg=0.95), "margin_neg must be below"),
        (ThresholdConsistentMargin(layer="nowhere"), "no layer 'nowhere'"),
    ],
)
def test_bad_parameters(regularizer, message):
    with pytest.raises(ValueError, match=message):
        DeepClassifier(regularizers=[("it", regularizer)], max_epochs=1).fit(*classes())


@pytest.mark.parametrize(
    ("regularizer", "message"),
    [
        (ConR(window=0.0), "window must be in"),
        (ConR(temperature=0.0), "temperature must be in"),
        (ConR(layer="nowhere"), "no layer 'nowhere'"),
    ],
)
def test_bad_parameters_of_contrast(regularizer, message):
    X, y = classes()
    with pytest.raises(ValueError, match=message):
        DeepRegressor(regularizers=[("it", regularizer)], max_epochs=1).fit(X, y)
