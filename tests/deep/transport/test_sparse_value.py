"""Derivatives of the value of transport against finite differences and the potentials of POT."""

import warnings

import numpy as np
import ot
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning

from skreg.deep.torch import sparse_transport_value
from skreg.transport import sparse_transport


def problem(n=6, m=4, seed=0):
    """Logits of both masses, and costs, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    logits_a, logits_b, C = (
        torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for shape in ((n,), (m,), (n, m))
    )
    return logits_a, logits_b, C


@pytest.mark.parametrize("mass", [1.0, 7.0])
@pytest.mark.parametrize("max_nz", [1, 2, 3, 6])
def test_derivatives_are_those_of_finite_differences(max_nz, mass):
    logits_a, logits_b, C = problem()

    def value(logits_a, logits_b, C):
        return sparse_transport_value(
            mass * logits_a.softmax(0), mass * logits_b.softmax(0), C,
            max_nz=max_nz, gamma=0.8, tol=1e-10,
        )  # fmt: skip

    assert torch.autograd.gradcheck(value, (logits_a, logits_b, C), eps=1e-3, atol=1e-5 * mass)


def test_masses_grow_on_both_sides_alike():
    """Along (a, b) the derivative is that of the value in the common sum, in any unit of masses."""
    logits_a, logits_b, C = problem()
    scale = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)

    def value(scale):
        return sparse_transport_value(
            scale * logits_a.detach().softmax(0), scale * logits_b.detach().softmax(0), C.detach(),
            max_nz=2, tol=1e-10,
        )  # fmt: skip

    assert torch.autograd.gradcheck(value, (scale,), eps=1e-3, atol=1e-5)


def test_potentials_of_unregularised_transport_are_those_of_pot():
    """Towards gamma = 0, in directions that keep the sums."""
    rng = np.random.default_rng(0)
    a, b, C = rng.dirichlet(np.ones(7)), rng.dirichlet(np.ones(5)), rng.random((7, 5))
    _, log = ot.emd(a, b, C, log=True)
    masses = [torch.tensor(x, requires_grad=True) for x in (a, b)]
    value = sparse_transport_value(*masses, torch.tensor(C), max_nz=7, gamma=1e-7)
    assert value.item() == pytest.approx(log["cost"], abs=1e-6)
    value.backward()
    for found, expected in zip(masses, (log["u"], log["v"]), strict=True):
        centred = found.grad - found.grad.mean()
        np.testing.assert_allclose(centred, expected - expected.mean(), atol=1e-5)


def test_a_gradient_step_keeps_both_sums_equal():
    logits_a, logits_b, C = problem()
    a, b = (x.detach().softmax(0).requires_grad_() for x in (logits_a, logits_b))
    sparse_transport_value(a, b, C, max_nz=3).backward()
    assert a.grad.sum().item() == pytest.approx(b.grad.sum().item(), abs=1e-12)


def test_a_batch_is_its_problems():
    a = torch.rand(2, 3, 6, dtype=torch.float64).softmax(-1).requires_grad_()
    b = torch.full((4,), 0.25, dtype=torch.float64, requires_grad=True)
    C = torch.randn(2, 3, 6, 4, dtype=torch.float64, requires_grad=True)
    weights = torch.rand(2, 3, dtype=torch.float64)
    values = sparse_transport_value(a, b, C, max_nz=3)
    assert values.shape == (2, 3)
    together = torch.autograd.grad((weights * values).sum(), (a, b, C))
    ones = torch.stack(
        [
            sparse_transport_value(x, b, c, max_nz=3)
            for x, c in zip(a.flatten(0, 1), C.flatten(0, 1), strict=True)
        ]
    )
    alone = torch.autograd.grad((weights.flatten() * ones).sum(), (a, b, C))
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one, other)


def test_no_problems_have_no_values():
    C = torch.zeros(0, 4, 2, requires_grad=True)
    values = sparse_transport_value(torch.full((4,), 0.25), torch.full((2,), 0.5), C, max_nz=2)
    values.sum().backward()
    assert values.shape == (0,)
    assert C.grad.shape == (0, 4, 2)


def test_functions_around_it_can_be_compiled():
    a, b = torch.full((6,), 1 / 6), torch.full((2,), 0.5)
    C = torch.rand(6, 2, requires_grad=True)

    def loss(C):
        return 2 * sparse_transport_value(a, b, C.sqrt(), max_nz=3)

    found, expected = torch.compile(loss, backend="eager")(C), loss(C)
    assert found.item() == expected.item()
    (derivative,) = torch.autograd.grad(found, C)
    torch.testing.assert_close(derivative, torch.autograd.grad(expected, C)[0])


def test_costs_alone_may_want_a_derivative():
    a, b = torch.full((4,), 0.25), torch.full((2,), 0.5)
    C = torch.tensor([[0.0, 1.0], [0.2, 0.9], [1.0, 0.0], [0.7, 0.1]], requires_grad=True)
    sparse_transport_value(a, b, C, max_nz=2).backward()
    np.testing.assert_allclose(C.grad, [[0.25, 0], [0.25, 0], [0, 0.25], [0, 0.25]], atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_lower_precision_stays_as_it_is(dtype):
    """Softmaxes whose sums differ by rounding are no different masses."""
    generator = torch.Generator().manual_seed(0)
    inputs = [
        torch.randn(*shape, generator=generator).to(dtype).requires_grad_()
        for shape in ((300,), (7,), (300, 7))
    ]
    logits_a, logits_b, C = inputs
    value = sparse_transport_value(logits_a.softmax(0), logits_b.softmax(0), C, max_nz=60)
    value.backward()
    assert value.dtype == dtype
    assert all(x.grad.dtype == dtype and x.grad.isfinite().all() for x in inputs)


def test_costs_are_no_copies(monkeypatch):
    seen = []

    def spy(a, b, C, **options):
        seen.append(C)
        return sparse_transport(a, b, C, **options)

    monkeypatch.setattr("skreg.deep.transport._sparse_value.sparse_transport", spy)
    for dtype in (torch.float32, torch.float64):
        C = torch.rand(4, 2, dtype=dtype)
        sparse_transport_value(torch.full((4,), 0.25), torch.full((2,), 0.5), C, max_nz=2)
        assert np.shares_memory(seen[-1], C.numpy())


@pytest.mark.parametrize("power", [1, 2])
def test_second_derivatives_are_refused(power):
    """Also where the upstream is constant, and within a sum that has other gradients."""
    a, b = torch.full((4,), 0.25), torch.full((2,), 0.5)
    C = torch.rand(4, 2, requires_grad=True)
    value = sparse_transport_value(a, b, C, max_nz=2) ** power
    (plan,) = torch.autograd.grad(value, C, create_graph=True)
    with pytest.raises(RuntimeError, match="can be differentiated once"):
        (C.sum() + plan.square().sum()).backward()


def test_what_was_not_reached_is_said_at_the_users_line():
    logits_a, logits_b, C = problem(30, 8)
    a, b = logits_a.softmax(0), logits_b.softmax(0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sparse_transport_value(a, b, C, max_nz=4, max_iter=1)
    (warning,) = caught
    assert warning.category is ConvergenceWarning
    assert warning.filename == __file__


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"C": torch.zeros(4)}, r"C must be .* got torch.float32 of shape \(4,\)"),
        ({"C": torch.zeros(4, 2, dtype=torch.int64)}, "got torch.int64"),
        ({"a": torch.ones(3)}, r"a must be .* of shape \(4,\) or \(4,\)|a must be .* \(4,\)"),
        ({"b": torch.ones(1)}, r"b must be .* \(2,\)"),
        ({"b": torch.ones(2, dtype=torch.int64)}, "got torch.int64"),
        ({"a": torch.full((4,), 0.3)}, "a and b must have the same sum"),
        ({"b": torch.tensor([1.0, 0.0])}, "b must be positive"),
        ({"C": torch.full((4, 2), torch.nan)}, "Input C contains NaN"),
        ({"max_nz": 0}, "max_nz"),
        ({"gamma": 0.0}, "gamma"),
    ],
)  # fmt: skip
def test_bad_input(change, message):
    good = {
        "a": torch.full((4,), 0.25), "b": torch.full((2,), 0.5), "C": torch.zeros(4, 2), "max_nz": 2
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        sparse_transport_value(**{**good, **change})
