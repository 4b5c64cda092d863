"""The compander's family against closed forms, and that it is invisible where it should be."""

import copy
import io
import math
import pickle
import warnings

import pytest
import torch
from skorch.callbacks import LRScheduler
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrize

from skreg.deep import RegularizedNetClassifier
from skreg.deep.regularizers import SAM
from skreg.deep.regularizers import WeightCompander as CompanderRegularizer
from skreg.deep.torch import (
    ExperimentalWarning,
    WeightCompander,
    apply_weight_compander,
    compander_param_groups,
    remove_weight_compander,
    weight_statistics,
)

pytestmark = pytest.mark.filterwarnings("ignore::skreg.deep.torch.ExperimentalWarning")
FUNCTIONS = {
    "arctan": (lambda v, a, b: a * math.atan(v / b), math.pi / 2),
    "tanh": (lambda v, a, b: a * math.tanh(v / b), 1.0),
    "softsign": (lambda v, a, b: a * v / (b + abs(v)), 1.0),
}


def compander(a=0.2, b=0.1, function="arctan", **options):
    return WeightCompander(a, b, function, **options).double()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_values_are_the_formula(function):
    formula = FUNCTIONS[function][0]
    v = torch.linspace(-3, 3, 13, dtype=torch.float64)
    expected = [formula(x, 0.2, 0.1) for x in v.tolist()]
    assert compander(function=function)(v).tolist() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_round_trip_oddness_and_bound(function):
    psi, bound = compander(function=function), 0.2 * FUNCTIONS[function][1]
    assert psi.bound.item() == pytest.approx(bound)
    w = torch.linspace(-0.99 * bound, 0.99 * bound, 101, dtype=torch.float64)
    torch.testing.assert_close(psi(psi.right_inverse(w)), w, rtol=1e-9, atol=1e-12)
    v = psi.right_inverse(w)
    torch.testing.assert_close(psi(-v), -psi(v))
    beyond = psi(psi.right_inverse(torch.tensor([-9.0, 9.0], dtype=torch.float64)))
    assert beyond.abs().tolist() == pytest.approx([bound, bound], rel=1e-3)
    assert (psi(torch.tensor([-1e9, 1e9], dtype=torch.float64)).abs() <= bound * (1 + 1e-6)).all()


def test_derivatives_are_the_closed_forms():
    psi = compander(learnable=True)
    v = torch.tensor([-0.3, 0.0, 0.05, 2.0], dtype=torch.float64, requires_grad=True)
    g = torch.tensor([1.0, -2.0, 3.0, 0.5], dtype=torch.float64)
    a, b = psi.log_a.exp().item(), psi.log_b.exp().item()
    (psi(v) * g).sum().backward()
    x = v.detach()
    torch.testing.assert_close(v.grad, a * b / (b**2 + x**2) * g)
    d_log_a = a * (torch.arctan(x / b) * g).sum()  # the chain rule through a = exp(log a)
    d_log_b = -b * (a * x / (b**2 + x**2) * g).sum()
    torch.testing.assert_close(psi.log_a.grad, d_log_a)
    torch.testing.assert_close(psi.log_b.grad, d_log_b)
    assert torch.autograd.gradcheck(psi, v)


@pytest.mark.parametrize(("w0", "factor"), [(0.0, 4.0), (0.1, None), (-0.25, None)])
def test_one_step_of_gradient_descent_moves_weights_by_the_squared_slope(w0, factor):
    psi, lr = compander(a=0.2, b=0.1), 1e-6
    v = psi.right_inverse(torch.tensor([w0], dtype=torch.float64)).requires_grad_()
    gradient = 3.0
    (gradient * psi(v)).sum().backward()
    after = psi(v.detach() - lr * v.grad)
    slope = 0.2 * 0.1 / (0.1**2 + v.item() ** 2)
    assert (after - psi(v)).item() == pytest.approx(-lr * slope**2 * gradient, rel=1e-4)
    if factor:
        assert slope**2 == pytest.approx(factor)


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5)
    )


def images(n=16):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(n, 1, 6, 6, generator=generator)
    return x, torch.randint(5, (n,), generator=generator)


def train(model, steps=30, lr=0.1):
    x, y = images()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    for _ in range(steps):
        optimizer.zero_grad()
        functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return model


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("learnable", [False, True])
def test_applying_and_removing_leave_the_function_of_the_network_alone(function, learnable):
    net, (x, _) = network(), images()
    before = net(x)
    names = set(net.state_dict())
    assert apply_weight_compander(net, function=function, learnable=learnable) is net
    torch.testing.assert_close(net(x), before, rtol=0, atol=1e-4)
    train(net)
    trained = net(x)
    remove_weight_compander(net)
    assert set(net.state_dict()) == names
    assert not any(parametrize.is_parametrized(layer) for layer in net)
    torch.testing.assert_close(net(x), trained, rtol=1e-5, atol=1e-5)


def test_heavy_tailed_weights_keep_their_values_too():
    layer = nn.Linear(100, 100)
    with torch.no_grad():
        layer.weight.mul_(0.01)[0, 0] = 5.0
    before = layer.weight.detach().clone()
    torch.testing.assert_close(apply_weight_compander(layer).weight, before, rtol=1e-4, atol=1e-6)


def test_bound_and_slope_are_those_asked_for():
    layer = nn.Linear(50, 40)
    nn.init.normal_(layer.weight, std=0.05)
    sigma = layer.weight.std(correction=0).item()
    apply_weight_compander(layer, ratio=2.0, width=5.0)
    (psi,) = layer.parametrizations.weight
    assert psi.bound.item() == pytest.approx(5 * sigma)
    assert (psi.log_a - psi.log_b).exp().item() == pytest.approx(2.0)


def test_weights_stay_within_the_bound_at_any_learning_rate():
    net = apply_weight_compander(network())
    bounds = [layer.parametrizations.weight[0].bound.item() for layer in (net[0], net[4])]
    train(net, steps=200, lr=1.0)
    for layer, bound in zip((net[0], net[4]), bounds, strict=True):
        assert layer.weight.abs().max() <= bound * (1 + 1e-6)


def test_wide_scales_with_slope_one_train_like_the_plain_network():
    plain = train(network())
    companded = network()
    for layer in (companded[0], companded[4]):
        parametrize.register_parametrization(layer, "weight", WeightCompander(1e3, 1e3))
    train(companded)
    x, _ = images()
    torch.testing.assert_close(companded(x), plain(x), rtol=1e-3, atol=1e-3)


def test_all_zero_weights_can_leave_zero():
    layer = nn.Linear(3, 2)
    nn.init.zeros_(layer.weight)
    apply_weight_compander(layer)
    functional.mse_loss(layer(torch.ones(4, 3)), torch.ones(4, 2)).backward()
    assert layer.parametrizations.weight.original.grad.abs().min() > 0


def test_only_weights_of_the_chosen_layers_are_parametrized():
    net = apply_weight_compander(network(), exclude=["4"])
    assert parametrize.is_parametrized(net[0], "weight")
    assert not parametrize.is_parametrized(net[0], "bias")
    assert not parametrize.is_parametrized(net[1])
    assert not parametrize.is_parametrized(net[4])
    net = apply_weight_compander(network(), types=(nn.Linear,))
    assert parametrize.is_parametrized(net[4])
    assert not parametrize.is_parametrized(net[0])


def test_applying_twice_changes_nothing_more():
    net = apply_weight_compander(network())
    with pytest.warns(UserWarning, match="no weights"):
        apply_weight_compander(net)
    assert len(net[0].parametrizations.weight) == 1


@pytest.mark.parametrize("learnable", [False, True])
def test_state_dict_and_copies_carry_scales_and_weights(learnable):
    net = train(apply_weight_compander(network(), learnable=learnable))
    x, _ = images()
    net.eval()
    other = apply_weight_compander(network(seed=5), ratio=3.0, learnable=learnable).eval()
    stored = io.BytesIO()
    torch.save(net.state_dict(), stored)
    stored.seek(0)
    other.load_state_dict(torch.load(stored))
    torch.testing.assert_close(other(x), net(x))
    torch.testing.assert_close(copy.deepcopy(net)(x), net(x))


def test_pickled_networks_go_on_as_the_original():
    """torch itself refuses to pickle parametrized modules."""
    net = train(apply_weight_compander(network(), learnable=True), steps=2)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    x, y = images()
    both = (net, optimizer), pickle.loads(pickle.dumps((net, optimizer)))
    assert type(both[1][0][0]).__name__ == type(net[0]).__name__ == "ParametrizedConv2d"
    again = pickle.loads(pickle.dumps(both[1]))
    for model, opt in (*both, again):
        for _ in range(3):
            opt.zero_grad()
            functional.cross_entropy(model(x), y).backward()
            opt.step()
    for other in (both[1][0], again[0]):
        for (name, value), expected in zip(
            other.state_dict().items(), net.state_dict().values(), strict=True
        ):
            assert torch.equal(value, expected), name
    remove_weight_compander(again[0])
    assert type(again[0][0]) is nn.Conv2d
    torch.testing.assert_close(again[0](x), net(x))


def test_learned_scales_stay_positive_and_have_their_own_group():
    net = apply_weight_compander(network(), learnable=True)
    groups = compander_param_groups(net, lr=0.1, hyper_lr_scale=0.1, weight_decay=1e-3)
    assert [group["lr"] for group in groups] == pytest.approx([0.1, 0.01])
    assert [group["weight_decay"] for group in groups] == [1e-3, 0.0]
    grouped = [p for group in groups for p in group["params"]]
    assert len(grouped) == len(set(grouped)) == len(list(net.parameters()))
    assert len(groups[1]["params"]) == 4
    before = [p.item() for p in groups[1]["params"]]
    optimizer = torch.optim.SGD(groups)
    x, y = images()
    for _ in range(5):
        optimizer.zero_grad()
        functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    assert all(p.item() != b for p, b in zip(groups[1]["params"], before, strict=True))
    assert all(layer.parametrizations.weight[0].bound > 0 for layer in (net[0], net[4]))
    assert len(compander_param_groups(network(), lr=0.1)) == 1


def companded_net(*others, **options):
    torch.manual_seed(0)
    return RegularizedNetClassifier(
        network,
        regularizers=[
            *(("other", other) for other in others),
            ("wc", CompanderRegularizer(learnable=True, hyper_lr_scale=0.1)),
        ],
        max_epochs=1,
        lr=0.1,
        optimizer=torch.optim.AdamW,
        train_split=None,
        verbose=0,
        **options,
    )


def options_of(net, option):
    """Values of an option for the learned scales, and for all other parameters."""
    names = {p: name for name, p in net.module_.named_parameters()}
    found = {True: set(), False: set()}
    for group in net.optimizer_.param_groups:
        for p in group["params"]:
            found["log_" in names[p]].add(group[option])
    (of_scales,), (of_others,) = found[True], found[False]
    return of_scales, of_others


def test_learned_scales_keep_their_share_of_a_rate_that_is_set_later():
    data = images()
    net = companded_net().fit(*data)
    assert options_of(net, "lr") == pytest.approx((0.01, 0.1))
    net.set_params(lr=0.05).partial_fit(*data)
    assert options_of(net, "lr") == pytest.approx((0.005, 0.05))
    net.set_params(regularizers__wc__hyper_lr_scale=0.5).partial_fit(*data)
    assert options_of(net, "lr") == pytest.approx((0.025, 0.05))
    assert options_of(net, "weight_decay") == (0.0, 0.01)
    assert len(net.optimizer_.param_groups) == 2


@pytest.mark.parametrize("others", [(), (SAM(),)])
def test_learned_scales_keep_their_share_under_a_schedule_that_starts_again(others):
    data = images()
    schedule = LRScheduler("StepLR", step_size=1, gamma=0.5)
    net = companded_net(*others, callbacks=[schedule])
    for _ in range(2):
        net.partial_fit(*data, epochs=2)
        of_scales, of_others = options_of(net, "lr")
        assert of_scales == pytest.approx(0.1 * of_others)
        assert of_others < 0.1


def test_what_is_built_into_the_module_is_declared():
    parameters = set(CompanderRegularizer().get_params())
    assert parameters - set(CompanderRegularizer.fixed) == {"hyper_lr_scale"}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_trains(dtype):
    net, (x, y) = apply_weight_compander(network()), images()
    with torch.autocast("cpu", dtype=dtype):
        loss = functional.cross_entropy(net(x), y)
    loss.backward()
    assert net[0].parametrizations.weight.original.grad.isfinite().all()


def test_statistics_are_those_of_the_effective_weights():
    layer = nn.Linear(4, 1)
    w = torch.tensor([[0.001, -0.02, 0.3, -0.4]])
    with torch.no_grad():
        layer.weight.copy_(w)
    for step in ("plain", "companded"):
        if step == "companded":
            apply_weight_compander(layer)
        (row,) = weight_statistics(layer)
        assert row.largest == pytest.approx(0.4, rel=1e-4)
        assert row.share_near_zero == 0.25
        assert row.standard_deviation == pytest.approx(w.std(correction=0).item(), rel=1e-4)


def test_users_are_told_that_it_is_experimental():
    for make in (lambda: WeightCompander(1.0, 1.0), lambda: apply_weight_compander(network())):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            make()
        assert [w.category for w in caught] == [ExperimentalWarning]
        assert caught[0].filename == __file__


def tied():
    net = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 5, bias=False))
    net[1].weight = net[0].weight
    return net


@pytest.mark.parametrize(
    "call",
    [
        lambda: WeightCompander(0.0, 1.0),
        lambda: WeightCompander(1.0, -1.0),
        lambda: WeightCompander(math.nan, 1.0),
        lambda: WeightCompander(1.0, 1.0, "sigmoid"),
        lambda: apply_weight_compander(network(), ratio=0.0),
        lambda: apply_weight_compander(network(), width=-1.0),
        lambda: apply_weight_compander(network(), function="relu"),
        lambda: apply_weight_compander(network(), exclude=["head"]),
        lambda: apply_weight_compander(tied()),
        lambda: compander_param_groups(network(), lr=-1.0),
        lambda: compander_param_groups(network(), lr=1.0, hyper_lr_scale=-1.0),
    ],
)
def test_bad_arguments_are_refused(call):
    with pytest.raises(ValueError, match=r"must|no module|one parameter"):
        call()
