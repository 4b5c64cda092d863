"""Ready-made regularizers train as loops that somebody would write with torch alone."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.datasets import make_classification
from torch import nn
from torch.distributions import Categorical
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from skreg.deep import RegularizedNetClassifier, RegularizedNetRegressor, Regularizer
from skreg.deep.regularizers import (
    PSKD,
    SAM,
    ConfidencePenalty,
    LabelSmoothing,
    Mixup,
    RDrop,
    SpectralDecoupling,
    StableMax,
)
from skreg.deep.torch import mixup, stablemax

N, D, K, BATCH, LR = 40, 5, 3, 16, 0.2
X, y = make_classification(N, D, n_informative=4, n_redundant=0, n_classes=K, random_state=0)
X, y = torch.from_numpy(X.astype(np.float32)), torch.from_numpy(y)


class Net(nn.Sequential):
    def __init__(self, dropout=0.0, n_outputs=K):
        layers = nn.Linear(D, 8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, n_outputs)
        super().__init__(*layers)


def train(*regularizers, net=RegularizedNetClassifier, fit=True, y=y, weight=None, **arguments):
    torch.manual_seed(0)
    named = [(f"r{i}", one) for i, one in enumerate(regularizers)]
    defaults = {"lr": LR, "max_epochs": 2, "batch_size": BATCH, "train_split": None, "verbose": 0}
    made = net(**{"module": Net, "regularizers": named, **defaults, **arguments})
    given = {} if weight is None else {"sample_weight": weight}
    return made.fit(X.numpy(), y.numpy(), **given) if fit else made


def by_hand(loss_of, *more, X=X, y=y, batch_size=BATCH, rho=None, **module):
    """A network after two epochs for each loss, with the gradient at a worst point if asked."""
    torch.manual_seed(0)
    model = Net(**module)
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    for loss in (loss_of, *more):
        for _ in range(2):
            for x, target in DataLoader(TensorDataset(X, y), batch_size):
                optimizer.zero_grad()
                loss(model, x, target).backward()
                if rho is not None:
                    before = [p.detach().clone() for p in model.parameters()]
                    norm = torch.cat([p.grad.flatten() for p in model.parameters()]).norm()
                    with torch.no_grad():
                        for p in model.parameters():
                            p.add_(p.grad, alpha=float(rho / norm))
                    optimizer.zero_grad()
                    loss(model, x, target).backward()
                    with torch.no_grad():
                        for p, old in zip(model.parameters(), before, strict=True):
                            p.copy_(old)
                optimizer.step()
    return model


def same(net, model, atol=1e-6):
    found, expected = (
        torch.cat([p.detach().flatten() for p in module.parameters()])
        for module in (net.module_, model)
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=atol)


def confident(strength):
    def loss(model, x, target):
        z = model(x)
        return F.cross_entropy(z, target) - strength * Categorical(logits=z).entropy().mean()

    return loss


def decoupled(strength):
    def loss(model, x, target):
        z = model(x)
        return F.cross_entropy(z, target) + strength / 2 * z.square().sum(1).mean()

    return loss


def smoothed(smoothing):
    return lambda model, x, target: F.cross_entropy(model(x), target, label_smoothing=smoothing)


def dropped(strength):
    def loss(model, x, target):
        first, second = model(x), model(x)
        fit = 0.5 * (F.cross_entropy(first, target) + F.cross_entropy(second, target))
        log_p, log_q = first.log_softmax(1), second.log_softmax(1)
        there = F.kl_div(log_p, log_q, log_target=True, reduction="batchmean")
        back = F.kl_div(log_q, log_p, log_target=True, reduction="batchmean")
        return fit + strength * 0.5 * (there + back)

    return loss


def mixed(alpha):
    def loss(model, x, target):
        mixing = mixup(len(x), alpha)
        z = model(mixing.share * x + (1 - mixing.share) * x[mixing.partner])
        own, others = F.cross_entropy(z, target), F.cross_entropy(z, target[mixing.partner])
        return mixing.share * own + (1 - mixing.share) * others

    return loss


# regularizer, its strength's name, a value of it, the loss by hand
CASES = {
    "ConfidencePenalty": (ConfidencePenalty, "strength", 0.5, confident),
    "SpectralDecoupling": (SpectralDecoupling, "strength", 0.3, decoupled),
    "LabelSmoothing": (LabelSmoothing, "smoothing", 0.3, smoothed),
    "RDrop": (RDrop, "strength", 2.0, dropped),
    "Mixup": (Mixup, "alpha", 0.7, mixed),
}
CERTAIN = ["ConfidencePenalty", "SpectralDecoupling", "LabelSmoothing"]  # nothing random in them


def case(name):
    kind, parameter, value, loss = CASES[name]
    dropout = 0.4 if name == "RDrop" else 0.0
    return kind(**{parameter: value}), loss(value), dropout


@pytest.mark.parametrize("name", CASES)
def test_it_trains_as_a_loop_by_hand(name):
    regularizer, loss, dropout = case(name)
    net = train(regularizer, module__dropout=dropout)
    same(net, by_hand(loss, dropout=dropout))
    plain = by_hand(smoothed(0.0), dropout=dropout)
    with pytest.raises(AssertionError):
        same(net, plain, atol=1e-3)


@pytest.mark.parametrize("name", CERTAIN)
def test_under_sharpness_aware_minimization(name):
    regularizer, loss, _ = case(name)
    expected = by_hand(loss, rho=0.1)
    same(train(regularizer, SAM(rho=0.1)), expected)
    same(train(SAM(rho=0.1), regularizer), expected)


@pytest.mark.parametrize("name", CERTAIN)
def test_accumulated_batches_are_one_large_batch(name):
    regularizer, loss, _ = case(name)
    net = train(regularizer, batch_size=8, accumulation_steps=2)
    same(net, by_hand(loss, batch_size=16))


@pytest.mark.parametrize("name", CERTAIN)
def test_weights_are_repetitions(name):
    regularizer, loss, _ = case(name)
    times = torch.arange(N) % 3
    net = train(regularizer, weight=times.numpy(), batch_size=N)
    rows = torch.arange(N).repeat_interleave(times)
    same(net, by_hand(loss, X=X[rows], y=y[rows], batch_size=len(rows)))


@pytest.mark.parametrize("name", CASES)
def test_a_strength_that_changes_acts_when_training_goes_on(name):
    kind, parameter, value, loss = CASES[name]
    dropout = 0.4 if name == "RDrop" else 0.0
    net = train(kind(**{parameter: value}), module__dropout=dropout)
    net = pickle.loads(pickle.dumps(net))
    net.set_params(**{f"regularizers__r0__{parameter}": value / 2})
    net.partial_fit(X.numpy(), y.numpy())
    same(net, by_hand(loss(value), loss(value / 2), dropout=dropout))


def test_all_at_once_is_the_sum_of_their_terms():
    def loss(model, x, target):
        z = model(x)
        fit = F.cross_entropy(z, target, label_smoothing=0.2)
        size = 0.1 / 2 * z.square().sum(1).mean()
        return fit + size - 0.3 * Categorical(logits=z).entropy().mean()

    parts = [LabelSmoothing(0.2), SpectralDecoupling(0.1), ConfidencePenalty(0.3)]
    same(train(*parts, SAM(rho=0.05)), by_hand(loss, rho=0.05))
    same(train(*parts[::-1]), by_hand(loss))


def test_confidence_is_that_of_the_criterion():
    def loss(model, x, target):
        p = stablemax(model(x))
        return F.nll_loss(p.log(), target) - 0.5 * Categorical(p).entropy().mean()

    same(train(ConfidencePenalty(0.5), StableMax()), by_hand(loss), atol=1e-5)


def test_smoothing_goes_in_a_line_over_the_planned_training():
    class Seen(LabelSmoothing):
        def targets(self, net, batch, y):
            y = super().targets(net, batch, y)
            weights.append(y.min().item() * K)
            return y

    weights = []
    train(Seen(0.4, final=0.0), max_epochs=4, batch_size=N // 2)
    np.testing.assert_allclose(weights, 0.4 * (1 - np.arange(8) / 8), rtol=1e-6)


@pytest.mark.parametrize("other", [Mixup(0.5), PSKD(0.5)])
def test_smoothing_goes_before_and_after_what_softens(other):
    """Both are linear in the targets; with the own prediction the order matters, and both work."""
    before = train(LabelSmoothing(0.2), other, max_epochs=3)
    after = train(other, LabelSmoothing(0.2), max_epochs=3)
    if isinstance(other, Mixup):
        same(before, after.module_)
    else:
        with pytest.raises(AssertionError):
            same(before, after.module_)


def test_r_drop_without_dropout_is_plain_training():
    same(train(RDrop(3.0)), by_hand(smoothed(0.0)))


def test_r_drop_weighs_both_losses_and_the_divergence():
    weight = torch.rand(N) + 0.1
    scaled = weight / weight.mean()

    def loss(model, x, target):
        first, second = model(x), model(x)
        losses = 0.5 * sum(F.cross_entropy(z, target, reduction="none") for z in (first, second))
        p, q = first.softmax(1), second.softmax(1)
        divergence = 0.5 * ((p - q) * (p / q).log()).sum(1)
        return (scaled * (losses + divergence)).mean()

    net = train(RDrop(1.0), weight=weight.numpy(), batch_size=N, module__dropout=0.4)
    same(net, by_hand(loss, batch_size=N, dropout=0.4))


def test_r_drop_on_mixed_inputs_has_mixed_targets_in_both_passes():
    def loss(model, x, target):
        mixing = mixup(len(x), 0.5)
        x, soft = mixing(x), mixing(F.one_hot(target, K).float())
        first, second = model(x), model(x)
        p, q = first.softmax(1), second.softmax(1)
        divergence = 0.5 * ((p - q) * (p / q).log()).sum(1).mean()
        return 0.5 * (F.cross_entropy(first, soft) + F.cross_entropy(second, soft)) + divergence

    net = train(Mixup(0.5), RDrop(1.0), module__dropout=0.4)
    same(net, by_hand(loss, dropout=0.4))


class Twice(Regularizer):
    """The loss once more, as the net says it of any outputs."""

    def penalty(self, net, batch, y_pred, features):
        return net.sample_losses(y_pred, batch).mean()


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"criterion": nn.NLLLoss, "module": lambda: nn.Sequential(*Net(), nn.Softmax(1))},
        {"net": RegularizedNetRegressor, "module__n_outputs": 1, "y": y.float()},
    ],
    ids=["logits", "probabilities", "targets without a second axis"],
)
def test_losses_of_samples_are_those_of_the_criterion(arguments):
    once = train(lr=0.2, **arguments)
    same(train(Twice(), lr=0.1, **arguments), once.module_)


@pytest.mark.parametrize("regularizer", [RDrop(2.0), LabelSmoothing(0.0), Mixup(0.0)])
def test_class_weights_divide_as_without_regularizers(regularizer):
    weighted = {"criterion__weight": torch.tensor([1.0, 5.0, 20.0])}
    same(train(regularizer, **weighted), train(**weighted).module_)


def test_smoothing_under_class_weights_is_torchs_up_to_the_divisor():
    weight = torch.tensor([1.0, 5.0, 20.0])

    def loss(model, x, target):
        torchs = F.cross_entropy(model(x), target, weight, label_smoothing=0.3)
        soft = 0.7 * F.one_hot(target, K) + 0.3 / K
        return torchs * weight[target].sum() / (soft @ weight).sum()

    net = train(LabelSmoothing(0.3), criterion__weight=weight)
    same(net, by_hand(loss))


def test_double_precision_is_kept():
    net = train(Mixup(0.5), LabelSmoothing(0.1), RDrop(), ConfidencePenalty(), fit=False)
    net.initialize()
    net.module_.double()
    net.partial_fit(X.double().numpy(), y.numpy())
    assert net.module_[0].weight.dtype == torch.float64


@pytest.mark.parametrize("name", [*CERTAIN, "RDrop"])
def test_regression_is_refused(name):
    regularizer, _, _ = case(name)
    with pytest.raises(ValueError, match=f"{name} .*is for classification"):
        train(regularizer, net=RegularizedNetRegressor, module__n_outputs=1, y=y[:, None].float())


@pytest.mark.parametrize(
    ("regularizer", "message"),
    [
        (ConfidencePenalty(-1.0), r"strength must be in \[0, inf\), got -1.0"),
        (SpectralDecoupling(float("nan")), "strength must be"),
        (RDrop(-0.1), "strength must be"),
        (LabelSmoothing(1.1), r"smoothing must be in \[0, 1\], got 1.1"),
        (LabelSmoothing(0.1, final=-0.2), "final must be"),
        (Mixup(-0.2), "alpha must be"),
    ],
)
def test_bad_parameters_are_named(regularizer, message):
    with pytest.raises(ValueError, match=message):
        train(regularizer)


def test_softened_targets_need_a_criterion_that_takes_them():
    with pytest.raises(ValueError, match=r"LabelSmoothing .* NLLLoss does not take"):
        train(LabelSmoothing(), criterion=nn.NLLLoss)
