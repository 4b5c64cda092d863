"""Trust-region distances against hand computations, and what training with them must keep."""

import copy
import math

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from torch import nn
from torch.nn import functional

from skreg.deep.torch import (
    TRAM,
    SampleMemory,
    TrustRegionDistance,
    epsilon_sharpness,
    linear_cka,
)


class Constant(nn.Module):
    """Outputs its own parameter for every sample."""

    def __init__(self, outputs):
        super().__init__()
        self.outputs = nn.Parameter(torch.as_tensor(outputs, dtype=torch.float64))

    def forward(self, x):
        return self.outputs.expand(len(x), -1)


def moved(target_outputs, outputs, **options):
    """Distance of a model whose target is itself with other outputs."""
    model = Constant(target_outputs)
    distance = TrustRegionDistance("initial", **options).setup(model)
    with torch.no_grad():
        model.outputs.copy_(torch.as_tensor(outputs))
    x = torch.zeros(5, 1)
    return float(distance(model, x, model(x)))


P, Q = np.array([0.75, 0.25]), np.array([0.5, 0.5])


@pytest.mark.parametrize(
    ("divergence", "expected"),
    [
        ("kl", 0.130812),
        ("reverse_kl", 0.143841),
        ("symmetric_kl", 0.130812 + 0.143841),
        ("mmd", 2 - 2 / math.sqrt(1 + 2 * 0.25**2)),
        ("l2", (np.log(P / Q) ** 2).sum()),
    ],
)
def test_divergences_are_the_hand_computations(divergence, expected):
    assert moved(np.log(P), np.log(Q), divergence=divergence) == pytest.approx(expected, abs=1e-6)
    assert moved(np.log(P), np.log(Q), divergence=divergence, scale=3.0) == pytest.approx(
        3 * expected, abs=3e-6
    )
    assert moved(np.log(P), np.log(P), divergence=divergence) == pytest.approx(0.0, abs=1e-7)


def test_kl_is_the_batch_mean_with_the_target_first():
    rng = np.random.default_rng(0)
    target, current = rng.normal(size=(2, 6, 4))
    p, q = (np.exp(v) / np.exp(v).sum(1, keepdims=True) for v in (target, current))
    model, x = nn.Identity(), torch.from_numpy(target)
    distance = TrustRegionDistance("initial").setup(model)
    value = distance(model, x, torch.from_numpy(current))
    assert float(value) == pytest.approx(entropy(p, q, axis=1).mean())


@pytest.mark.parametrize("divergence", ["kl", "reverse_kl", "symmetric_kl", "mmd", "l2"])
def test_rounding_makes_no_distance_negative(divergence):
    generator, model = torch.Generator().manual_seed(0), nn.Identity()
    distance = TrustRegionDistance("initial", divergence).setup(model)
    for _ in range(50):
        logits = torch.randn(4, 3, generator=generator)
        close = logits + 1e-6 * torch.randn(4, 3, generator=generator)
        assert distance(model, logits, close) >= 0


def test_impossible_classes_count_as_zero():
    value = moved([0.0, 0.0, -math.inf], [1.0, 0.0, -math.inf])
    p, q = np.array([0.5, 0.5]), np.exp([1.0, 0.0]) / np.exp([1.0, 0.0]).sum()
    assert value == pytest.approx(entropy(p, q))


def net_and_batch(batch_norm=False, dropout=0.0):
    torch.manual_seed(0)
    layers = [nn.Linear(4, 16), nn.BatchNorm1d(16) if batch_norm else nn.Identity(), nn.ReLU()]
    net = nn.Sequential(*layers, nn.Dropout(dropout), nn.Linear(16, 3))
    return net, torch.randn(20, 4), torch.randint(3, (20,))


def tram_steps(net, x, y, distance, n_steps, optimizer=None):
    """Distances and the parameters before each step."""
    optimizer = optimizer or TRAM(torch.optim.SGD(net.parameters(), lr=0.5), module=net)
    distances, before = [], []
    for _ in range(n_steps):
        before.append(copy.deepcopy(net))
        optimizer.zero_grad()
        logits = net(x)
        functional.cross_entropy(logits, y).backward()
        d = distance(net, x, logits)
        distance.update(net)
        distances.append(float(d))
        optimizer.first_step(d)
        optimizer.zero_grad()
        functional.cross_entropy(net(x), y).backward()
        optimizer.second_step()
    return distances, before


def kl_between(first, second, x):
    p, q = (model.eval()(x).softmax(1).detach().numpy() for model in (first, second))
    return entropy(p, q, axis=1).mean()


def test_previous_is_the_divergence_from_the_parameters_one_step_ago():
    net, x, y = net_and_batch()
    distances, before = tram_steps(net, x, y, TrustRegionDistance("previous").setup(net), 4)
    assert distances[0] == 0
    for t in range(1, 4):
        expected = kl_between(before[t - 1], before[t], x)
        assert distances[t] == pytest.approx(expected, rel=1e-3)
        assert expected > 1e-4


def test_initial_is_the_divergence_from_the_first_parameters():
    net, x, y = net_and_batch()
    distances, before = tram_steps(net, x, y, TrustRegionDistance("initial").setup(net), 4)
    assert distances[0] == 0
    for t in range(1, 4):
        assert distances[t] == pytest.approx(kl_between(before[0], before[t], x), rel=1e-3)


def test_moving_average_lies_between_previous_and_initial():
    def run(**options):
        net, x, y = net_and_batch()
        return tram_steps(net, x, y, TrustRegionDistance(**options).setup(net), 4)[0]

    assert run(target="ema", decay=0.0) == run(target="previous")
    assert run(target="ema", decay=1.0) == run(target="initial")
    between = run(target="ema", decay=0.5)[3]
    assert run(target="previous")[3] < between < run(target="initial")[3]


@pytest.mark.parametrize("target", ["previous", "input_noise"])
@pytest.mark.parametrize("target_mode", ["eval", "same"])
def test_distance_leaves_mode_gradients_and_batch_statistics_alone(target, target_mode):
    net, x, _ = net_and_batch(batch_norm=True, dropout=0.5)
    net[3].eval()
    before = copy.deepcopy(net)
    distance = TrustRegionDistance(target, target_mode=target_mode).setup(net)
    d = distance(net, x, net(x))
    before(x)
    assert not d.requires_grad
    assert d >= 0
    assert [m.training for m in net.modules()] == [m.training for m in before.modules()]
    assert all(p.grad is None for p in net.parameters())
    for value, expected in zip(net.buffers(), before.buffers(), strict=True):
        assert torch.equal(value, expected)


def test_dropout_counts_as_distance_only_if_the_target_is_evaluated_without_it():
    net, x, _ = net_and_batch(dropout=0.5)
    distance = TrustRegionDistance("previous").setup(net)
    assert distance(net, x, net(x)) > 1e-3
    assert distance(net.eval(), x, net(x)) == pytest.approx(0.0, abs=1e-7)


@pytest.mark.parametrize(("noise", "variance"), [("normal", 0.04), ("uniform", 0.04 / 3)])
def test_noise_has_the_scale_and_the_generator_it_is_given(noise, variance):
    model = nn.Identity()
    x = torch.zeros(200, 50)

    def distance():
        generator = torch.Generator().manual_seed(3)
        return TrustRegionDistance(
            "input_noise", "l2", sigma=0.2, noise=noise, generator=generator
        )(model, x, x)

    assert float(distance()) == pytest.approx(50 * variance, rel=0.05)
    assert distance() == distance()


def test_token_inputs_get_noise_behind_the_embedding():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Embedding(10, 4), nn.Flatten(), nn.Linear(12, 3))
    tokens = torch.randint(10, (6, 3))
    with pytest.raises(ValueError, match="embedding"):
        TrustRegionDistance("input_noise")(net, tokens, net(tokens))
    distance = TrustRegionDistance("input_noise", embedding="0")
    assert distance(net, tokens, net(tokens)) > 0
    assert not net[0]._forward_hooks


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, left, right):
        return self.layer(left + right)


@pytest.mark.parametrize("pack", [lambda a, b: (a, b), lambda a, b: {"right": b, "left": a}])
def test_models_of_several_inputs(pack):
    model = TwoInputs()
    x = pack(torch.ones(2, 4), torch.zeros(2, 4))
    logits = model(torch.ones(2, 4), torch.zeros(2, 4))
    assert TrustRegionDistance().setup(model)(model, x, logits) == 0


def test_penalty_has_the_gradient_of_the_divergence_and_of_both_passes_under_noise():
    net, x, _ = net_and_batch()
    distance = TrustRegionDistance("initial").setup(net)
    with torch.no_grad():
        net[4].bias += torch.tensor([1.0, 0.0, -1.0])
    logits = net(x).detach().requires_grad_()
    distance.penalty(net, x, logits).backward()
    target = (logits.detach() - torch.tensor([1.0, 0.0, -1.0])).softmax(1)
    torch.testing.assert_close(logits.grad, (logits.detach().softmax(1) - target) / len(x))
    noised = TrustRegionDistance("input_noise", sigma=0.5)
    noised.penalty(net, x, net(x).detach()).backward()
    assert net[0].weight.grad.abs().sum() > 0


@pytest.mark.parametrize("target", ["previous", "initial", "ema"])
def test_target_survives_a_state_dict_and_is_not_taken_anew(target):
    net, x, y = net_and_batch(batch_norm=True)
    distance = TrustRegionDistance(target, decay=0.9).setup(net)
    tram_steps(net, x, y, distance, 3)
    fresh = TrustRegionDistance(target, decay=0.9).allocate(copy.deepcopy(net))
    assert not fresh.is_set_up
    fresh.load_state_dict(distance.state_dict())
    assert fresh.is_set_up
    assert fresh(net, x, net(x)) == distance(net, x, net(x)) > 0
    with pytest.raises(RuntimeError, match="allocate"):
        TrustRegionDistance(target).load_state_dict(distance.state_dict())


def test_no_target_in_a_state_dict_leaves_it_to_be_taken():
    net, x, _ = net_and_batch()
    early = TrustRegionDistance("initial").allocate(net).state_dict()
    fresh = TrustRegionDistance("initial").setup(net)
    fresh.load_state_dict(early)
    assert not fresh.is_set_up
    with pytest.raises(RuntimeError, match="setup"):
        fresh(net, x, net(x))


@pytest.mark.parametrize("divergence", ["kl", "reverse_kl", "symmetric_kl", "mmd", "l2"])
@pytest.mark.parametrize("shape", [(6, 4), (6, 3, 4)])
def test_weights_are_repetition(divergence, shape):
    rng = np.random.default_rng(0)
    target, current = (torch.from_numpy(v) for v in rng.normal(size=(2, *shape)))
    weight = torch.tensor([1, 3, 0, 2, 1, 5])
    model = nn.Identity()
    distance = TrustRegionDistance("initial", divergence).setup(model)
    found = distance(model, target, current, weight)
    rows = torch.arange(6).repeat_interleave(weight)
    expected = distance(model, target[rows], current[rows])
    assert float(found) == pytest.approx(float(expected), rel=1e-12)
    assert distance(model, target, current, 7.5 * weight) == pytest.approx(float(found), rel=1e-12)
    assert distance(model, target, current, 0 * weight) == 0


def test_target_of_a_module_with_memories_holds_none_of_their_rows():
    memory = SampleMemory(1000, 5)
    net = nn.ModuleDict({"layer": nn.Linear(4, 3), "memory": memory})
    distance = TrustRegionDistance("ema").setup(net)
    distance.update(net)
    distance.hold(net)
    distance.update_to_held()
    assert sum(value.numel() for value in distance.state_dict().values()) == 4 * 3 + 3 + 1


def test_tied_and_recurrent_weights():
    torch.manual_seed(0)

    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(7, 5)
            self.recurrent = nn.LSTM(5, 5, batch_first=True)
            self.head = nn.Linear(5, 7)
            self.head.weight = self.embedding.weight

        def forward(self, tokens):
            return self.head(self.recurrent(self.embedding(tokens))[0])

    net, tokens = Words(), torch.randint(7, (6, 4))
    start = copy.deepcopy(net)
    distance = TrustRegionDistance("initial").setup(net)
    with torch.no_grad():
        for p in net.parameters():
            p += 0.3 * torch.randn_like(p)
    p, q = (m(tokens).softmax(-1).detach().numpy() for m in (start, net))
    expected = entropy(p, q, axis=2).mean()
    assert float(distance(net, tokens, net(tokens))) == pytest.approx(expected, rel=1e-5)


def test_half_precision_outputs_are_compared_in_single_precision():
    net, x, _ = net_and_batch()
    distance = TrustRegionDistance("initial").setup(net)
    with torch.no_grad():
        net[4].bias += torch.tensor([0.3, 0.0, 0.0])
    exact = distance(net, x, net(x))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = distance(net, x, net(x))
    assert rough.dtype == torch.float32
    assert float(rough) == pytest.approx(float(exact), rel=0.1)


def test_empty_batch_has_distance_zero():
    net, x, _ = net_and_batch()
    distance = TrustRegionDistance().setup(net)
    assert distance(net, x[:0], net(x[:0])) == 0


@pytest.mark.parametrize(
    "options",
    [
        {"target": "next"},
        {"divergence": "js"},
        {"noise": "cauchy"},
        {"target_mode": "train"},
        {"decay": 1.5},
        {"target": "input_noise", "sigma": 0.0},
        {"target": "input_noise", "sigma": math.nan},
        {"scale": -1.0},
    ],
)
def test_bad_arguments_are_refused(options):
    with pytest.raises(ValueError, match=r"must"):
        TrustRegionDistance(**options)


def test_single_outputs_and_missing_targets_are_refused():
    model = nn.Linear(2, 1)
    x = torch.ones(3, 2)
    with pytest.raises(ValueError, match="l2"):
        TrustRegionDistance().setup(model)(model, x, model(x))
    with pytest.raises(RuntimeError, match="setup"):
        TrustRegionDistance(divergence="l2")(model, x, model(x))
    assert TrustRegionDistance(divergence="l2").setup(model)(model, x, model(x)) == 0


def test_sharpness_of_a_quadratic_is_the_corner_of_the_box():
    model = nn.Linear(2, 1, bias=False).double()
    x = torch.eye(2, dtype=torch.float64)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, -3.0]]))
    start = model.weight.detach().clone()
    square = lambda output, y: output.square().sum()  # noqa: E731
    sharpness = epsilon_sharpness(model, square, x, x, eps=0.01, lr=1.0)
    highest = 1.02**2 + 3.04**2
    assert sharpness == pytest.approx(100 * (highest - 10) / 11)
    assert torch.equal(model.weight, start)
    assert model.weight.grad is None


@pytest.mark.parametrize("options", [{"eps": -1.0}, {"lr": -1.0}, {"n_steps": 0}])
def test_sharpness_refuses_bad_numbers(options):
    model = nn.Linear(2, 1)
    with pytest.raises(ValueError, match="must"):
        epsilon_sharpness(model, functional.mse_loss, torch.ones(1, 2), torch.ones(1, 1), **options)


@pytest.mark.parametrize("shape", [(30, 4, 6), (10, 40, 12)])
def test_alignment_is_the_correlation_of_gram_matrices_and_ignores_rotation_and_scale(shape):
    n, d, e = shape
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(n, d)), rng.normal(size=(n, e))
    H = np.eye(n) - 1 / n
    K, L = (H @ A @ A.T @ H for A in (X, Y))
    expected = (K * L).sum() / np.sqrt((K * K).sum() * (L * L).sum())
    rotation = np.linalg.qr(rng.normal(size=(d, d)))[0]
    for features in (X, 5 * X @ rotation + 1):
        value = float(linear_cka(torch.tensor(features), torch.tensor(Y)))
        assert value == pytest.approx(expected)
    with pytest.raises(ValueError, match="rows"):
        linear_cka(torch.ones(3, 2), torch.ones(4, 2))
