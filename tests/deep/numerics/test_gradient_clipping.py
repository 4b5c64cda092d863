"""Gradient clipping: what the base optimizer steps with, whatever is around it."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.datasets import make_classification
from torch import nn
from torch.nn import functional as F

from skreg.deep import RegularizedNetClassifier
from skreg.deep.regularizers import SAM, FisherSAM, GradientClipping, OrthogonalGradient
from skreg.deep.torch import SAM as SAMOptimizer
from skreg.deep.torch import GradientClipping as Clipping

N, D, K, LR = 32, 5, 3, 0.5
X, y = make_classification(N, D, n_informative=4, n_redundant=0, n_classes=K, random_state=0)
X = X.astype(np.float32)


def train(*regularizers, weight=None, **arguments):
    torch.manual_seed(0)
    defaults = {"lr": LR, "max_epochs": 2, "batch_size": 8, "train_split": None, "verbose": 0}
    net = RegularizedNetClassifier(
        nn.Linear,
        module__in_features=D,
        module__out_features=K,
        regularizers=[(f"r{i}", one) for i, one in enumerate(regularizers)],
        **{**defaults, **arguments},
    )
    return net.fit(X, y, **({} if weight is None else {"sample_weight": weight}))


def by_hand(change, *, batch_size=8, rho=None, epochs=2):
    """Plain SGD whose gradient is changed just before the step; norms before the change."""
    torch.manual_seed(0)
    model = nn.Linear(D, K)
    parameters, norms = list(model.parameters()), []
    for _ in range(epochs):
        for rows in torch.arange(N).split(batch_size):
            gradient = gradient_of(model, rows)
            if rho is not None:
                norm = torch.cat([g.flatten() for g in gradient]).norm()
                moves = [rho / norm * g for g in gradient]
                shift(parameters, moves)
                gradient = gradient_of(model, rows)
                shift(parameters, [-move for move in moves])
            norms.append(torch.cat([g.flatten() for g in gradient]).norm().item())
            shift(parameters, [-LR * g for g in change(gradient)])
    return model, norms


def gradient_of(model, rows):
    loss = F.cross_entropy(model(torch.from_numpy(X)[rows]), torch.from_numpy(y)[rows])
    return torch.autograd.grad(loss, list(model.parameters()))


@torch.no_grad()
def shift(parameters, moves):
    for parameter, move in zip(parameters, moves, strict=True):
        parameter.add_(move)


def to_norm(bound):
    def change(gradient):
        norm = torch.cat([g.flatten() for g in gradient]).norm()
        return [g * min(1.0, float(bound / norm)) for g in gradient]

    return change


def to_value(bound):
    return lambda gradient: [g.clamp(-bound, bound) for g in gradient]


def same(net, model, atol=1e-5):
    for found, expected in zip(net.module_.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=atol)


@pytest.mark.parametrize(
    ("clipping", "change"),
    [
        (GradientClipping(0.2), to_norm(0.2)),
        (GradientClipping(None, value=0.05), to_value(0.05)),
        (GradientClipping(0.2, value=0.05), lambda g: to_value(0.05)(to_norm(0.2)(g))),
        (GradientClipping(None), lambda gradient: gradient),
    ],
)
def test_norm_and_entries_are_bounded(clipping, change):
    net = train(clipping)
    model, norms = by_hand(change)
    same(net, model)
    epochs = np.reshape(norms, (2, -1)).mean(1)
    np.testing.assert_allclose(net.history[:, "gradient_norm"], epochs, rtol=1e-4)


@pytest.mark.parametrize("clip_first", [True, False])
def test_gradient_of_the_second_pass_is_clipped_in_either_order(clip_first):
    regularizers = [GradientClipping(0.2), SAM(rho=0.5)]
    net = train(*(regularizers if clip_first else regularizers[::-1]))
    model, norms = by_hand(to_norm(0.2), rho=0.5)
    same(net, model)
    assert net.history[0, "gradient_norm"] == pytest.approx(np.mean(norms[:4]), rel=1e-4)


def test_around_further_wrappers_it_stays_innermost():
    first = train(GradientClipping(0.2), OrthogonalGradient(), FisherSAM())
    last = train(OrthogonalGradient(), FisherSAM(), GradientClipping(0.2))
    same(first, last.module_)


def test_mean_over_accumulated_batches_is_clipped():
    net = train(GradientClipping(0.2), batch_size=4, accumulation_steps=2)
    model, norms = by_hand(to_norm(0.2))
    same(net, model)
    assert net.history[0, "gradient_norm"] == pytest.approx(np.mean(norms[:4]), rel=1e-4)


def test_scaled_gradients_are_clipped_after_the_scaling_is_undone():
    """In float16 the loss is scaled by 65536, which would leave every gradient at the bound."""
    net = train(GradientClipping(1e3), mixed_precision="float16")
    model, norms = by_hand(to_norm(1e3))
    same(net, model, atol=2e-2)
    assert net.history[0, "gradient_norm"] == pytest.approx(np.mean(norms[:4]), rel=0.05)
    same(
        train(GradientClipping(0.2), mixed_precision="float16"),
        by_hand(to_norm(0.2))[0],
        atol=2e-2,
    )


def test_a_bound_that_changes_acts_when_training_goes_on():
    net = pickle.loads(pickle.dumps(train(GradientClipping(0.2), SAM(rho=0.5))))
    net.set_params(regularizers__r0__max_norm=0.05)
    before = [p.detach().clone() for p in net.module_.parameters()]
    net.partial_fit(X[:8], y[:8], epochs=1)
    moved = torch.cat(
        [(p - old).flatten() for p, old in zip(net.module_.parameters(), before, strict=True)]
    )
    assert moved.norm().item() == pytest.approx(LR * 0.05, rel=1e-4)
    net.set_params(regularizers__r0=None)
    net.partial_fit(X, y, epochs=1)
    assert "gradient_norm" not in net.history[-1]


def test_weights_scale_the_gradient_before_it_is_clipped():
    weight = np.where(np.arange(N) == 0, 1.0, 1e-6)
    net = train(GradientClipping(None), weight=weight, batch_size=N, max_epochs=1)
    torch.manual_seed(0)
    gradient = gradient_of(nn.Linear(D, K), torch.tensor([0]))
    norm = torch.cat([g.flatten() for g in gradient]).norm().item()
    assert net.history[0, "gradient_norm"] == pytest.approx(norm, rel=1e-3)


def test_optimizer_in_a_loop_by_hand_is_torchs_function():
    weights = [nn.Parameter(torch.tensor([3.0, 4.0])) for _ in range(2)]
    clipping = Clipping(torch.optim.Adam([weights[0]], lr=0.1), max_norm=0.5)
    adam = torch.optim.Adam([weights[1]], lr=0.1)
    for _ in range(3):
        for weight, optimizer in zip(weights, (clipping, adam), strict=True):
            optimizer.zero_grad()
            (weight**3).sum().backward()
            if optimizer is adam:
                norm = nn.utils.clip_grad_norm_([weight], 0.5)
            optimizer.step()
        assert torch.equal(clipping.norm, norm)
    assert torch.equal(*weights)


def test_with_lbfgs_each_evaluation_is_clipped():
    weight = nn.Parameter(torch.tensor([30.0]))
    optimizer = Clipping(torch.optim.LBFGS([weight], lr=1.0, max_iter=1), max_norm=0.5)

    def closure():
        optimizer.zero_grad()
        loss = weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert weight.item() == pytest.approx(30 - min(1.0, 1 / 0.5) * 0.5)


def test_pickled_optimizer_clips():
    weight = nn.Parameter(torch.ones(2))
    optimizer = SAMOptimizer(Clipping(torch.optim.SGD([weight], lr=1.0), 0.5))
    again = pickle.loads(pickle.dumps(optimizer))
    assert again.base.max_norm == 0.5
    assert again.base.base.param_groups[0]["lr"] == 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_norm": 0.0}, r"max_norm must be in \(0, inf\), got 0.0"),
        ({"value": -1.0}, "value must be in"),
        ({"max_norm": float("nan")}, "max_norm must be"),
    ],
)
def test_bad_bounds_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        train(GradientClipping(**arguments))
