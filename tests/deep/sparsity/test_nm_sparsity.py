"""N:M sparsity: masks, gradients and schedules against sorting, brute force and closed forms."""

import copy
import io
import itertools
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Checkpoint, LoadInitState
from torch import nn
from torch.ao.pruning import WeightNormSparsifier
from torch.nn import functional as F
from torch.nn.utils import parametrizations, parametrize
from torch.sparse._semi_structured_conversions import (
    sparse_semi_structured_from_dense_cutlass,
    sparse_semi_structured_to_dense_cutlass,
)

from skreg.deep import DeepClassifier, DeepRegressor, RegularizedNetClassifier
from skreg.deep.regularizers import ELR, SAM, SWA, EMAWeights, LabelSmoothing, MagnitudePruning
from skreg.deep.regularizers import NMSparsity as NMRegularizer
from skreg.deep.sparsity._nm_sparsity import pruned_energy
from skreg.deep.torch import (
    FrozenCopy,
    NMSparsity,
    apply_nm_sparsity,
    epsilon_sharpness,
    finalize_nm_sparsity,
    is_nm_sparse,
    masked_weights,
    nm_beta,
    nm_mask,
    nm_pattern,
    nm_project,
    remove_masks,
    set_nm_progress,
    sparsity_report,
    weight_masks,
)

RECIPES = ["ste", "srste", "mdgf-linear", "mdgf-exp", "sdgf-step", "sdgf-geometric"]
W = torch.tensor([[1.0, -3.0, 2.0, 0.5]])
G = torch.tensor([[1.0, 2.0, 3.0, 4.0]])


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def by_sorting(weight, n, m, dim):
    """A stable argsort in each group, as the paper's code means it."""
    rows = weight.float().abs().movedim(dim, -1)
    groups = rows.reshape(-1, m)
    kept = torch.zeros(groups.shape, dtype=torch.bool)
    kept.scatter_(1, groups.sort(dim=1, stable=True).indices[:, m - n :], True)
    return kept.view(rows.shape).movedim(-1, dim)


# masks


def test_the_mask_of_a_vector_is_the_known_one():
    w = torch.tensor([1, -3, 2, 0.5, 0.1, 0.2, -0.3, 0.4])
    assert nm_mask(w, 2, 4, dim=0).int().tolist() == [0, 1, 1, 0, 0, 0, 1, 1]


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 20).flatmap(lambda m: st.tuples(st.integers(1, m), st.just(m))),
    st.integers(0, 1),
    st.integers(0, 10_000),
    st.sampled_from(["distinct", "ties", "zeros"]),
    st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.float16]),
)
def test_masks_are_those_of_sorting(pattern, dim, seed, values, dtype):
    n, m = pattern
    shape = (3 * m, 2, 3) if dim == 0 else (2, 3 * m, 3)
    weight = random(*shape, seed=seed)
    weight = {"distinct": weight, "ties": weight.round(), "zeros": 0 * weight}[values].to(dtype)
    mask = nm_mask(weight, n, m, dim)
    assert torch.equal(mask, by_sorting(weight, n, m, dim))
    assert (mask.movedim(dim, -1).reshape(-1, m).sum(1) == n).all()


def test_of_equal_magnitudes_the_later_is_kept():
    ties = torch.tensor([[1.0, -1.0, 1.0, -1.0], [0.0, -0.0, 0.0, 0.0], [2.0, 1.0, -1.0, 1.0]])
    expected = [[0, 0, 1, 1], [0, 0, 1, 1], [1, 0, 0, 1]]
    assert nm_mask(ties, 2, 4).int().tolist() == expected
    assert nm_mask(ties, 3, 4).int().tolist() == [[0, 1, 1, 1], [0, 1, 1, 1], [1, 0, 1, 1]]


def test_values_that_are_no_numbers_leave_exactly_n():
    weight = torch.tensor([[math.nan, math.inf, -math.inf, 1.0], [math.nan, 1.0, math.nan, 2.0]])
    assert nm_mask(weight, 2, 4).int().tolist() == [[1, 0, 1, 0], [1, 0, 1, 0]]


def test_groups_of_a_convolution_are_its_input_channels():
    weight = random(6, 8, 3, 5)
    rows = weight.permute(0, 2, 3, 1).reshape(-1, 4)  # (O, kh, kw, I), flat
    mask = torch.zeros(rows.shape, dtype=torch.bool)
    mask.scatter_(1, rows.abs().argsort(dim=1)[:, 2:], True)
    expected = mask.view(6, 3, 5, 8).permute(0, 3, 1, 2)
    assert torch.equal(nm_mask(weight, 2, 4), expected)


def test_no_other_vector_of_the_pattern_is_nearer():
    for seed, (n, m) in itertools.product(range(20), [(2, 4), (1, 4), (3, 5)]):
        w = random(1, m, seed=seed).double()
        distance = (nm_project(w, n, m) - w).norm()
        for kept in itertools.combinations(range(m), n):
            other = torch.zeros_like(w)
            other[0, list(kept)] = w[0, list(kept)]  # the best of this support
            assert distance <= (other - w).norm()


def test_projections_are_sparse_and_others_are_not():
    weight = random(8, 32)
    for n, m in [(2, 4), (1, 8), (4, 8), (1, 32), (4, 4)]:
        projected = nm_project(weight, n, m)
        assert is_nm_sparse(projected, n, m)
        assert torch.equal(nm_project(projected, n, m), projected)
        assert is_nm_sparse(projected.T, n, m, dim=0)
        if n > 1 and n < m:
            assert not is_nm_sparse(projected, n - 1, m)
    assert nm_mask(weight, 4, 4).all()


def test_two_of_four_is_the_pattern_of_torch():
    weight = random(8, 16)
    layer = nn.Sequential(nn.Linear(16, 8))
    with torch.no_grad():
        layer[0].weight.copy_(weight)
    sparsifier = WeightNormSparsifier(1.0, sparse_block_shape=(1, 4), zeros_per_block=2)
    sparsifier.prepare(layer, [{"tensor_fqn": "0.weight"}])
    sparsifier.step()
    assert torch.equal(nm_mask(weight, 2, 4), layer[0].parametrizations.weight[0].mask.bool())


def test_two_of_four_survives_the_compressed_form_of_gpus():
    weight = random(32, 64).half()
    projected = nm_project(weight, 2, 4)
    compressed = sparse_semi_structured_from_dense_cutlass(projected)
    assert compressed[0].shape == (32, 32)
    assert torch.equal(sparse_semi_structured_to_dense_cutlass(*compressed), projected)


# forward and backward


def answer(sparsity, weight=W, gradient=G):
    """The weight that is used, and the gradient of the dense one."""
    dense = weight.clone().requires_grad_()
    used = sparsity(dense)
    (used * gradient).sum().backward()
    return used.detach(), dense.grad


@pytest.mark.parametrize(
    ("arguments", "beta", "used", "gradient"),
    [
        (("ste",), 0.0, [0, -3, 2, 0], [1, 2, 3, 4]),
        (("srste",), 0.0, [0, -3, 2, 0], [1 + 2e-4 * 1, 2, 3, 4 + 2e-4 * 0.5]),
        (("mdgf-exp",), 0.25, [0.25, -3, 2, 0.125], [1, 2, 3, 4]),
        (("mdgf-linear",), 0.25, [0.25, -3, 2, 0.125], [1, 2, 3, 4]),
        (("mdgf-exp", "masked"), 0.25, [0.25, -3, 2, 0.125], [0.25, 2, 3, 1]),
        (("ste", "masked"), 0.0, [0, -3, 2, 0], [0, 2, 3, 0]),
    ],
)
def test_weights_and_gradients_are_the_papers(arguments, beta, used, gradient):
    recipe, *way = arguments
    sparsity = NMSparsity(2, 4, recipe, gradient=way[0] if way else "ste")
    sparsity.set_stage((2, 4), beta)
    found = answer(sparsity)
    torch.testing.assert_close(found[0], torch.tensor([used]).float(), rtol=0, atol=0)
    torch.testing.assert_close(found[1], torch.tensor([gradient]).float(), rtol=1e-7, atol=0)


def perceptron(width=16, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(6, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 3)
    )


def trained(net, before_step=lambda net, step: None, steps=12):
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    x, y = random(20, 6, seed=1), torch.arange(20) % 3
    for step in range(steps):
        before_step(net, step)
        optimizer.zero_grad()
        F.cross_entropy(net(x), y).backward()
        optimizer.step()
    return net


def same_weights(net, other):
    return all(torch.equal(a, b) for a, b in zip(tensors(net), tensors(other), strict=True))


def tensors(net):
    return [value for name, value in sorted(net.named_parameters()) if value.ndim]


def test_all_of_the_masked_weight_is_dense_training_to_the_bit():
    def dense(net, step):
        for _, part in masked_weights(net):
            part.set_stage((1, 8), 1.0)

    net = trained(apply_nm_sparsity(perceptron(), 1, 8), dense)
    plain = trained(perceptron())
    assert torch.equal(net[2].parametrizations.weight.original, plain[2].weight)
    assert torch.equal(net[4].weight, plain[4].weight)


def test_nothing_of_it_and_no_decay_are_the_straight_through_estimator():
    def binary(net, step):
        for _, part in masked_weights(net):
            part.set_stage((1, 8), 0.0)

    ste = trained(apply_nm_sparsity(perceptron(), 1, 8, "ste"))
    mask_decay = trained(apply_nm_sparsity(perceptron(), 1, 8, "mdgf-exp"), binary)
    no_decay = trained(apply_nm_sparsity(perceptron(), 1, 8, "srste", srste_lambda=0.0))
    decay = trained(apply_nm_sparsity(perceptron(), 1, 8, "srste", srste_lambda=0.1))
    assert same_weights(mask_decay, ste)
    assert same_weights(no_decay, ste)
    assert not same_weights(decay, ste)


def test_masks_are_made_of_the_present_weights():
    net = apply_nm_sparsity(perceptron(), 2, 4, "ste")
    with torch.no_grad():
        net[2].parametrizations.weight.original.copy_(random(16, 16, seed=5))
    assert torch.equal(net[2].weight, nm_project(random(16, 16, seed=5), 2, 4))
    assert torch.equal(weight_masks(net)["2.weight"], nm_mask(random(16, 16, seed=5), 2, 4))


# schedules


def test_mask_decay_is_the_formula():
    linear = [nm_beta(t, t / 1000, "mdgf-linear", decay_coef=0.01) for t in (0, 50, 100, 200)]
    assert linear == pytest.approx([1, 0.5, 0, 0])
    assert nm_beta(100, 0.1, "mdgf-exp", decay_coef=0.01) == pytest.approx(math.exp(-1))
    late = {"decay_coef": 0.01, "dense_fraction": 0.2}
    assert nm_beta(200, 0.2, **late) == 1.0
    assert nm_beta(300, 0.3, **late) == pytest.approx(math.exp(-1))
    assert nm_beta(899, 0.899, **late) > 0
    assert nm_beta(900, 0.9, **late) == 0.0


@pytest.mark.parametrize(("recipe", "end"), [("mdgf-exp", 1e-3), ("mdgf-linear", 0.0)])
def test_automatic_decay_ends_with_the_sparse_phase(recipe, end):
    phases = {"dense_fraction": 0.2, "finetune_fraction": 0.3}
    c = {"mdgf-exp": math.log(1e3) / 500, "mdgf-linear": 1 / 500}[recipe]
    for step in (0, 100, 200, 300, 450, 699):
        by_hand = nm_beta(step, step / 1000, recipe, decay_coef=c, **phases)
        assert nm_beta(step, step / 1000, recipe, **phases) == pytest.approx(by_hand)
    assert by_hand == pytest.approx(end, abs=3e-3)
    assert nm_beta(700, 0.7, recipe, **phases) == 0.0


def changes(recipe, n, m, epochs=100, **phases):
    patterns = [nm_pattern(epoch / epochs, n, m, recipe, **phases) for epoch in range(epochs)]
    return {
        epoch: pattern
        for epoch, pattern in enumerate(patterns)
        if epoch == 0 or pattern != patterns[epoch - 1]
    }


def test_structure_decay_is_the_papers():
    assert changes("sdgf-step", 1, 16, finetune_fraction=0.0) == {
        0: (15, 16), 20: (8, 16), 40: (4, 16), 60: (2, 16), 80: (1, 16),
    }  # fmt: skip
    assert changes("sdgf-geometric", 1, 8, finetune_fraction=0.0) == {
        0: (8, 64), 25: (4, 32), 50: (2, 16), 75: (1, 8),
    }  # fmt: skip
    assert changes("sdgf-step", 2, 8, dense_fraction=0.1, finetune_fraction=0.3) == {
        0: (8, 8), 10: (7, 8), 30: (4, 8), 50: (2, 8),
    }  # fmt: skip
    assert changes("srste", 2, 4, dense_fraction=0.5) == {0: (4, 4), 50: (2, 4)}
    assert changes("sdgf-step", 4, 4) == {0: (4, 4)}
    assert changes("sdgf-step", 1, 2, finetune_fraction=0) == {0: (1, 2)}


def test_progress_in_steps_is_that_of_the_functions():
    net = apply_nm_sparsity(perceptron(), 1, 8, "sdgf-step", dense_fraction=0.2)
    (part,) = [part for _, part in masked_weights(net)]
    for step in range(0, 1001, 50):
        set_nm_progress(net, step, 1000)
        assert part.pattern_ == nm_pattern(step / 1000, 1, 8, "sdgf-step", dense_fraction=0.2)
    decaying = NMSparsity(1, 8, "mdgf-exp", decay_coef=0.01, dense_fraction=0.1)
    decaying.set_progress(150, 1000)
    assert decaying.beta_ == pytest.approx(math.exp(-0.5))
    decaying.set_progress(2000, 1000)
    assert decaying.beta_ == 0.0


# networks


class Attentive(nn.Module):
    """Attention, convolutions with groups, and an embedding tied to the last layer."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(11, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.convolution = nn.Conv1d(8, 8, 3, padding=1, groups=2)
        self.head = nn.Linear(8, 11, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens):
        x = self.embedding(tokens)
        x = x + self.attention(x, x, x, need_weights=False)[0]
        return self.head(self.convolution(x.mT).mT)


TOKENS = torch.arange(10).view(2, 5)


@pytest.mark.parametrize(
    ("dim", "layers"), [(1, "all"), (0, ["attention", "attention.*", "convolution"])]
)
def test_finalized_networks_are_plain_and_predict_the_same(dim, layers):
    net = apply_nm_sparsity(Attentive(), 1, 4, dim=dim, layers=layers)
    parts = [part for _, part in masked_weights(net)]
    assert len(parts) == (4 if dim else 3)
    for part in parts:
        part.set_stage((1, 4), 0.0)
    before = net(TOKENS)
    for part in parts:
        part.set_stage((3, 4), 0.7)
    assert not torch.equal(net(TOKENS), before)
    assert finalize_nm_sparsity(net) is net
    assert torch.equal(net(TOKENS), before)
    names = {name for name, _ in Attentive().named_parameters()}
    assert {name for name, _ in net.named_parameters()} == names
    assert not [*masked_weights(net)]
    assert net.head.weight is net.embedding.weight
    for weight in (net.attention.in_proj_weight, net.attention.out_proj.weight):
        assert is_nm_sparse(weight, 1, 4, dim)
    assert is_nm_sparse(net.convolution.weight, 1, 4, dim)
    assert is_nm_sparse(net.head.weight, 1, 4) == (dim == 1)
    exported = torch.export.export(net.eval(), (TOKENS,)).module()
    torch.testing.assert_close(exported(TOKENS), before)


def test_groups_along_outputs_stay_within_projections_and_groups():
    straddling = apply_nm_sparsity(Attentive(), 1, 4, dim=0, layers="convolution")
    assert is_nm_sparse(finalize_nm_sparsity(straddling).convolution.weight, 1, 4, 0)
    for layers, length in (("attention", 8), ("convolution", 4)):
        with pytest.raises(ValueError, match=f"{layers}' has {length} .weight"):
            apply_nm_sparsity(Attentive(), 1, 24 if length == 8 else 8, dim=0, layers=layers)


def test_tied_weights_stay_tied_and_get_both_gradients():
    net, by_hand = apply_nm_sparsity(Attentive(), 2, 4, "ste", layers="head"), Attentive()
    with torch.no_grad():
        by_hand.embedding.weight.copy_(nm_project(by_hand.embedding.weight, 2, 4))
    for one in (net, by_hand):
        one(TOKENS).square().sum().backward()
    found = net.embedding.parametrizations.weight.original.grad
    torch.testing.assert_close(found, by_hand.embedding.weight.grad)


@pytest.mark.parametrize("copied", ["pickle", "deepcopy", "state", "frozen"])
def test_the_stage_is_copied(copied):
    net = apply_nm_sparsity(perceptron(), 1, 8, "sdgf-step")
    set_nm_progress(net, 5, 10)
    if copied == "pickle":
        again = pickle.loads(pickle.dumps(net))
    elif copied == "deepcopy":
        again = copy.deepcopy(net)
    elif copied == "frozen":
        again = FrozenCopy(net)
    else:
        again = apply_nm_sparsity(perceptron(seed=3), 1, 8, "sdgf-step")
        file = io.BytesIO()
        torch.save(net.state_dict(), file)
        file.seek(0)
        again.load_state_dict(torch.load(file))
    assert [part.pattern_ for _, part in masked_weights(again)] == [(2, 8)]
    x = random(4, 6)
    torch.testing.assert_close(again(x), net(x))


def test_compiled_networks_train_alike():
    def follow(net, step):
        set_nm_progress(net, step, 4)

    torch._dynamo.reset()
    net = trained(apply_nm_sparsity(perceptron(), 1, 4), follow, steps=4)
    compiled = apply_nm_sparsity(perceptron(), 1, 4)
    called = torch.compile(compiled, backend="aot_eager", fullgraph=True)
    optimizer = torch.optim.Adam(compiled.parameters(), lr=0.01)
    x, y = random(20, 6, seed=1), torch.arange(20) % 3
    for step in range(4):
        follow(compiled, step)
        optimizer.zero_grad()
        F.cross_entropy(called(x), y).backward()
        optimizer.step()
    for found, expected in zip(tensors(compiled), tensors(net), strict=True):
        torch.testing.assert_close(found, expected)
    (part,) = [part for _, part in masked_weights(compiled)]
    part.hold()
    compiled.eval()
    with torch.no_grad():
        torch.testing.assert_close(called(x), compiled(x))
        part.set_stage((3, 4), 0.0)
        torch.testing.assert_close(called(x), compiled(x))


def test_half_precision_trains():
    net = apply_nm_sparsity(perceptron(), 1, 4, "mdgf-exp")
    set_nm_progress(net, 5, 10)
    with torch.autocast("cpu", torch.bfloat16):
        loss = F.cross_entropy(net(random(20, 6)), torch.arange(20) % 3)
    loss.backward()
    assert net[2].parametrizations.weight.original.grad.isfinite().all()
    assert net.bfloat16()(random(20, 6).bfloat16()).dtype == torch.bfloat16


def test_gradients_are_those_of_torchs_function_transforms():
    net = apply_nm_sparsity(perceptron(), 1, 4, "srste", srste_lambda=0.1)
    parameters = {name: p.detach() for name, p in net.named_parameters()}
    x = random(5, 6)

    def loss(parameters, x):
        return torch.func.functional_call(net, parameters, x[None]).square().sum()

    per_sample = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, x)
    name = "2.parametrizations.weight.original"
    expected = torch.func.grad(loss)(parameters, x[1])[name]
    torch.testing.assert_close(per_sample[name][1], expected)


def test_a_held_weight_is_computed_once_and_never_stale():
    net = apply_nm_sparsity(perceptron(), 2, 4, "ste").eval()
    (part,) = [part for _, part in masked_weights(net)]
    dense = net[2].parametrizations.weight.original
    seeds = itertools.count()

    def change():
        with torch.no_grad():
            dense.copy_(random(16, 16, seed=next(seeds)))

    @torch.no_grad()
    def is_present():
        return torch.equal(net[2].weight, nm_project(dense, 2, 4))

    def train():
        net.train()(random(2, 6)).sum().backward()
        torch.optim.SGD(net.parameters(), lr=0.1).step()
        net.eval()

    def tune_in_evaluation_mode():
        net(random(2, 6)).sum().backward()
        torch.optim.SGD(net.parameters(), lr=0.1).step()

    def load():
        net.load_state_dict(apply_nm_sparsity(perceptron(seed=next(seeds)), 2, 4).state_dict())
        part.hold()

    assert is_present()
    assert part.held is None  # nothing is promised yet
    part.hold()
    assert is_present()
    first = part.held.value
    assert is_present()
    assert part.held.value is first
    for happens in (change, train, tune_in_evaluation_mode, load, lambda: net.double().float()):
        happens()
        assert is_present(), happens
        assert is_present(), happens
    with torch.no_grad():
        assert net.double()[2].weight.dtype == torch.float64
        assert net.float()[2].weight.dtype == torch.float32
    other = {name: 2 * p.detach() for name, p in net.named_parameters()}
    other["2.parametrizations.weight.original"] = random(16, 16, seed=77)
    x = random(3, 6)
    with torch.no_grad():
        found = torch.func.functional_call(net, other, x)
    net.load_state_dict(other, strict=False)
    torch.testing.assert_close(found, net(x))
    with torch.inference_mode():
        torch.testing.assert_close(net(x), found)
        pickle.loads(pickle.dumps(net))
    assert is_present()
    assert len(pickle.dumps(net)) < len(pickle.dumps(apply_nm_sparsity(perceptron()))) + 100
    assert copy.deepcopy(part).held is None


def test_sharpness_of_a_fitted_network_looks_at_moved_weights():
    model = fitted(epochs=2)
    model.predict(X)
    module, data = model.net_.module_.eval(), (torch.from_numpy(X), torch.from_numpy(y))
    found = epsilon_sharpness(module, F.cross_entropy, *data)
    again = copy.deepcopy(module)
    for _, part in masked_weights(again):
        part.set_stage((1, 4), 0.0)  # holds nothing
    assert found > 0
    assert found == epsilon_sharpness(again, F.cross_entropy, *data)


class Shifted(nn.Module):
    def forward(self, weight):
        return weight + 1


def test_another_parametrization_after_the_mask_is_told():
    net = apply_nm_sparsity(perceptron(), 2, 4, layers="2")
    parametrize.register_parametrization(net[2], "weight", Shifted())
    with pytest.raises(ValueError, match=r"'2\.weight' is not 2:4 sparse"):
        finalize_nm_sparsity(net)
    with pytest.raises(ValueError, match="has no N:M sparse weight"):
        finalize_nm_sparsity(perceptron())


@pytest.mark.parametrize("make", [parametrizations.weight_norm, parametrizations.spectral_norm])
def test_masks_and_decay_are_those_of_weights_that_others_make(make):
    net = perceptron()
    make(net[2])
    dense = net.eval()[2].weight.detach()  # in training each call moves a spectral norm
    apply_nm_sparsity(net, 2, 4, "srste")
    assert torch.equal(weight_masks(net)["2.weight"], nm_mask(dense, 2, 4))
    assert torch.equal(net[2].weight, nm_project(dense, 2, 4))
    left = dense - nm_project(dense, 2, 4)
    torch.testing.assert_close(pruned_energy(net), 0.5 * left.square().sum())


# bad arguments


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nm_mask(W, 5, 4), "1 <= n <= m, got n=5, m=4"),
        (lambda: nm_mask(W, 0, 4), "1 <= n <= m, got n=0"),
        (lambda: nm_mask(W, 1.5, 4), "whole numbers"),
        (lambda: nm_mask(W, True, 4), "whole numbers"),
        (lambda: nm_mask(W, 2, 3), r"axis 1 .* \(1, 4\) has 4 entries, .* m=3"),
        (lambda: nm_mask(W, 2, 4, dim=0), "axis 0 .* has 1 entries"),
        (lambda: nm_mask(W[0], 2, 4), "dim must be an axis of the weight, which has 1, got 1"),
        (lambda: nm_mask(W.int(), 2, 4), "floating-point numbers, got torch.int32"),
        (lambda: nm_mask([1.0], 1, 1), "floating-point numbers, got list"),
        (lambda: is_nm_sparse(W, 2, 3), "do not divide"),
        (lambda: nm_project(W, 3, 2), "1 <= n <= m"),
        (lambda: nm_beta(-1, 0.5), "step must be"),
        (lambda: nm_beta(0, 1.5), "progress must be"),
        (lambda: nm_beta(0, 0.5, "mdgf"), "recipe must be one of 'ste', 'srste'"),
        (lambda: nm_beta(0, 0.5, decay_coef=0), 'decay_coef must be "auto" or decay_coef must be'),
        (lambda: nm_beta(0, 0.5, decay_coef="slow"), "decay_coef must be"),
        (lambda: nm_pattern(0.5, 1, 4, dense_fraction=1), "dense_fraction must be"),
        (lambda: nm_pattern(0.5, 1, 4, finetune_fraction=-1), "finetune_fraction must be"),
        (
            lambda: nm_pattern(0.5, 1, 4, dense_fraction=0.5, finetune_fraction=0.5),
            "must be below 1, so that there is a sparse phase, got 0.5 and 0.5",
        ),
        (lambda: nm_pattern(0.5, 2, 6), "power of two, got n=2, m=6"),
        (lambda: nm_pattern(0.5, 3, 8), "power of two, got n=3, m=8"),
        (lambda: NMSparsity(3, 12, "sdgf-step").set_progress(3), "total_steps is unknown"),
        (lambda: NMSparsity(2, 4).set_progress(3), "total_steps is unknown"),
        (lambda: NMSparsity(2, 4, "ste", dense_fraction=0.1).set_progress(3), "is unknown"),
        (lambda: NMSparsity(2, 4).set_progress(-1, 3), "step must be"),
        (lambda: NMSparsity(2, 4).set_progress(1, 0), "total_steps must be"),
        (lambda: NMSparsity(srste_lambda=-1), "srste_lambda must be"),
        (lambda: NMSparsity(dim=2), "dim must be one of 0, 1"),
        (lambda: NMSparsity(gradient="identity"), "gradient must be one of"),
        (lambda: NMSparsity(recipe="srste", gradient="masked"), "straight-through"),
        (lambda: apply_nm_sparsity(nn.ReLU()), "no layer of the types"),
        (lambda: apply_nm_sparsity(nn.Linear(4, 4)), "chooses none"),
        (lambda: apply_nm_sparsity(perceptron(), layers="3"), "is called '3'"),
        (lambda: apply_nm_sparsity(nn.LazyLinear(4), layers="all"), "no shape yet"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_recipes_without_a_schedule_need_no_plan():
    for recipe in ("ste", "srste"):
        sparsity = NMSparsity(2, 4, recipe)
        sparsity.set_progress(10_000)
        assert (sparsity.pattern_, sparsity.beta_) == ((2, 4), 0.0)


def test_layers_that_groups_do_not_divide_are_named():
    net = perceptron()
    message = (
        r"groups of 4 successive inputs .*: '0' has 6 \(weight of shape \(16, 6\)\)\. Leave out "
        r"'0': layers=\['2', '4'\]"
    )
    with pytest.raises(ValueError, match=message):
        apply_nm_sparsity(net, layers="all")
    assert not [*masked_weights(net)]
    with pytest.raises(ValueError, match=r"groups of 32 .*none of the layers is left"):
        apply_nm_sparsity(net, 1, 4, "sdgf-geometric")
    depthwise = nn.Sequential(nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 8, 1))
    with pytest.raises(ValueError, match=r"'0' has 1 .*layers=\['1'\]"):
        apply_nm_sparsity(depthwise, layers="all")
    grouped = nn.Sequential(nn.Conv2d(8, 12, 3, groups=2))
    with pytest.raises(ValueError, match=r"groups of 4 successive outputs .*: '0' has 6"):
        apply_nm_sparsity(grouped, dim=0, layers="all")
    assert apply_nm_sparsity(grouped, 1, 2, dim=0, layers="all") is grouped


# the regularizer

X, y = load_digits(return_X_y=True)
X, y = (X[:160] / 16).astype(np.float32), y[:160]


class Digits(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 10)
        )


def fitted(*more, epochs=4, first=(), **arguments):
    named = [
        *((f"f{i}", one) for i, one in enumerate(first)),
        ("nm", NMRegularizer(**{"n": 1, "m": 4, **arguments})),
        *((f"r{i}", one) for i, one in enumerate(more)),
    ]
    return DeepClassifier(
        Digits, regularizers=named, max_epochs=epochs, batch_size=40, lr=0.01, random_state=0,
        standardize=False,
    ).fit(X, y)  # fmt: skip


def nm_of(model):
    return dict(model.net_.regularizers_)["nm"]


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_predicts_with_the_pattern(recipe):
    n, m = (1, 2) if recipe == "sdgf-geometric" else (1, 4)
    model = fitted(recipe=recipe, n=n, m=m)
    assert is_nm_sparse(model.net_.module_[2].weight, n, m)
    assert list(sparsity_report(model.net_.module_)["density"]) == [1.0, n / m, 1.0]
    assert nm_of(model).sparsity_ == 1 - n / m
    assert (nm_of(model).pattern_, nm_of(model).beta_) == ((n, m), 0.0)
    before = model.predict_proba(X)
    assert np.array_equal(model.predict_proba(X), before)
    finalize_nm_sparsity(model.net_.module_)
    assert np.array_equal(model.predict_proba(X), before)
    assert type(model.net_.module_[2]) is nn.Linear


def by_hand(recipe, epochs=3, **arguments):
    torch.manual_seed(0)
    net = apply_nm_sparsity(Digits(), 1, 4, recipe, **arguments)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    batches = [*torch.arange(160).split(40)] * epochs
    for step, rows in enumerate(batches):
        set_nm_progress(net, step, len(batches))
        optimizer.zero_grad()
        F.cross_entropy(net(torch.from_numpy(X[rows])), torch.from_numpy(y[rows])).backward()
        optimizer.step()
    return net


def by_net(recipe, epochs=3, **options):
    arguments = {
        name: options.pop(name) for name in ("srste_lambda", "decay_coef") & options.keys()
    }
    torch.manual_seed(0)
    return RegularizedNetClassifier(
        Digits, regularizers=[("nm", NMRegularizer(1, 4, recipe, **arguments))], lr=0.1,
        max_epochs=epochs, optimizer=torch.optim.SGD, train_split=None, verbose=0,
        iterator_train__shuffle=False, **{"batch_size": 40, **options},
    ).fit(X, y)  # fmt: skip


@pytest.mark.parametrize(
    ("recipe", "arguments"),
    [
        ("ste", {}),
        ("srste", {"srste_lambda": 0.5}),
        ("mdgf-exp", {}),
        ("mdgf-exp", {"decay_coef": 0.3}),
        ("mdgf-linear", {}),
        ("sdgf-step", {}),
    ],
)
def test_nets_train_as_by_hand(recipe, arguments):
    net, expected = by_net(recipe, **arguments), by_hand(recipe, **arguments)
    for found, wanted in zip(tensors(net.module_), tensors(expected), strict=True):
        torch.testing.assert_close(found, wanted)


def test_accumulated_gradients_have_the_same_decay():
    """What is added in the backward pass would be divided by the number of samples."""
    whole = by_net("srste", srste_lambda=0.5)
    parts = by_net("srste", srste_lambda=0.5, batch_size=20, accumulation_steps=2)
    without = by_net("srste", srste_lambda=0.0)
    for found, wanted in zip(tensors(parts.module_), tensors(whole.module_), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)
    assert not same_weights(whole.module_, without.module_)


def test_the_history_of_patterns_is_that_of_the_schedule():
    model = fitted(recipe="sdgf-step", m=8, epochs=10, dense_fraction=0.1, finetune_fraction=0.1)
    assert model.net_.steps_ == 40
    expected = [(0, (8, 8)), (4, (7, 8)), (12, (4, 8)), (20, (2, 8)), (28, (1, 8))]
    assert nm_of(model).pattern_history_ == expected


def test_training_goes_on_and_starts_anew():
    model = fitted(recipe="sdgf-step")
    once = model.predict_proba(X)
    again = clone(model).fit(X, y)
    assert np.array_equal(again.predict_proba(X), once)
    assert nm_of(again).pattern_history_ == nm_of(model).pattern_history_
    model.set_params(warm_start=True, max_epochs=8).fit(X, y)
    assert not np.array_equal(model.predict_proba(X), once)
    assert list(sparsity_report(model.net_.module_)["pattern"]) == ["dense", "1:4", "dense"]
    assert model.predict_proba(X[:1]).shape == (1, 10)
    model.set_params(regularizers__nm__n=2)
    with pytest.raises(ValueError, match=r"n of NMSparsity .* is built into the module"):
        model.fit(X, y)


@pytest.mark.filterwarnings("ignore:NMSparsity trained with")
@pytest.mark.parametrize("recipe", ["srste", "mdgf-exp", "sdgf-step"])
def test_resumed_training_is_that_without_interruption_to_the_bit(recipe, tmp_path):
    def net(*callbacks):
        torch.manual_seed(0)
        return RegularizedNetClassifier(
            Digits, regularizers=[("nm", NMRegularizer(1, 4, recipe, decay_coef=0.05))], lr=0.1,
            max_epochs=6, batch_size=40, train_split=None, verbose=0, callbacks=list(callbacks),
        ).initialize()  # fmt: skip

    straight = net().partial_fit(X, y, epochs=6)
    net(Checkpoint(dirname=tmp_path, monitor=None)).partial_fit(X, y, epochs=3)
    resumed = net(LoadInitState(Checkpoint(dirname=tmp_path, monitor=None)))
    resumed.partial_fit(X, y, epochs=3)
    assert same_weights(resumed.module_, straight.module_)
    assert np.array_equal(resumed.predict_proba(X), straight.predict_proba(X))


@pytest.mark.parametrize(
    ("others", "first"),
    [
        ([SAM()], []),
        ([ELR()], []),
        ([LabelSmoothing()], []),
        ([EMAWeights(0.5)], []),
        ([], [EMAWeights(0.5)]),
        ([SWA(start=0.5)], []),
        ([MagnitudePruning(0.5, layers="0", end=0.5)], []),
    ],
)
def test_neighbours_compose(others, first):
    model = fitted(*others, first=first)
    module = model.net_.module_
    before = model.predict_proba(X)
    assert sparsity_report(module)["pattern"][1] == "1:4"
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(X), before)
    model.set_params(warm_start=True, max_epochs=2).fit(X, y)
    assert sparsity_report(module)["pattern"][1] == "1:4"
    # what predictions are made of is the mask of the weights that are there
    dense = module[2].parametrizations.weight.original
    with torch.no_grad():
        model.predict(X)
        assert torch.equal(module.eval()[2].weight, nm_project(dense, 1, 4))


def test_a_weight_has_one_mask():
    with pytest.raises(ValueError, match="has a mask already"):
        fitted(MagnitudePruning(0.5))


def test_grid_searches_reach_the_recipe():
    search = GridSearchCV(
        fitted(), {"regularizers__nm__recipe": ["ste", "mdgf-exp"]}, cv=2, error_score="raise"
    )
    search.fit(X, y)
    module = search.best_estimator_.net_.module_
    assert list(sparsity_report(module)["pattern"]) == ["dense", "1:4", "dense"]


def test_regression_and_the_ready_made_network():
    model = DeepRegressor(
        regularizers=[("nm", NMRegularizer(1, 8))], max_epochs=2, random_state=0
    ).fit(X, y.astype(float))
    assert set(sparsity_report(model.net_.module_)["pattern"]) == {"dense", "1:8"}


def test_training_that_ends_early_is_told():
    net = RegularizedNetClassifier(
        Digits, regularizers=[("nm", NMRegularizer(1, 4, "sdgf-step"))], max_epochs=10,
        batch_size=40, train_split=None, verbose=0,
    ).initialize()  # fmt: skip
    with pytest.warns(UserWarning, match="trained with 3:4 .* but predicts with 1:4"):
        net.partial_fit(X, y, epochs=3)
    assert is_nm_sparse(net.module_[2].weight, 1, 4)
    net.partial_fit(X, y, epochs=7)
    assert [pattern for _, pattern in net.regularizers[0][1].pattern_history_] == [
        (3, 4), (2, 4), (1, 4),
    ]  # fmt: skip


def test_stored_weights_predict_in_a_new_net(tmp_path):
    net = by_net("sdgf-step")
    net.save_params(f_params=tmp_path / "weights.pt")
    other = clone(net).initialize()
    other.load_params(f_params=tmp_path / "weights.pt")
    assert np.array_equal(other.predict_proba(X), net.predict_proba(X))
    remove_masks(other.module_)
    assert np.array_equal(other.predict_proba(X), net.predict_proba(X))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 5}, "1 <= n <= m"),
        ({"recipe": "dense"}, "recipe must be one of"),
        ({"decay_coef": -1.0}, "decay_coef must be"),
        ({"m": 5}, "groups of 5 successive inputs .* '2' has 16"),
        ({"layers": "1"}, "no layer of the types"),
    ],
)
def test_arguments_of_the_regularizer_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        fitted(**arguments)
