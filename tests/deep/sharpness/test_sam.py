"""Sharpness-aware optimizers against hand computations and the invariances they promise."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional

from skreg.deep.torch import SAM, TRAM, FisherSAM, SampleMemory, fisher_diagonal, frozen_buffers


def half_square(theta):
    return 0.5 * (theta**2).sum()


def closure_for(optimizer, loss):
    def closure():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    return closure


def one_step(make, start, lr=0.1):
    theta = nn.Parameter(torch.tensor(start, dtype=torch.float64))
    optimizer = make(torch.optim.SGD([theta], lr=lr))
    loss = optimizer.step(closure_for(optimizer, lambda: half_square(theta)))
    return theta.detach(), loss


def ascent(make, start):
    """The ascent step itself."""
    theta = nn.Parameter(torch.tensor(start, dtype=torch.float64))
    optimizer = make(torch.optim.SGD([theta], lr=0.1))
    half_square(theta).backward()
    before = theta.detach().clone()
    optimizer.first_step()
    return theta.detach() - before


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda base: SAM(base, rho=0.5), 1.75),  # uphill at 2.5
        (lambda base: SAM(base, rho=0.5, adaptive=True), 1.7),  # uphill at 3
        (lambda base: SAM(base, rho=0.0), 1.8),
        (lambda base: TRAM(base, distance=lambda: 0.5), 1.7),
        (lambda base: TRAM(base, distance=lambda: 0.5, adaptive=False), 1.75),
        (lambda base: TRAM(base, distance=lambda: 9.0, max_radius=0.5), 1.7),
        (lambda base: FisherSAM(base, gamma=0.5, eta=0.0), 1.75),
        # F = 4, F^-1 = 1/5, uphill by (2/5) / sqrt(4/5) = sqrt(1/5)
        (lambda base: FisherSAM(base, gamma=1.0, eta=1.0), 1.8 - 0.1 * 0.2**0.5),
    ],
)
def test_one_step_of_a_scalar_is_the_hand_computation(make, expected):
    theta, loss = one_step(make, [2.0])
    assert theta.item() == pytest.approx(expected, rel=1e-9)
    assert loss.item() == 2.0


def test_adaptive_ascent_of_a_vector_is_the_hand_computation():
    step = ascent(lambda base: SAM(base, rho=0.5, adaptive=True), [1.0, -2.0])
    assert step.tolist() == pytest.approx([0.5 / 17**0.5, -4 / 17**0.5])


def test_ascent_has_the_radius_in_its_own_metric():
    start = [0.3, -2.0, 5.0]
    plain = ascent(lambda base: SAM(base, rho=0.7), start)
    assert plain.norm().item() == pytest.approx(0.7)
    relative = ascent(lambda base: SAM(base, rho=0.7, adaptive=True), start) / torch.tensor(start)
    assert relative.norm().item() == pytest.approx(0.7)
    padded = ascent(lambda base: SAM(base, rho=0.7, adaptive=True, adaptive_eps=0.01), start)
    assert (padded / (torch.tensor(start).abs() + 0.01)).norm().item() == pytest.approx(0.7)


def test_adaptive_ascent_leaves_zeros_alone_unless_told_otherwise():
    theta = nn.Parameter(torch.zeros(2))
    loss = lambda: (theta - 1).square().sum()  # noqa: E731
    for eps, moves in ((0.0, False), (0.01, True)):
        optimizer = SAM(torch.optim.SGD([theta], lr=0.0), 0.5, adaptive=True, adaptive_eps=eps)
        optimizer.zero_grad()
        loss().backward()
        optimizer.first_step()
        assert bool(theta.detach().any()) == moves
        optimizer.second_step()
        assert not theta.detach().any()


def test_one_norm_over_all_parameters_and_groups():
    first, second = (nn.Parameter(torch.tensor([value])) for value in (3.0, 4.0))
    groups = [{"params": [first]}, {"params": [second], "lr": 0.0}]
    optimizer = SAM(torch.optim.SGD(groups, lr=1.0), rho=1.0)
    (half_square(first) + half_square(second)).backward()
    optimizer.first_step()
    assert first.item() == pytest.approx(3.6)
    assert second.item() == pytest.approx(4.8)


def small_net(seed=0, batch_norm=False, dropout=0.0, dtype=torch.float32):
    torch.manual_seed(seed)
    layers = [nn.Linear(4, 16), nn.BatchNorm1d(16) if batch_norm else nn.Identity(), nn.ReLU()]
    return nn.Sequential(*layers, nn.Dropout(dropout), nn.Linear(16, 3)).to(dtype)


def batches(n=5, seed=1):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(n):
        yield torch.randn(20, 4, generator=generator), torch.randint(3, (20,), generator=generator)


def train(make, net=None, base=torch.optim.Adam):
    net = net or small_net()
    optimizer = make(base(net.parameters(), lr=0.02))
    for x, y in batches():
        optimizer.step(closure_for(optimizer, lambda: functional.cross_entropy(net(x), y)))  # noqa: B023
    return torch.cat([p.detach().flatten() for p in net.parameters()])


@pytest.mark.parametrize("adaptive", [False, True])
def test_constant_distance_is_sam_bit_for_bit(adaptive):
    sam = train(lambda base: SAM(base, 0.3, adaptive=adaptive))
    tram = train(lambda base: TRAM(base, lambda: torch.tensor(0.3), adaptive=adaptive))
    assert torch.equal(sam, tram)


class Plain(SAM):
    """The base optimizer behind the same interface."""

    def step(self, closure=None):
        return self.base.step(closure)


@pytest.mark.parametrize("base", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW])
def test_zero_radius_is_the_base_optimizer_bit_for_bit(base):
    plain = train(Plain, base=base)
    assert torch.equal(plain, train(lambda b: SAM(b, rho=0.0), base=base))
    assert torch.equal(plain, train(lambda b: TRAM(b, lambda: 0.0), base=base))
    assert not torch.equal(plain, train(lambda b: SAM(b, rho=0.1), base=base))


def test_two_explicit_passes_are_the_closure_step():
    net = small_net()
    optimizer = SAM(torch.optim.Adam(net.parameters(), lr=0.02), 0.1)
    for x, y in batches():
        optimizer.zero_grad()
        functional.cross_entropy(net(x), y).backward()
        optimizer.first_step()
        optimizer.zero_grad()
        functional.cross_entropy(net(x), y).backward()
        optimizer.second_step()
    explicit = torch.cat([p.detach().flatten() for p in net.parameters()])
    assert torch.equal(explicit, train(lambda base: SAM(base, 0.1)))


def test_step_works_with_a_line_search_that_calls_the_closure_often():
    theta = nn.Parameter(torch.tensor([3.0, -1.0]))
    optimizer = SAM(torch.optim.LBFGS([theta], lr=1.0, max_iter=20), rho=1e-3)
    closure = closure_for(optimizer, lambda: (theta - 1).square().sum())
    for _ in range(2):
        optimizer.step(closure)
    assert (theta.detach() - 1).abs().max() < 5e-3


@pytest.mark.parametrize("factor", [7.0, 0.05])
def test_adaptive_ascent_keeps_the_function_under_rescaling_of_layers_and_sam_does_not(factor):
    def perturbed_function(adaptive, a):
        net = small_net(dtype=torch.float64)
        with torch.no_grad():
            net[0].weight *= a
            net[0].bias *= a
            net[4].weight /= a
        x, y = next(iter(batches()))
        x = x.double()
        optimizer = SAM(torch.optim.SGD(net.parameters(), lr=0.0), 0.5, adaptive=adaptive)
        functional.cross_entropy(net(x), y).backward()
        optimizer.first_step()
        return net(x).detach()

    assert (perturbed_function(True, 1.0) - perturbed_function(True, factor)).abs().max() < 1e-9
    assert (perturbed_function(False, 1.0) - perturbed_function(False, factor)).abs().max() > 0.1


@pytest.mark.parametrize("make", [SAM, FisherSAM, lambda b, **k: TRAM(b, lambda: 0.5, **k)])
def test_no_learning_rate_no_change_and_batch_statistics_move_once(make):
    net = small_net(batch_norm=True)
    once = copy.deepcopy(net)
    x, y = next(iter(batches()))
    optimizer = make(torch.optim.SGD(net.parameters(), lr=0.0), module=net)
    optimizer.step(closure_for(optimizer, lambda: functional.cross_entropy(net(x), y)))
    once(x)
    for (name, value), expected in zip(
        net.state_dict().items(), once.state_dict().values(), strict=True
    ):
        assert torch.equal(value, expected), name


def test_frozen_buffers_come_back_when_the_pass_fails():
    layer = nn.BatchNorm1d(2)

    def failing_pass():
        with frozen_buffers(layer):
            layer(torch.randn(5, 2))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing_pass()
    assert torch.equal(layer.running_mean, torch.zeros(2))
    assert layer.num_batches_tracked == 0


def test_parameters_come_back_when_the_second_pass_is_interrupted():
    theta = nn.Parameter(torch.tensor([1.0, 2.0]))
    optimizer = SAM(torch.optim.SGD([theta], lr=0.1), rho=1.0)
    calls = []

    def closure():
        if calls:
            raise KeyboardInterrupt
        calls.append(1)
        optimizer.zero_grad()
        half_square(theta).backward()

    with pytest.raises(KeyboardInterrupt):
        optimizer.step(closure)
    assert theta.tolist() == [1.0, 2.0]
    optimizer.first_step()  # not uphill any more


def test_parameters_without_a_first_gradient_are_left_alone():
    used, late = (nn.Parameter(torch.ones(1)) for _ in range(2))
    optimizer = SAM(torch.optim.SGD([used, late], lr=0.1), rho=0.5)
    used.square().sum().backward()
    optimizer.first_step()
    optimizer.zero_grad()
    (used.square() + late.square()).sum().backward()
    optimizer.second_step()
    assert late.item() == 1.0
    assert used.item() == pytest.approx(1 - 0.1 * 3)


def test_no_gradient_at_all_is_no_step():
    theta = nn.Parameter(torch.ones(1))
    optimizer = SAM(torch.optim.SGD([theta], lr=0.1))
    optimizer.first_step()
    optimizer.second_step()
    assert theta.item() == 1.0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_parameters_neither_overflow_nor_vanish(dtype):
    theta = nn.Parameter(torch.full((2000,), 300.0, dtype=dtype))
    optimizer = SAM(torch.optim.SGD([theta], lr=0.0), rho=1.0, adaptive=True)
    theta.grad = torch.full_like(theta, 300.0)  # theta * g overflows float16
    optimizer.first_step()
    expected = 300 + 300 / 2000**0.5
    assert theta.float().mean().item() == pytest.approx(expected, rel=0.01)
    optimizer.second_step()
    assert torch.equal(theta.detach(), torch.full_like(theta, 300.0))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_ascent_direction_ignores_the_scale_of_the_loss(dtype):
    """As a GradScaler relies on, under autocast."""

    def uphill(scale):
        net = small_net()
        optimizer = SAM(torch.optim.SGD(net.parameters(), lr=0.1), 0.5)
        x, y = next(iter(batches()))
        with torch.autocast("cpu", dtype=dtype):
            loss = functional.cross_entropy(net(x), y)
        (scale * loss).backward()
        optimizer.first_step()
        return torch.cat([p.detach().flatten() for p in net.parameters()])

    assert torch.allclose(uphill(1.0), uphill(1024.0), rtol=2e-3, atol=2e-3)


def test_scheduler_and_state_belong_to_the_base_optimizer():
    net = small_net()
    optimizer = SAM(torch.optim.Adam(net.parameters(), lr=0.1))
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    x, y = next(iter(batches()))
    optimizer.step(closure_for(optimizer, lambda: functional.cross_entropy(net(x), y)))
    scheduler.step()
    assert optimizer.base.param_groups[0]["lr"] == pytest.approx(0.05)
    fresh = SAM(torch.optim.Adam(net.parameters(), lr=0.1))
    fresh.load_state_dict(optimizer.state_dict())
    assert fresh.param_groups is fresh.base.param_groups
    assert fresh.param_groups[0]["lr"] == pytest.approx(0.05)
    moments = [state["exp_avg"] for state in fresh.state.values()]
    assert torch.equal(moments[0], optimizer.state[net[0].weight]["exp_avg"])


def test_pickled_optimizer_goes_on_as_the_original():
    net = small_net()
    optimizer = SAM(torch.optim.Adam(net.parameters(), lr=0.02), 0.1, module=net)
    both = (net, optimizer), pickle.loads(pickle.dumps((net, optimizer)))
    for model, opt in both:
        for x, y in batches():
            opt.step(closure_for(opt, lambda: functional.cross_entropy(model(x), y)))  # noqa: B023
    for p, q in zip(both[0][0].parameters(), both[1][0].parameters(), strict=True):
        assert torch.equal(p, q)


def test_misuse_is_explained():
    theta = nn.Parameter(torch.ones(1))
    optimizer = SAM(torch.optim.SGD([theta], lr=0.1))
    with pytest.raises(RuntimeError, match="first_step"):
        optimizer.step()
    with pytest.raises(RuntimeError, match="needs first_step"):
        optimizer.second_step()
    half_square(theta).backward()
    optimizer.first_step()
    with pytest.raises(RuntimeError, match="uphill already"):
        optimizer.first_step()
    with pytest.raises(RuntimeError, match="distance"):
        TRAM(torch.optim.SGD([theta], lr=0.1)).first_step()


def test_sparse_gradients_are_refused():
    embedding = nn.Embedding(3, 2, sparse=True)
    optimizer = SAM(torch.optim.SGD(embedding.parameters(), lr=0.1))
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match="sparse=False"):
        optimizer.first_step()


@pytest.mark.parametrize(
    "make",
    [
        lambda base: SAM(base, rho=-0.1),
        lambda base: SAM(base, rho=float("nan")),
        lambda base: SAM(base, adaptive_eps=-1.0),
        lambda base: FisherSAM(base, gamma=-1.0),
        lambda base: FisherSAM(base, eta=float("inf")),
        lambda base: TRAM(base, max_radius=-1.0),
        lambda base: TRAM(base).first_step(-0.5),
        lambda base: TRAM(base).first_step(float("nan")),
        lambda base: TRAM(base).first_step(torch.tensor(-0.5)),
        lambda base: TRAM(base).first_step(torch.ones(2)),
        lambda base: SAM(base).first_step(-1.0),
        lambda base: FisherSAM(base).first_step([torch.ones(3)]),
    ],
)
def test_bad_numbers_are_refused(make):
    theta = nn.Parameter(torch.ones(1))
    theta.grad = torch.ones(1)
    with pytest.raises(ValueError, match=r"must|got"):
        make(torch.optim.SGD([theta], lr=0.1))


SGD = torch.optim.SGD


@pytest.mark.parametrize(
    ("make", "given"),
    [
        (lambda ps: SAM(SGD), "the class SGD"),
        (lambda ps: SAM(ps, SGD, rho=0.05, adaptive=True), "the class SGD"),
        (lambda ps: SAM(iter(ps), SGD, lr=0.1, momentum=0.9), "the class SGD"),
        (lambda ps: TRAM(params=ps, base_optimizer=SGD, lr=0.1), "the class SGD"),
        (lambda ps: FisherSAM(ps, gamma=0.1), "list"),
    ],
)
def test_construction_by_parameters_and_class_says_what_to_write_instead(make, given):
    parameters = [nn.Parameter(torch.ones(1))]
    with pytest.raises(TypeError, match=rf"got {given}:.*AM\(torch\.optim\.SGD\(model"):
        make(parameters)


# loops that are written for davda54's class


class Published:
    """Steps 1 to 4 of the algorithm as published at github.com/davda54/sam, on plain lists."""

    def __init__(self, parameters, base, rho, adaptive):
        self.parameters, self.base = list(parameters), base
        self.rho, self.adaptive = rho, adaptive

    def clear(self):
        for p in self.parameters:
            p.grad = None

    def uphill(self):
        sizes = [p.detach().abs() if self.adaptive else 1.0 for p in self.parameters]
        parts = [(T * p.grad).norm() for T, p in zip(sizes, self.parameters, strict=True)]
        norm = torch.stack(parts).norm()
        self.before = [p.detach().clone() for p in self.parameters]
        with torch.no_grad():
            for T, p in zip(sizes, self.parameters, strict=True):
                p += self.rho / (norm + 1e-12) * T**2 * p.grad

    def back_and_step(self):
        with torch.no_grad():
            for p, value in zip(self.parameters, self.before, strict=True):
                p.copy_(value)
        self.base.step()


def published(rho, adaptive):
    model = small_net(dtype=torch.float64)
    base = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)
    optimizer = Published(model.parameters(), base, rho, adaptive)
    for input, output in double_batches():
        functional.cross_entropy(model(input), output).backward()
        optimizer.uphill()
        optimizer.clear()
        functional.cross_entropy(model(input), output).backward()
        optimizer.back_and_step()
        optimizer.clear()
    return model


def double_batches():
    return ((x.double(), y) for x, y in batches())


def two_backward_passes(model, optimizer, loss_f):
    for input, output in double_batches():
        loss = loss_f(model(input), output)
        loss.backward()
        optimizer.first_step(zero_grad=True)
        loss_f(model(input), output).backward()
        optimizer.second_step(zero_grad=True)


def one_backward_pass_and_a_closure(model, optimizer, loss_f):
    for input, output in double_batches():

        def closure():
            loss = loss_f(model(input), output)  # noqa: B023
            loss.backward()
            return loss

        loss = loss_f(model(input), output)
        loss.backward()
        optimizer.step(closure)
        optimizer.zero_grad()


def a_closure_that_does_not_clear(model, optimizer, loss_f):
    for input, output in double_batches():

        def closure():
            loss = loss_f(model(input), output)  # noqa: B023
            loss.backward()
            return loss

        optimizer.step(closure)
        optimizer.zero_grad(set_to_none=False)


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize(
    "loop", [two_backward_passes, one_backward_pass_and_a_closure, a_closure_that_does_not_clear]
)
def test_published_loops_give_the_published_result(loop, adaptive):
    model = small_net(dtype=torch.float64)
    base = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)
    loop(model, SAM(base, rho=0.3, adaptive=adaptive), functional.cross_entropy)
    for found, expected in zip(
        model.parameters(), published(0.3, adaptive).parameters(), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_true_in_place_of_a_radius_is_refused():
    theta = nn.Parameter(torch.ones(1))
    for optimizer in (
        SAM(SGD([theta], lr=0.1)),
        TRAM(SGD([theta], lr=0.1)),
        FisherSAM(SGD([theta], lr=0.1)),
    ):
        half_square(theta).backward()
        with pytest.raises(ValueError, match="zero_grad=True"):
            optimizer.first_step(True)


# what torch's own optimizers can do


def test_copies_with_a_scheduler_step_their_own_parameters():
    """A scheduler puts a step on the instance that refers to the instance alone."""
    net = small_net()
    optimizer = SAM(torch.optim.Adam(net.parameters(), lr=0.02), 0.1, module=net)
    schedules = [torch.optim.lr_scheduler.StepLR(o, 3, 0.5) for o in (optimizer, optimizer.base)]
    start = copy.deepcopy(net.state_dict())
    for make_copy in (copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))):
        model, opt = make_copy((net, optimizer))
        x, y = next(iter(batches()))
        opt.step(closure_for(opt, lambda: functional.cross_entropy(model(x), y)))  # noqa: B023
        for name, value in start.items():
            assert torch.equal(net.state_dict()[name], value)
        moved = [
            p
            for p, q in zip(model.parameters(), net.parameters(), strict=True)
            if not torch.equal(p, q)
        ]
        assert len(moved) == len(list(net.parameters()))
    assert len(schedules) == 2


def test_hooks_see_each_step_once_whichever_way_it_is_made():
    net, seen = small_net(), []
    optimizer = SAM(SGD(net.parameters(), lr=0.1))
    before = optimizer.register_step_pre_hook(lambda o, args, kwargs: seen.append(("pre", o)))
    optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append(("post", o)))
    x, y = next(iter(batches()))
    optimizer.step(closure_for(optimizer, lambda: functional.cross_entropy(net(x), y)))
    assert seen == [("pre", optimizer), ("post", optimizer)]
    before.remove()
    optimizer.zero_grad()
    functional.cross_entropy(net(x), y).backward()
    optimizer.first_step()
    optimizer.second_step()
    assert seen[2:] == [("post", optimizer)]


def test_hooks_of_state_dicts_may_replace_them():
    theta = nn.Parameter(torch.ones(1))
    optimizer, seen = SAM(SGD([theta], lr=0.1)), []
    optimizer.register_state_dict_pre_hook(seen.append)
    optimizer.register_state_dict_post_hook(lambda o, state: {**state, "rho": o.rho})
    optimizer.register_load_state_dict_pre_hook(
        lambda o, state: {key: value for key, value in state.items() if key != "rho"}
    )
    optimizer.register_load_state_dict_post_hook(seen.append)
    state = optimizer.state_dict()
    assert state["rho"] == 0.05
    state["param_groups"][0]["lr"] = 0.7
    optimizer.load_state_dict(state)
    assert optimizer.base.param_groups[0]["lr"] == 0.7
    assert seen == [optimizer, optimizer]


def test_profiler_labels_the_step():
    theta = nn.Parameter(torch.ones(1))
    optimizer = FisherSAM(SGD([theta], lr=0.1))
    with torch.profiler.profile() as profile:
        optimizer.step(closure_for(optimizer, lambda: half_square(theta)))
    assert "Optimizer.step#FisherSAM.step" in {event.key for event in profile.key_averages()}


@pytest.mark.filterwarnings("error")
def test_scheduler_sees_the_steps_of_two_explicit_passes():
    theta = nn.Parameter(torch.ones(1))
    optimizer = SAM(SGD([theta], lr=0.1))
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    for _ in range(3):
        half_square(theta).backward()
        optimizer.first_step(zero_grad=True)
        half_square(theta).backward()
        optimizer.second_step(zero_grad=True)
        schedule.step()
    assert optimizer.base.param_groups[0]["lr"] == pytest.approx(0.1 / 8)


class Remembering(nn.Module):
    """A layer with running statistics beside a memory of rows."""

    def __init__(self, n):
        super().__init__()
        self.layer = nn.BatchNorm1d(2)
        self.memory = SampleMemory(n, 3)


def test_rows_of_samples_are_not_cloned_in_a_step():
    module = Remembering(4)
    with frozen_buffers(module):
        module.layer(torch.randn(5, 2))
        module.memory.write(torch.tensor([1]), torch.ones(1, 3))
    assert not module.layer.running_mean.any()  # put back
    assert module.memory.values[1].tolist() == [1, 1, 1]  # left alone
    sizes = [largest_allocation(Remembering(n)) for n in (10, 100_000)]
    assert sizes[0] == sizes[1]


def largest_allocation(module):
    with (
        torch.profiler.profile(profile_memory=True, acc_events=True) as profile,
        frozen_buffers(module),
    ):
        module.layer.running_mean.add_(1)
    return sum(max(0, event.self_cpu_memory_usage) for event in profile.events())


def test_fisher_diagonal_is_the_mean_of_squared_gradients_of_single_examples():
    net = small_net(dtype=torch.float64)
    x, y = next(iter(batches()))
    x = x.double()
    expected = [torch.zeros_like(p) for p in net.parameters()]
    for i in range(len(x)):
        net.zero_grad()
        functional.cross_entropy(net(x[i : i + 1]), y[i : i + 1]).backward()
        for total, p in zip(expected, net.parameters(), strict=True):
            total += p.grad.square() / len(x)
    net.zero_grad()
    exact = fisher_diagonal(net, functional.cross_entropy, x, y, per_example=True)
    for F, F_expected in zip(exact, expected, strict=True):
        torch.testing.assert_close(F, F_expected)
    assert all(p.grad is None for p in net.parameters())
    functional.cross_entropy(net(x), y).backward()
    cheap = fisher_diagonal(net, functional.cross_entropy, x, y)
    for F, p in zip(cheap, net.parameters(), strict=True):
        torch.testing.assert_close(F, p.grad.square())


def test_fisher_step_with_the_squared_gradient_given_is_the_default():
    net, again = small_net(), small_net()
    x, y = next(iter(batches()))
    for model, given in ((net, False), (again, True)):
        optimizer = FisherSAM(torch.optim.SGD(model.parameters(), lr=0.1), eta=10.0)
        functional.cross_entropy(model(x), y).backward()
        fisher = fisher_diagonal(model, functional.cross_entropy, x, y) if given else None
        optimizer.first_step(fisher)
    for p, q in zip(net.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(p, q)


@pytest.mark.parametrize("n", [(0, 0), (3, 2)])
def test_fisher_diagonal_needs_examples(n):
    with pytest.raises(ValueError, match="length"):
        fisher_diagonal(
            small_net(), functional.cross_entropy, torch.ones(n[0], 4), torch.ones(n[1])
        )
