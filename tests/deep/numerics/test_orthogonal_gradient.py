"""Gradients without their component along the weights, in place and around any optimizer."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from skreg.deep.torch import (
    OrthogonalGradient,
    orthogonalize_gradients,
    weight_gradient_cosine,
)


def parameter(w, g):
    w = nn.Parameter(torch.as_tensor(w))
    w.grad = torch.as_tensor(g)
    return w


def random_parameters(dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(4, 3), (5, 2, 2)]
    return [
        parameter(*(torch.randn(shape, generator=generator, dtype=dtype) for _ in range(2)))
        for shape in shapes
    ]


def dot(a, b):
    return (a * b).sum().item()


@pytest.mark.parametrize(("rescale", "expected"), [(False, [0.64, -0.48]), (True, [0.8, -0.6])])
def test_by_hand(rescale, expected):
    w = parameter([3.0, 4.0], [1.0, 0.0])
    orthogonalize_gradients([w], rescale=rescale, min_ndim=1)
    torch.testing.assert_close(w.grad, torch.tensor(expected))


def test_each_tensor_is_orthogonal_and_keeps_its_length():
    parameters = random_parameters()
    before = [p.grad.norm().item() for p in parameters]
    orthogonalize_gradients(parameters)
    for p, length in zip(parameters, before, strict=True):
        assert abs(dot(p.detach(), p.grad)) < 1e-14
        assert p.grad.norm().item() == pytest.approx(length, rel=1e-14)


def test_global_projection_is_that_of_the_concatenated_vector():
    parameters = random_parameters()
    w = torch.cat([p.detach().flatten() for p in parameters])
    g = torch.cat([p.grad.flatten() for p in parameters])
    orthogonalize_gradients(parameters, rescale=False, per="global")
    expected = g - (w @ g) / (w @ w) * w
    found = torch.cat([p.grad.flatten() for p in parameters])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_gradient_parallel_to_the_weights_is_not_scaled_up(dtype):
    w = torch.randn(100, 10, generator=torch.Generator().manual_seed(0)).to(dtype)
    p = parameter(w, 2.5 * w)
    length = p.grad.float().norm().item()
    orthogonalize_gradients([p])
    assert p.grad.dtype == dtype
    assert p.grad.float().norm().item() <= torch.finfo(dtype).eps * length  # rounding of 2.5 w


def test_zero_weights_and_small_parameters_keep_their_gradient():
    zero = parameter(torch.zeros(2, 2), torch.ones(2, 2))
    bias = parameter(torch.ones(3), torch.ones(3))
    unused = nn.Parameter(torch.ones(2, 2))
    sparse = parameter(torch.ones(2, 2), torch.ones(2, 2).to_sparse())
    complex_ = parameter(torch.ones(2, 2) * 1j, torch.ones(2, 2) * 1j)
    orthogonalize_gradients([zero, bias, unused, sparse, complex_])
    assert (zero.grad == 1).all()
    assert (bias.grad == 1).all()
    assert unused.grad is None
    assert sparse.grad.is_sparse
    assert (sparse.grad.to_dense() == 1).all()
    assert (complex_.grad == 1j).all()
    orthogonalize_gradients([bias], min_ndim=1)
    assert not bias.grad.any()
    orthogonalize_gradients([])


def test_step_of_sgd_lengthens_the_weights_by_pythagoras():
    p = random_parameters()[0]
    before, gradient = p.detach().norm() ** 2, p.grad.norm() ** 2
    OrthogonalGradient(torch.optim.SGD([p], lr=0.3)).step()
    torch.testing.assert_close(p.detach().norm() ** 2, before + 0.09 * gradient, rtol=1e-13, atol=0)


def test_orthogonal_gradient_is_left_to_the_base_optimizer():
    p = random_parameters(torch.float32)[0]
    orthogonalize_gradients([p], rescale=False)
    twin = copy.deepcopy(p)
    twin.grad = p.grad.clone()
    OrthogonalGradient(torch.optim.AdamW([p], lr=0.1)).step()
    torch.optim.AdamW([twin], lr=0.1).step()
    torch.testing.assert_close(p, twin, rtol=0, atol=1e-6)


def test_layers_of_a_homogeneous_network_have_equal_products_and_no_first_order_gain():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(6, 5, bias=False), nn.ReLU(), nn.Linear(5, 4, bias=False), nn.ReLU(),
        nn.Linear(4, 3, bias=False),
    ).double()  # fmt: skip
    x, y = torch.randn(20, 6, dtype=torch.float64), torch.randint(3, (20,))
    F.cross_entropy(net(x), y).backward()
    products = [dot(p.detach(), p.grad) for p in net.parameters()]
    assert products == pytest.approx([products[0]] * 3, rel=1e-12)  # Euler
    orthogonalize_gradients(net.parameters())
    assert weight_gradient_cosine(net.parameters()).abs().item() < 1e-15


def test_closure_is_projected_after_backward():
    p = nn.Parameter(torch.tensor([[3.0, 4.0]]))
    optimizer = OrthogonalGradient(torch.optim.SGD([p], lr=1.0))

    def closure():
        optimizer.zero_grad()
        loss = p[0, 0] * 1.0
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 3.0
    torch.testing.assert_close(p.data, torch.tensor([[2.2, 4.6]]))


def test_lbfgs_sees_projected_gradients():
    p = nn.Parameter(torch.tensor([[3.0, 4.0]]))
    optimizer = OrthogonalGradient(torch.optim.LBFGS([p], lr=0.1, max_iter=3), rescale=False)

    def closure():
        optimizer.zero_grad()
        loss = (p**2).sum()  # the gradient is along the weights throughout
        loss.backward()
        return loss

    optimizer.step(closure)
    torch.testing.assert_close(p.data, torch.tensor([[3.0, 4.0]]))


def test_schedulers_and_checkpoints_reach_the_base_optimizer():
    p = random_parameters()[0]
    optimizer = OrthogonalGradient(torch.optim.Adam([p], lr=1.0, betas=(0.8, 0.9)))
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    optimizer.step()
    schedule.step()
    assert optimizer.base.param_groups[0]["lr"] == 0.5
    stored = copy.deepcopy(optimizer.state_dict())
    assert stored["state"][0]["step"] == 1
    fresh = OrthogonalGradient(torch.optim.Adam([p], lr=3.0))
    fresh.load_state_dict(stored)
    assert fresh.base.param_groups[0]["betas"] == (0.8, 0.9)
    torch.optim.lr_scheduler.StepLR(fresh, 1, gamma=0.1)
    fresh.param_groups[0]["lr"] = 0.25
    assert fresh.base.param_groups[0]["lr"] == 0.25


def test_cosine_of_descent_and_weights():
    p = parameter([[3.0, 4.0]], [[-6.0, -8.0]])
    assert weight_gradient_cosine([p]).item() == pytest.approx(1.0)
    p.grad = torch.tensor([[4.0, -3.0]])
    assert weight_gradient_cosine([p]).item() == 0.0
    p.grad = torch.zeros(1, 2)
    assert weight_gradient_cosine([p]).item() == 0.0
    with pytest.raises(ValueError, match="no parameter has a gradient"):
        weight_gradient_cosine([nn.Parameter(torch.ones(2))])


def test_bad_arguments():
    p = random_parameters()[0]
    with pytest.raises(ValueError, match="per must be one of 'tensor', 'global', got 'layer'"):
        OrthogonalGradient(torch.optim.SGD([p], lr=0.1), per="layer")
    with pytest.raises(ValueError, match="per must be one of"):
        orthogonalize_gradients([p], per=None)
    with pytest.raises(TypeError, match=r"base must be a torch\.optim\.Optimizer"):
        OrthogonalGradient([p])
