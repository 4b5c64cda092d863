"""Routing against balanced assignment, and what must hold for any logits."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from sklearn.exceptions import ConvergenceWarning
from torch import nn

from skreg.deep.torch import SparsityConstrainedRouter


def gaussian(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def whole_numbers(high, *shape):
    return torch.randint(0, high, shape, generator=torch.Generator().manual_seed(0)).float()


ADVERSE = {
    "equal": torch.zeros(48, 6),
    "equal, uneven": torch.full((50, 7), 0.1),
    "one favourite": gaussian(48, 6) + torch.tensor([50.0, 0, 0, 0, 0, 0]),
    "two values": whole_numbers(2, 50, 7),
    "three values": whole_numbers(3, 48, 6),
    "copies": gaussian(5, 6)[whole_numbers(5, 48).long()],
    "half copies": torch.cat([gaussian(1, 6).expand(24, 6), gaussian(24, 6, seed=1)]),
    "huge": 1e30 * gaussian(48, 6),
    "tiny": 1e-30 * gaussian(48, 6),
    "an outlier": torch.cat([gaussian(47, 6), torch.full((1, 6), -1e6).fill_diagonal_(1e6)]),
    "heavy tails": gaussian(48, 6) / gaussian(48, 6, seed=1),
    "fewer tokens than experts": gaussian(3, 6),
    "a token": gaussian(1, 6),
    "an expert": gaussian(9, 1),
}


@pytest.mark.parametrize("capacity", [0.4, 1.0, 2.0, 11])
@pytest.mark.parametrize("gamma", [0.01, 1.0])
@pytest.mark.parametrize("name", ADVERSE)
def test_no_expert_is_overfull_and_no_token_dropped_without_need(name, gamma, capacity):
    logits = ADVERSE[name]
    n, m = logits.shape
    room = capacity if isinstance(capacity, int) else int(np.ceil(capacity * n / m))
    routing = SparsityConstrainedRouter(capacity, gamma, renormalize=True)(logits)
    assert routing.load.max() <= room
    assert routing.n_dropped == max(0, n - room * m)
    taken = routing.mask.any(-1)
    assert torch.equal(routing.weights > 0, routing.mask) or name in ("huge", "an outlier")
    torch.testing.assert_close(routing.weights.sum(-1), taken.float())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("gamma", [0.01, 0.1, 1.0])
def test_room_for_each_token_once_is_balanced_assignment(gamma, seed):
    """n = k m: the optimum of scipy on columns that are repeated k times."""
    logits = gaussian(48, 6, seed=seed)
    tokens, seats = linear_sum_assignment(-logits.numpy().repeat(8, axis=1))
    expected = np.zeros((48, 6), dtype=bool)
    expected[tokens, seats // 8] = True
    mask = SparsityConstrainedRouter(8, gamma)(logits).mask
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("name", ["three values", "copies"])
def test_of_ties_the_assignment_is_optimal(name):
    logits = ADVERSE[name].double()
    n, m = logits.shape
    room = n // m
    mask = SparsityConstrainedRouter(room)(logits).mask
    tokens, seats = linear_sum_assignment(-logits.numpy().repeat(room, axis=1))
    best = logits.numpy()[tokens, seats // room].sum()
    assert logits[mask].sum().item() == pytest.approx(best, abs=1e-9)


def test_the_largest_gate_overfills_an_expert_where_transport_does_not():
    logits = gaussian(64, 4) + torch.tensor([2.0, 0.0, 0.0, 0.0])
    assert torch.bincount(logits.argmax(-1)).max() > 20
    routing = SparsityConstrainedRouter(1.25)(logits)
    assert routing.load.max() <= 20
    assert routing.n_dropped == 0


def test_experts_share_tokens_the_more_the_larger_gamma():
    logits = gaussian(64, 4)
    shared = [
        SparsityConstrainedRouter(2.0, gamma)(logits).mask.sum().item()
        for gamma in (0.01, 0.3, 10.0)
    ]
    assert 64 <= shared[0] < shared[1] < shared[2] == 128


def test_an_order_of_tokens_and_experts_is_none():
    logits, rng = gaussian(48, 6), np.random.default_rng(0)
    rows, columns = torch.tensor(rng.permutation(48)), torch.tensor(rng.permutation(6))
    router = SparsityConstrainedRouter(1.25)
    routing, moved = router(logits), router(logits[rows][:, columns])
    assert torch.equal(moved.mask, routing.mask[rows][:, columns])
    torch.testing.assert_close(moved.weights, routing.weights[rows][:, columns])


def test_the_mask_knows_no_unit_and_no_offsets():
    logits = gaussian(48, 6).double()
    router = SparsityConstrainedRouter(1.5)
    mask = router(logits).mask
    for other in (
        1000 * logits,
        1e-5 * logits,
        logits + 3 * gaussian(48, 1),
        logits + 3 * gaussian(6),
    ):
        assert torch.equal(router(other).mask, mask)


def test_groups_are_routed_by_themselves():
    logits = gaussian(2, 3, 24, 4)
    router = SparsityConstrainedRouter(1.25)
    routing = router(logits)
    assert routing.load.shape == (2, 3, 4)
    assert routing.n_dropped.shape == (2, 3)
    for i in range(2):
        for j in range(3):
            alone = router(logits[i, j])
            assert torch.equal(routing.mask[i, j], alone.mask)
            torch.testing.assert_close(routing.weights[i, j], alone.weights)
    assert router(logits[:, :0]).mask.shape == (2, 0, 24, 4)
    assert router(logits[..., :0, :]).weights.shape == (2, 3, 0, 4)


@pytest.mark.parametrize("renormalize", [True, False])
def test_gradients_are_those_of_the_gate_for_a_fixed_mask(renormalize):
    logits = gaussian(24, 4).double().requires_grad_()
    router = SparsityConstrainedRouter(2.0, gamma=1.0, renormalize=renormalize)
    routing = router(logits)
    assert not routing.mask.requires_grad
    target = gaussian(24, 4, seed=1).double()
    (found,) = torch.autograd.grad((routing.weights * target).sum(), logits)
    gates = logits.exp() * routing.mask
    gates = gates / (gates if renormalize else logits.exp()).sum(-1, keepdim=True)
    torch.testing.assert_close(routing.weights, gates)
    (expected,) = torch.autograd.grad((gates * target).sum(), logits)
    torch.testing.assert_close(found, expected)
    assert torch.autograd.gradcheck(lambda x: router(x).weights, (logits,))


def test_dropped_tokens_have_no_weight_and_no_gradient():
    logits = gaussian(24, 4).requires_grad_()
    routing = SparsityConstrainedRouter(2)(logits)
    dropped = ~routing.mask.any(-1)
    assert dropped.sum() == routing.n_dropped == 16
    routing.weights.square().sum().backward()
    assert not routing.weights[dropped].any()
    assert logits.grad.isfinite().all()
    assert not logits.grad[dropped].any()


def test_a_forced_expert_of_negligible_gate_has_the_whole_weight():
    logits = torch.tensor([[200.0, 0.0], [400.0, 0.0]], requires_grad=True)
    routing = SparsityConstrainedRouter(1.0, renormalize=True)(logits)
    assert routing.weights.tolist() == [[0.0, 1.0], [1.0, 0.0]]
    routing.weights.sum().backward()
    assert not logits.grad.any()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_types_and_modes(dtype):
    logits = gaussian(48, 6).to(dtype)
    router = SparsityConstrainedRouter(1.25)
    routing = router(logits)
    assert routing.weights.dtype == dtype
    assert torch.equal(routing.mask, router(logits.double()).mask)
    with torch.no_grad():
        assert torch.equal(router.eval()(logits).weights, routing.weights)
    with torch.inference_mode():
        assert torch.equal(router.train()(logits.clone()).mask, routing.mask)


class Mixture(nn.Module):
    """Two linear experts."""

    def __init__(self, capacity):
        super().__init__()
        self.gate = nn.Linear(2, 2)
        self.experts = nn.ModuleList(nn.Linear(2, 1) for _ in range(2))
        self.router = SparsityConstrainedRouter(capacity)

    def forward(self, X):
        answers = torch.cat([expert(X) for expert in self.experts], dim=1)
        routing = self.router(self.gate(X))
        return (routing.weights * answers).sum(-1), routing


def test_a_mixture_learns_which_expert_is_whose():
    """|x| is linear on either side of zero; of the same experts by chance the loss stays."""
    torch.manual_seed(0)
    X = gaussian(128, 2)
    y, mixture = X[:, 0].abs(), Mixture(1.0)
    gate = copy.deepcopy(mixture.gate)
    optimizer = torch.optim.SGD(mixture.parameters(), lr=0.3)
    losses = []
    for _ in range(100):
        optimizer.zero_grad()
        answers, routing = mixture(X)
        loss = (answers - y).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        assert routing.load.tolist() == [64, 64]
    assert losses[-1] < 0.2 * losses[0]
    assert not torch.equal(gate.weight, mixture.gate.weight)


def test_a_loose_tolerance_loses_no_small_shares():
    routing = SparsityConstrainedRouter(1.0, tol=0.1)(torch.zeros(64, 32))
    assert routing.load.tolist() == [2] * 32
    assert routing.n_dropped == 0


def test_copies_route_alike():
    logits, router = gaussian(48, 6), SparsityConstrainedRouter(1.25, 0.5, 60, tol=1e-5)
    for other in (pickle.loads(pickle.dumps(router)), copy.deepcopy(router)):
        assert torch.equal(other(logits).mask, router(logits).mask)
    assert not router.state_dict()
    assert repr(router) == (
        "SparsityConstrainedRouter(capacity=1.25, gamma=0.5, n_iter=60, tol=1e-05, "
        "renormalize=False)"
    )


def test_what_was_not_reached_is_said_at_the_users_line():
    logits, router = gaussian(48, 6), SparsityConstrainedRouter(1.25, n_iter=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        routing = router(logits)
    assert routing.load.max() <= 10
    (warning,) = caught
    assert warning.category is ConvergenceWarning
    assert warning.filename == __file__


def test_modules_around_it_can_be_compiled():
    router = SparsityConstrainedRouter(1.25)
    compiled = torch.compile(nn.Sequential(nn.Tanh(), router), backend="eager")
    logits = gaussian(48, 6)
    assert torch.equal(compiled(logits).mask, router(logits.tanh()).mask)


@pytest.mark.parametrize(
    ("logits", "message"),
    [
        (torch.tensor([[0.0, torch.nan], [1.0, torch.inf]]), "2 of 4 are NaN or infinite"),
        (torch.zeros(4), r"got torch.float32 of shape \(4,\)"),
        (torch.zeros(4, 2, dtype=torch.int64), "got torch.int64"),
    ],
)
def test_bad_logits(logits, message):
    with pytest.raises(ValueError, match=f"logits must be .*{message}"):
        SparsityConstrainedRouter(2)(logits)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"capacity": 0}, "capacity, as a number of tokens"),
        ({"capacity": True}, "capacity"),
        ({"capacity": 0.0}, "capacity, as a factor"),
        ({"capacity": float("inf")}, "capacity, as a factor"),
        ({"capacity": "1"}, "capacity"),
        ({"capacity": 1.0, "gamma": 0.0}, "gamma must be"),
        ({"capacity": 1.0, "n_iter": 0}, "n_iter must be"),
        ({"capacity": 1.0, "n_iter": 1.5}, "n_iter must be"),
        ({"capacity": 1.0, "tol": 0.0}, "tol must be"),
        ({"capacity": 1.0, "tol": 1.0}, "tol must be"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        SparsityConstrainedRouter(**parameters)
