"""Training of the smallest entries, against dense optimizers, closed forms and loops by hand."""

import copy
import functools
import io
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from skorch.callbacks import Checkpoint, LoadInitState
from torch import nn
from torch.nn import functional as F

from skreg.deep import DeepClassifier, RegularizedNetClassifier
from skreg.deep.regularizers import (
    ELR,
    SAM,
    SWA,
    EMAWeights,
    GradientClipping,
    LabelSmoothing,
    MagnitudePruning,
    SaRA,
)
from skreg.deep.torch import (
    MaskedNuclearNorm,
    SparseEntries,
    SparseParameters,
    apply_masks,
    apply_patch,
    magnitude_masks,
    remove_masks,
    sara_learning_rate,
    weight_masks,
)
from skreg.deep.torch import SaRA as SaRAOptimizer


def perceptron(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.LayerNorm(8), nn.Linear(8, 3))


class Everything(nn.Module):
    """Attention, a grouped convolution, recurrence, tied weights, parameters in a list."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(11, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.convolution = nn.Conv1d(8, 8, 3, padding=1, groups=2)
        self.recurrent = nn.GRU(8, 8, batch_first=True)
        self.scales = nn.ParameterList([torch.randn(8)])
        self.head = nn.Linear(8, 11, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens):
        x = self.embedding(tokens)
        x = x + self.attention(x, x, x, need_weights=False)[0]
        x = self.convolution(x.mT).mT * self.scales[0]
        return self.head(self.recurrent(x)[0])


TOKENS = torch.arange(10).view(2, 5)
X, y = load_digits(return_X_y=True)
X, y = (X[:160] / 16).astype(np.float32), y[:160]
x6, y3 = torch.from_numpy(X[:, 10:16].copy()), torch.from_numpy(y % 3)


def bits(tensor):
    """Bits of single-precision numbers, by which NaN equals NaN."""
    return tensor.detach().clone().view(torch.int32)


def values_of(module):
    """Parameters as the layers see them, by their plain names."""
    plain = copy.deepcopy(module)
    for parameter in plain.parameters():
        parameter.requires_grad_(True)
    return {name: p.detach() for name, p in remove_masks(plain).named_parameters()}


def train(module, optimizer, n_steps, penalty=None, with_closure=False):
    for step in range(n_steps):
        rows = slice(16 * (step % 10), 16 * (step % 10) + 16)

        def closure(rows=rows):
            optimizer.zero_grad()
            loss = F.cross_entropy(module(x6[rows]), y3[rows])
            (loss if penalty is None else loss + penalty(module)).backward()
            return loss

        if with_closure:
            assert optimizer.step(closure) > 0
        else:
            closure()
            optimizer.step()


# ------------------------------------------------------------------------------------------------
# the entries


def test_all_entries_train_as_the_plain_network():
    plain, sparse = perceptron(), perceptron()
    SparseParameters(sparse, fraction=1.0)
    for net in (plain, sparse):
        train(net, torch.optim.AdamW(net.parameters(), lr=0.01), 20)
    for name, value in values_of(sparse).items():
        torch.testing.assert_close(value, dict(plain.named_parameters())[name])


def test_some_entries_train_as_with_masked_gradients_and_restored_weights():
    sparse, dense = perceptron(), perceptron()
    start = {name: p.detach().clone() for name, p in dense.named_parameters()}
    masks = SparseParameters(sparse, fraction=0.3).masks
    train(sparse, torch.optim.AdamW(sparse.parameters(), lr=0.01), 20)
    optimizer = torch.optim.AdamW(dense.parameters(), lr=0.01)
    for step in range(20):
        rows = slice(16 * (step % 10), 16 * (step % 10) + 16)
        optimizer.zero_grad()
        F.cross_entropy(dense(x6[rows]), y3[rows]).backward()
        for name, parameter in dense.named_parameters():
            parameter.grad.mul_(masks[name])
        optimizer.step()
        with torch.no_grad():
            for name, parameter in dense.named_parameters():
                parameter.copy_(torch.where(masks[name], parameter, start[name]))
    for name, value in values_of(sparse).items():
        torch.testing.assert_close(
            value, dict(dense.named_parameters())[name], rtol=1e-6, atol=1e-6
        )
        assert torch.equal(bits(value)[~masks[name]], bits(start[name])[~masks[name]])


def test_fixed_entries_keep_every_bit_even_if_not_finite():
    layer = nn.Linear(4, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.1, torch.nan, -0.0, 9.0], [-0.1, torch.inf, 1e-40, 8]]))
    before = bits(layer.weight)
    mask = torch.tensor([[True, False, False, False]] * 2)
    entries = SparseEntries(layer.weight, mask)
    nn.utils.parametrize.register_parametrization(layer, "weight", entries)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1, weight_decay=0.5)
    layer.weight[:, 0].sum().backward()
    optimizer.step()
    assert torch.equal(bits(layer.weight)[~mask], before[~mask])
    assert not (bits(layer.weight)[mask] == before[mask]).any()


def test_entries_are_the_smallest_of_all():
    net = perceptron()
    sizes = torch.cat([p.detach().abs().flatten() for p in net.parameters()])
    sparse = SparseParameters(net, fraction=0.25)
    n = round(0.25 * len(sizes))
    # the weights of a LayerNorm are one, its eight biases zero
    assert sparse.n_chosen == sparse.n_trainable == n
    assert sparse.n_parameters == len(sizes)
    limit = sizes.sort().values[n].item()
    assert {*sparse.thresholds.values()} == {limit}
    chosen = {name: value.abs() < limit for name, value in values_of(net).items()}
    assert all(torch.equal(mask, chosen[name]) for name, mask in sparse.masks.items())
    assert sparse.masks["2.bias"].all()
    assert sparse.still_small == 1.0
    assert repr(sparse) == f"SparseParameters({n} of {len(sizes)} parameters train)"


def test_a_threshold_is_strict_and_in_the_units_of_the_weights():
    net = perceptron()
    with torch.no_grad():
        net[0].weight[0, :3] = torch.tensor([0.02, -0.02, 0.0199])
    sparse = SparseParameters(net, threshold=0.02)
    assert sparse.masks["0.weight"][0, :3].tolist() == [False, False, True]
    scaled = perceptron()
    with torch.no_grad():
        scaled[0].weight[0, :3] = torch.tensor([0.02, -0.02, 0.0199])
        for parameter in scaled.parameters():
            parameter.mul_(8)
    masks = SparseParameters(scaled, threshold=0.16).masks
    assert all(torch.equal(mask, sparse.masks[name]) for name, mask in masks.items())


def test_fractions_of_each_tensor_and_equal_values():
    net = perceptron()
    sparse = SparseParameters(net, fraction=0.25, scope="tensor")
    shares = {name: mask.float().mean().item() for name, mask in sparse.masks.items()}
    # all entries of a LayerNorm are equal, and chosen together
    assert shares == {
        "0.weight": 0.25, "0.bias": 0.25, "2.weight": 1.0, "2.bias": 1.0, "3.weight": 0.25,
        "3.bias": pytest.approx(1 / 3),
    }  # fmt: skip
    assert sparse.thresholds["2.bias"] == np.inf


def test_parameters_are_chosen_by_name_and_others_train_whole():
    net = perceptron()
    net[3].bias.requires_grad_(False)
    sparse = SparseParameters(net, fraction=0.5, parameters="*.weight", dense=["3.*t"])
    assert {name: int(mask.sum()) for name, mask in sparse.masks.items()} == {
        "0.weight": 28, "0.bias": 0, "2.weight": 0, "2.bias": 0,
    }  # fmt: skip
    assert sparse.n_trainable == 28 + 24
    before = values_of(net)
    train(net, torch.optim.AdamW(net.parameters(), lr=0.1), 3)
    after = values_of(net)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"0.weight", "3.weight"}
    assert sparse.patch().keys() == {"0.weight", "3.weight"}
    by_rule = SparseParameters(
        perceptron(), fraction=0.5, parameters=lambda name, p: p.ndim == 2 and "3" not in name
    )
    assert int(by_rule.masks["0.weight"].sum()) == 24


def test_the_optimizer_keeps_numbers_for_chosen_entries_only():
    net = perceptron()
    sparse = SparseParameters(net, fraction=0.3)
    optimizer = torch.optim.AdamW(net.parameters())
    train(net, optimizer, 1)
    kept = [
        t.numel() for state in optimizer.state.values() for t in state.values() if t.numel() > 1
    ]
    single = sum(len(p) == 1 for p in net.parameters())
    assert sum(kept) + 2 * single == 2 * sparse.n_chosen


def test_pretrained_zeros_are_chosen_together():
    net = remove_masks(apply_masks(perceptron(), magnitude_masks(perceptron(), 0.5)))
    n_zeros = sum(int((p == 0).sum()) for p in net.parameters())
    sparse = SparseParameters(net, fraction=0.1)
    assert sparse.n_chosen == n_zeros
    assert sparse.still_small == 1.0
    sparse.reselect()
    assert sparse.n_trainable == n_zeros


# ------------------------------------------------------------------------------------------------
# reselection


def test_reselection_fixes_what_has_grown_and_keeps_the_moments_of_the_rest():
    net = perceptron()
    sparse = SparseParameters(net, fraction=0.4)
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.02)
    train(net, optimizer, 10)
    first, present = sparse.masks, values_of(net)
    states = {p: copy.deepcopy(optimizer.state[p]) for p in net.parameters() if p.requires_grad}
    (limit,) = {*sparse.thresholds.values()}
    sparse.reselect()
    second = sparse.masks
    for name, mask in second.items():
        assert torch.equal(mask, first[name] & (present[name].abs() < limit))
        assert torch.equal(bits(values_of(net)[name]), bits(present[name]))
    assert 0 < sparse.n_trainable < sparse.n_chosen
    for p, state in states.items():
        assert torch.equal(state["exp_avg"], optimizer.state[p]["exp_avg"])
    train(net, optimizer, 10)
    for name, value in values_of(net).items():
        still = ~second[name]
        assert torch.equal(bits(value)[still], bits(present[name])[still])


def test_what_was_fixed_stays_so_and_out_of_the_penalty():
    torch.manual_seed(0)
    layer = nn.Linear(8, 6, bias=False)
    sparse = SparseParameters(layer, fraction=1.0)
    layer.parametrizations.weight[0].threshold.fill_(0.2)
    sparse.reselect()
    n, weight, mask = sparse.n_trainable, layer.weight.detach().clone(), sparse.masks["weight"]
    assert 0 < n < 48
    norm = MaskedNuclearNorm(1.0, min_dim=1, min_count=0)(layer)
    torch.testing.assert_close(norm, torch.linalg.matrix_norm(weight * mask, "nuc"))
    norm.backward()
    vector = layer.parametrizations.weight.original
    assert not vector.grad.view(6, 8)[~mask].any()
    with torch.no_grad():  # as decay and momentum of any optimizer may do
        vector.view(6, 8)[~mask] = 0.0
    sparse.reselect()
    assert sparse.n_trainable == n
    assert torch.equal(layer.weight, weight)


def test_moments_go_on_as_in_a_masked_adam():
    net, by_hand = perceptron(), perceptron()
    sparse = SparseParameters(net, fraction=0.4)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    theirs = torch.optim.Adam(by_hand.parameters(), lr=0.02)
    fixed = {n: p.detach().clone() for n, p in by_hand.named_parameters()}
    for _ in range(2):
        train(net, optimizer, 10)
        masks = sparse.masks
        for step in range(10):
            rows = slice(16 * step, 16 * step + 16)
            theirs.zero_grad()
            F.cross_entropy(by_hand(x6[rows]), y3[rows]).backward()
            for name, p in by_hand.named_parameters():
                p.grad.mul_(masks[name])
            theirs.step()
            with torch.no_grad():
                for name, p in by_hand.named_parameters():
                    p.copy_(torch.where(masks[name], p, fixed[name]))
        sparse.reselect()
        fixed = {n: p.detach().clone() for n, p in by_hand.named_parameters()}
    for name, value in values_of(net).items():
        torch.testing.assert_close(value, fixed[name], rtol=1e-5, atol=1e-6)


def test_a_huge_penalty_shrinks_all_entries_which_then_train_on():
    torch.manual_seed(0)
    layer = nn.Linear(8, 6, bias=False)
    sparse = SparseParameters(layer, fraction=0.5)
    norm = MaskedNuclearNorm(1.0, min_dim=1, min_count=0)
    before = norm(layer).item()
    optimizer = torch.optim.SGD(layer.parameters(), lr=1e-3)
    for _ in range(600):
        optimizer.zero_grad()
        norm(layer).backward()
        optimizer.step()
    assert norm(layer) < 0.05 * before
    sparse.reselect()
    assert sparse.n_trainable == sparse.n_chosen


# ------------------------------------------------------------------------------------------------
# the penalty


def test_nuclear_norm_of_a_diagonal_matrix_is_seven():
    layer = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0, 0.0], [0.0, -4.0]]))
    SparseParameters(layer, fraction=1.0)
    value = MaskedNuclearNorm(1.0, min_dim=1, min_count=0)(layer)
    assert value.item() == pytest.approx(7.0)
    value.backward()
    gradient = layer.parametrizations.weight.original.grad
    torch.testing.assert_close(gradient.view(2, 2), torch.diag(torch.tensor([1.0, -1.0])))


def test_gradient_of_the_penalty_is_the_masked_product_of_singular_vectors():
    torch.manual_seed(0)
    layer = nn.Linear(7, 5, bias=False).double()
    weight = layer.weight.detach().clone()
    mask = torch.rand(5, 7) < 0.7
    entries = SparseEntries(weight, mask)
    values = weight[mask].clone().requires_grad_(True)
    norm = MaskedNuclearNorm(0.5, min_dim=1, min_count=0)
    assert torch.autograd.gradcheck(lambda v: norm.of([(entries, v)]), (values,))
    (gradient,) = torch.autograd.grad(norm.of([(entries, values)]), (values,))
    U, S, V = torch.linalg.svd(weight * mask, full_matrices=False)
    torch.testing.assert_close(gradient, 0.5 * (U @ V)[mask])
    assert norm.of([(entries, values)]).item() == pytest.approx(0.5 * S.sum().item())


def test_singular_values_of_zero_have_no_gradient():
    values = torch.tensor([2.0, 0.0, 0.0, 0.0], requires_grad=True)
    entries = SparseEntries(torch.zeros(2, 2), torch.ones(2, 2, dtype=torch.bool))
    norm = MaskedNuclearNorm(1.0, min_dim=1, min_count=0)
    (gradient,) = torch.autograd.grad(norm.of([(entries, values)]), (values,))
    torch.testing.assert_close(gradient, torch.tensor([1.0, 0.0, 0.0, 0.0]))
    nothing = torch.zeros(4, requires_grad=True)
    (gradient,) = torch.autograd.grad(norm.of([(entries, nothing)]), (nothing,))
    assert not gradient.any()


def test_large_matrices_are_penalized_one_at_a_time_or_all():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(64, 80), nn.Linear(80, 65), nn.Linear(65, 70), nn.Linear(70, 90),
        nn.Conv2d(90, 80, 1),
    )  # fmt: skip
    SparseParameters(net, fraction=0.5, parameters=lambda name, _: not name.startswith("3"))
    both = MaskedNuclearNorm(1.0, sampling="all")
    norms = [
        torch.linalg.matrix_norm(net[i].weight * weight_masks(net)[f"{i}.weight"], "nuc")
        for i in (1, 2)
    ]
    torch.testing.assert_close(both(net), sum(norms))
    one = MaskedNuclearNorm(1.0, generator=torch.Generator().manual_seed(0))
    drawn = torch.tensor([one(net).item() for _ in range(20)])
    expected = torch.stack(norms).tolist()
    hits = [(drawn - value).abs() < 1e-3 for value in expected]
    assert (hits[0] ^ hits[1]).all()
    assert 0 < hits[0].sum() < 20
    assert MaskedNuclearNorm(1.0, min_dim=64, min_count=10**4)(net) == 0
    assert len(MaskedNuclearNorm(min_dim=63, sampling="all").draw(net)) == 3


def test_the_penalty_is_in_full_precision_under_autocast():
    torch.manual_seed(0)
    layer = nn.Linear(8, 6, bias=False)
    SparseParameters(layer, fraction=1.0)
    norm = MaskedNuclearNorm(1.0, min_dim=1, min_count=0)
    expected = norm(layer)
    with torch.autocast("cpu", torch.bfloat16):
        assert norm(layer) == expected
    torch.testing.assert_close(norm(layer.bfloat16()).float(), expected, rtol=0.02, atol=0)


# ------------------------------------------------------------------------------------------------
# patches and copies


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_patch_on_the_base_is_the_trained_network(dtype):
    base = perceptron().to(dtype)
    tuned = copy.deepcopy(base)
    sparse = SparseParameters(tuned, fraction=0.3, dense="3.bias")
    train(tuned.float(), torch.optim.AdamW(tuned.parameters(), lr=0.01), 5)
    tuned.to(dtype)
    sparse.reselect()
    file = io.BytesIO()
    torch.save(sparse.patch(), file)
    file.seek(0)
    patch = torch.load(file)
    before = {name: p.detach().clone() for name, p in base.named_parameters()}
    patched = {name: p.clone() for name, p in apply_patch(base, patch, 0).named_parameters()}
    assert all(torch.equal(before[name], p) for name, p in patched.items())
    half = apply_patch(copy.deepcopy(base), patch, 0.5)
    apply_patch(base, patch)
    trained = dict(sparse.remove().named_parameters())
    assert {name for name in trained if not torch.equal(trained[name], before[name])} == {*patch}
    for name, parameter in base.named_parameters():
        assert torch.equal(parameter, trained[name])
        mean = (before[name] + trained[name]) / 2
        torch.testing.assert_close(dict(half.named_parameters())[name].detach(), mean.detach())


def test_patches_of_other_networks_are_refused():
    patch = SparseParameters(perceptron(), fraction=0.3).patch()
    with pytest.raises(ValueError, match=r"'0\.weight' has the shape \(8, 6\), in the network"):
        apply_patch(nn.Sequential(nn.Linear(6, 9)), patch)
    with pytest.raises(ValueError, match=r"no parameter is called '0\.weight'; there is"):
        apply_patch(nn.ModuleDict({"0_": nn.Linear(6, 8)}), patch)
    with pytest.raises(ValueError, match="scale must be"):
        apply_patch(perceptron(), patch, scale="all")


@pytest.mark.filterwarnings("ignore:The tensor attributes self.recurrent")  # any GRU's export
def test_any_layer_trains_its_smallest_entries_and_becomes_plain_again():
    net, plain = Everything(), Everything()
    sparse = SparseParameters(net, fraction=0.3)
    assert torch.equal(net(TOKENS), plain(TOKENS))
    assert torch.equal(net.eval()(TOKENS), plain.eval()(TOKENS))
    assert net.head.parametrizations.weight is net.embedding.parametrizations.weight
    assert sparse.n_parameters == sum(p.numel() for p in plain.parameters())
    masks = sparse.masks
    optimizer = torch.optim.AdamW(net.train().parameters(), lr=0.05)
    for _ in range(3):
        net(TOKENS).logsumexp(2).sum().backward()
        optimizer.step()
    trained = net.eval()(TOKENS)
    assert not torch.allclose(trained, plain(TOKENS), atol=1e-2)
    assert sparse.remove() is net is sparse.remove()
    with pytest.raises(RuntimeError, match="plain parameters again"):
        sparse.patch()
    named = dict(net.named_parameters())
    assert named.keys() == dict(plain.named_parameters()).keys()
    assert net.head.weight is net.embedding.weight
    assert all(p.requires_grad for p in named.values())
    for name, parameter in plain.named_parameters():
        changed = named[name] != parameter
        assert torch.equal(changed, masks[name]), name
    torch.testing.assert_close(net(TOKENS), trained)
    exported = torch.export.export(net, (TOKENS,))
    torch.testing.assert_close(exported.module()(TOKENS), trained)


@pytest.mark.parametrize("copied", ["pickle", "deepcopy", "state"])
def test_networks_are_copied(copied):
    net = Everything()
    sparse = SparseParameters(net, fraction=0.3)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.3)
    sparse.reselect()
    if copied == "pickle":
        again, handle = pickle.loads(pickle.dumps((net, sparse)))
        assert handle.module is again
        assert handle.n_trainable == sparse.n_trainable
    elif copied == "deepcopy":
        again = copy.deepcopy(net)
    else:
        again = Everything()
        SparseParameters(again, fraction=0.3)
        file = io.BytesIO()
        torch.save(net.state_dict(), file)
        file.seek(0)
        again.load_state_dict(torch.load(file))
    torch.testing.assert_close(again.eval()(TOKENS), net.eval()(TOKENS), rtol=0, atol=0)


def test_networks_are_compiled_and_cast():
    net = perceptron()
    sparse = SparseParameters(net, fraction=0.3)
    compiled = torch.compile(net, backend="aot_eager")
    torch.testing.assert_close(compiled(x6), net(x6))
    before = compiled(x6).detach()
    train(compiled, torch.optim.AdamW(net.parameters(), lr=0.01), 3)
    sparse.reselect()
    torch.testing.assert_close(compiled(x6), net(x6))
    assert not torch.allclose(compiled(x6), before)
    with torch.autocast("cpu", torch.bfloat16):
        assert net(x6).isfinite().all()
    assert net.double()(x6.double()).dtype == torch.float64


def test_memory_formats_do_not_matter():
    torch.manual_seed(0)
    net = nn.Conv2d(4, 6, 3).to(memory_format=torch.channels_last)
    images = torch.randn(2, 4, 5, 5)
    expected = net(images)
    sparse = SparseParameters(net, fraction=0.5)
    torch.testing.assert_close(net(images), expected)
    net.to(memory_format=torch.channels_last)
    sparse.reselect()
    torch.testing.assert_close(net(images), expected)


# ------------------------------------------------------------------------------------------------
# what cannot be meant


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give one of threshold and fraction"),
        ({"threshold": 0.1, "fraction": 0.1}, "give one of threshold and fraction"),
        ({"fraction": 0.0}, "fraction must be"),
        ({"fraction": 1.1}, "fraction must be"),
        ({"fraction": "half"}, "fraction must be"),
        ({"threshold": -0.1}, "threshold must be"),
        ({"threshold": float("nan")}, "threshold must be"),
        ({"fraction": 0.1, "scope": "layer"}, "scope must be one of"),
        ({"fraction": 1e-4}, "fraction=0.0001 chooses none of 99 entries"),
        ({"threshold": 1e-9, "parameters": "*.weight"}, "smallest absolute value is"),
        ({"fraction": 0.1, "parameters": "0.wieght"}, r"called '0\.wieght'; there is 0\.weight"),
        ({"fraction": 0.1, "dense": ["0.weight", 3]}, "dense must be patterns.*got 3"),
        ({"fraction": 0.1, "dense": "*"}, "no parameter is left"),
    ],
)
def test_arguments_are_checked(arguments, message):
    net = perceptron()
    with pytest.raises(ValueError, match=message):
        SparseParameters(net, **arguments)
    assert not [name for name, _ in net.named_parameters() if "parametrizations" in name]
    if "parameters" not in arguments and arguments.get("dense") != "*":
        regularizer = SaRA(**{"fraction": None, **arguments})
        with pytest.raises(ValueError, match=message):
            fitted(regularizer, pretrained=net)


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (nn.ReLU(), "no parameters that train"),
        (nn.LazyLinear(3), "has no shape yet"),
        (nn.utils.parametrizations.weight_norm(nn.Linear(3, 3)), "belongs to a parametrization"),
        (apply_masks(nn.Linear(3, 3), {"weight": torch.eye(3) > 0}), "belongs to a param"),
    ],
    ids=["none", "lazy", "weight norm", "masked"],
)
def test_networks_that_cannot_be_tuned_are_refused(net, message):
    with pytest.raises(ValueError, match=message):
        SparseParameters(net, fraction=0.1)


def test_a_parametrized_head_may_train_whole():
    net = nn.Sequential(nn.Linear(6, 5), nn.utils.parametrizations.weight_norm(nn.Linear(5, 3)))
    sparse = SparseParameters(net, fraction=0.5, dense="1.*")
    assert sparse.n_trainable == round(0.5 * 35) + 15 + 3 + 3


def test_masks_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="mask must be bool of the shape"):
        SparseEntries(torch.zeros(2, 3), torch.zeros(3, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match="mask must be bool"):
        SparseEntries(torch.zeros(2, 3), torch.zeros(2, 3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lambda_rank": -1}, "lambda_rank must be"),
        ({"min_dim": -1}, "min_dim must be"),
        ({"min_count": -1}, "min_count must be"),
        ({"sampling": "some"}, "sampling must be one of"),
    ],
)
def test_arguments_of_the_penalty_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        MaskedNuclearNorm(**arguments)


# ------------------------------------------------------------------------------------------------
# the optimizer


@pytest.mark.parametrize(
    ("threshold", "rate"),
    [(2e-4, 9.324e-4), (8e-4, 7.558e-4), (2e-3, 4.9659e-4), (5e-3, 1.738e-4), (1e-2, 3.02e-5)],
)
def test_the_rule_for_the_learning_rate(threshold, rate):
    assert sara_learning_rate(threshold) == pytest.approx(rate, rel=1e-3)
    optimizer = SaRAOptimizer(nn.Linear(200, 40), threshold=threshold, progressive_at=None)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(rate, rel=1e-3)


@pytest.mark.parametrize("with_closure", [False, True])
def test_the_optimizer_is_the_loop_by_hand(with_closure):
    ours, by_hand = perceptron(), perceptron()
    optimizer = SaRAOptimizer(
        ours, fraction=0.4, lr=0.02, lambda_rank=0.5, min_dim=1, total_steps=20, sampling="all"
    )
    with torch.no_grad():
        assert torch.equal(ours(x6), by_hand(x6))  # the signs of small weights are theirs
    sparse = SparseParameters(by_hand, fraction=0.4)
    theirs = torch.optim.AdamW([p for p in by_hand.parameters() if p.requires_grad], lr=0.02)
    norm = MaskedNuclearNorm(0.5, min_dim=1, sampling="all")
    norm.min_count = optimizer.rank.min_count = 0
    for half in range(2):
        train(ours, optimizer, 10, with_closure=with_closure)
        train(by_hand, theirs, 10, norm)
        if not half:
            sparse.reselect()
    assert optimizer.sparse.n_trainable == sparse.n_trainable < sparse.n_chosen
    for name, value in values_of(by_hand).items():
        torch.testing.assert_close(values_of(ours)[name], value)


def test_the_optimizer_with_a_closure_and_from_a_checkpoint_goes_on():
    def new():
        net = perceptron()
        return net, SaRAOptimizer(net, fraction=0.4, lr=0.02, total_steps=8, min_dim=1)

    def steps(net, optimizer, n):
        def closure():
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x6), y3)
            loss.backward()
            return loss

        for _ in range(n):
            assert optimizer.step(closure) > 0

    net, optimizer = new()
    steps(net, optimizer, 3)
    stored = copy.deepcopy((net.state_dict(), optimizer.state_dict()))
    steps(net, optimizer, 5)
    again, other = new()
    again.load_state_dict(stored[0])
    other.load_state_dict(stored[1])
    steps(again, other, 5)
    assert other.sparse.n_trainable == optimizer.sparse.n_trainable < optimizer.sparse.n_chosen
    assert all(
        torch.equal(bits(p), bits(q))
        for p, q in zip(net.parameters(), again.parameters(), strict=True)
    )
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 4)
    steps(net, optimizer, 1)
    scheduler.step()
    assert optimizer.base.param_groups[0]["lr"] < 0.02


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fraction": 0.1, "total_steps": 9}, "lr must be given"),
        ({"fraction": 0.1, "lr": 0.1}, "total_steps must be given"),
        ({"fraction": 0.1, "lr": 0.1, "total_steps": 9, "progressive_at": 1.0}, "progressive_at"),
        ({"fraction": 0.1, "lr": 0.1, "total_steps": 0}, "total_steps must be"),
        ({"lr": 0.1, "progressive_at": None}, "give one of threshold and fraction"),
    ],
)
def test_arguments_of_the_optimizer_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        SaRAOptimizer(perceptron(), **arguments)


# ------------------------------------------------------------------------------------------------
# the regularizer


class Digits(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm, self.head = nn.Linear(64, 16), nn.BatchNorm1d(16), nn.Linear(16, 10)

    def forward(self, x):
        return self.head(self.norm(self.first(x)).relu())


@functools.cache
def pretrained_digits():
    net = RegularizedNetClassifier(
        Digits, max_epochs=5, lr=0.1, batch_size=40, train_split=None, verbose=0
    )
    return net.fit(X, y).module_


def fitted(*regularizers, pretrained=None, target=y, **arguments):
    named = [(f"r{i}", one) for i, one in enumerate(regularizers)]
    settings = {"max_epochs": 4, "batch_size": 40, "lr": 0.01, "random_state": 0}
    module = pretrained_digits() if pretrained is None else pretrained
    model = DeepClassifier(module, named, standardize=False, **{**settings, **arguments})
    return model.fit(X, target)


def sara_of(model):
    return model.net_.regularizers_[0][1]


def test_a_net_trains_the_smallest_entries_and_reselects_half_way():
    shifted = np.roll(y, 1)
    base = {name: p.detach().clone() for name, p in pretrained_digits().named_parameters()}
    model = fitted(SaRA(0.3), target=shifted)
    sara = sara_of(model)
    expected = SparseParameters(copy.deepcopy(pretrained_digits()), fraction=0.3)
    assert sara.mask_fraction_ == pytest.approx(0.3, abs=1e-3)
    assert sara.threshold_ == next(iter(expected.thresholds.values()))
    assert 0 < sara.n_trainable_ < expected.n_trainable
    assert 0 < sara.still_small_ < 1
    trained = values_of(model.net_.module_)
    for name, mask in expected.masks.items():
        assert torch.equal(bits(trained[name])[~mask], bits(base[name])[~mask])
    assert sum(int((trained[n] != base[n])[m].sum()) for n, m in expected.masks.items()) > 200
    module = apply_patch(copy.deepcopy(pretrained_digits()), sara.patch_)
    for name, parameter in module.named_parameters():
        assert torch.equal(parameter, trained[name])
    assert torch.equal(pretrained_digits().first.weight, base["first.weight"])  # it is copied


@pytest.mark.parametrize("at", [0.25, 0.5, 0.7])
def test_reselection_comes_after_its_share_of_the_steps(at):
    class Watch(SaRA):
        def penalty(self, net, batch, y_pred, features):
            seen.append((batch.step, self.n_trainable_))
            return super().penalty(net, batch, y_pred, features)

    seen = []
    model = fitted(Watch(0.3, progressive_at=at))
    changes = [step for (step, n), (_, m) in zip(seen[1:], seen[:-1], strict=True) if n != m]
    assert len(seen) == 16
    assert changes == [int(np.ceil(16 * at))]
    again = sara_of(model).n_trainable_
    model.set_params(warm_start=True, max_epochs=8).fit(X, y)
    assert sara_of(model).n_trainable_ == again  # once in a training
    everything = fitted(SaRA(0.3, progressive_at=None))
    assert sara_of(everything).n_trainable_ == round(0.3 * sara_of(everything).sparse_.n_parameters)


def test_a_net_trains_as_by_hand():
    net = RegularizedNetClassifier(
        copy.deepcopy(pretrained_digits()), optimizer=torch.optim.AdamW,
        regularizers=[("sara", SaRA(0.3, lambda_rank=0.1, min_dim=8, sampling="all"))],
        max_epochs=4, lr=0.01, batch_size=40, train_split=None, verbose=0,
        iterator_train__shuffle=False,
    ).fit(X, y)  # fmt: skip
    by_hand = copy.deepcopy(pretrained_digits())
    sparse = SparseParameters(by_hand, fraction=0.3)
    norm = MaskedNuclearNorm(0.1, min_dim=8, sampling="all")
    optimizer = torch.optim.AdamW(by_hand.parameters(), lr=0.01)
    by_hand.train().norm.eval()
    for epoch in range(4):
        if epoch == 2:
            sparse.reselect()
        for rows in torch.arange(160).split(40):
            optimizer.zero_grad()
            loss = F.cross_entropy(by_hand(torch.from_numpy(X[rows])), torch.from_numpy(y[rows]))
            (loss + norm(by_hand)).backward()
            optimizer.step()
    trained = values_of(net.module_)
    for name, value in values_of(by_hand).items():
        torch.testing.assert_close(trained[name], value, rtol=1e-4, atol=1e-5)
    assert norm(by_hand) > 0


@pytest.mark.parametrize("freeze", [True, False])
def test_statistics_of_normalisation_stay_or_move(freeze):
    before = pretrained_digits().norm.running_mean.clone()
    model = fitted(SaRA(0.3, freeze_norm_stats=freeze))
    norm = model.net_.module_.norm
    assert torch.equal(norm.running_mean, before) == freeze
    assert model.net_.module_.train().norm.training
    model.net_.module_.norm(torch.randn(4, 16))
    assert norm.training  # no hook is left


def test_passes_of_one_step_penalize_the_same_matrix():
    class Watch(MaskedNuclearNorm):
        def draw(self, module):
            drawn.append(super().draw(module))
            return drawn[-1]

        def of(self, matrices):
            used.append(matrices)
            return super().of(matrices)

    class Watched(SaRA):
        def initialize(self):
            super().initialize()
            self.rank_ = Watch(self.lambda_rank, min_dim=8, min_count=0)
            return self

    drawn, used = [], []
    fitted(Watched(0.3), SAM(), max_epochs=2)
    assert len(used) == 2 * len(drawn) == 16
    assert all(first is second for first, second in zip(used[::2], used[1::2], strict=True))
    assert len({len(one[0][0].index) for one in drawn}) == 2


@pytest.mark.parametrize("progressive_at", [0.3, 0.7])
@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, torch.optim.SGD])
def test_resuming_from_a_checkpoint_is_as_if_never_interrupted(tmp_path, optimizer, progressive_at):
    def net(epochs, *callbacks):
        return RegularizedNetClassifier(
            copy.deepcopy(pretrained_digits()), optimizer=optimizer, lr=0.02, batch_size=40,
            regularizers=[("sara", SaRA(0.3, progressive_at=progressive_at, min_dim=8))],
            max_epochs=epochs, callbacks=list(callbacks), train_split=None, verbose=0,
            iterator_train__shuffle=True,
        )  # fmt: skip

    torch.manual_seed(0)
    straight = net(6).fit(X, y)
    torch.manual_seed(0)
    begun = net(6, Checkpoint(dirname=tmp_path, monitor=None)).initialize()
    begun.partial_fit(X, y, epochs=3)
    torch.manual_seed(5)
    resumed = net(3, LoadInitState(Checkpoint(dirname=tmp_path, monitor=None))).fit(X, y)
    assert len(resumed.history) == 6
    a, b = straight.regularizers[0][1], resumed.regularizers[0][1]
    assert a.n_trainable_ == b.n_trainable_ < a.sparse_.n_chosen
    for (name, value), other in zip(
        straight.module_.state_dict().items(), resumed.module_.state_dict().values(), strict=True
    ):
        assert torch.equal(value, other), name


OTHERS = [
    SAM(), ELR(), LabelSmoothing(), GradientClipping(), EMAWeights(), SWA(0.5),
]  # fmt: skip


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("other", OTHERS, ids=lambda r: type(r).__name__)
def test_it_composes(other, first):
    pair = [SaRA(0.3), clone(other)]
    model = fitted(*(pair if first else pair[::-1]))
    sara = next(r for _, r in model.net_.regularizers_ if isinstance(r, SaRA))
    base = dict(pretrained_digits().named_parameters())
    masks = SparseParameters(copy.deepcopy(pretrained_digits()), fraction=0.3).masks
    for name, value in values_of(model.net_.module_).items():
        assert torch.equal(bits(value)[~masks[name]], bits(base[name])[~masks[name]])
    assert sara.n_trainable_ < sara.sparse_.n_chosen
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    twin = next(r for _, r in again.net_.regularizers_ if isinstance(r, SaRA))
    assert twin.sparse_.module is again.net_.module_


@pytest.mark.parametrize("first", [True, False])
def test_pruning_beside_it_is_refused(first):
    pair = [SaRA(0.3), MagnitudePruning()]
    with pytest.raises(ValueError, match=r"has a mask already|belongs to a parametrization"):
        fitted(*(pair if first else pair[::-1]))


def test_training_goes_on_and_begins_anew():
    model = fitted(SaRA(0.3))
    once = values_of(model.net_.module_)
    again = clone(model).fit(X, y)
    refit = model.fit(X, y)
    for other in (again, refit):
        for name, value in values_of(other.net_.module_).items():
            assert torch.equal(value, once[name])
    model.partial_fit(X, y)
    assert any(
        not torch.equal(value, once[name]) for name, value in values_of(model.net_.module_).items()
    )
    model.set_params(regularizers__r0__lambda_rank=0.0).partial_fit(X, y)
    n = sara_of(model).n_trainable_
    model.set_params(regularizers__r0__progressive_at=0.9).partial_fit(X, y)
    assert sara_of(model).n_trainable_ == n
    model.set_params(regularizers__r0__fraction=0.2)
    with pytest.raises(ValueError, match=r"fraction of SaRA .* is built into the module"):
        model.partial_fit(X, y)


def test_a_net_of_the_same_module_chooses_anew():
    module = copy.deepcopy(pretrained_digits())
    net = RegularizedNetClassifier(
        module, regularizers=[("sara", SaRA(0.3))], max_epochs=1, batch_size=40, verbose=0,
        train_split=None,
    )  # fmt: skip
    net.fit(X, y)
    trained = values_of(module)
    net.initialize()
    assert all(torch.equal(value, trained[name]) for name, value in values_of(module).items())
    assert net.regularizers[0][1].mask_fraction_ == pytest.approx(0.3, abs=1e-3)


def test_thresholds_of_tensors_and_in_units():
    model = fitted(SaRA(0.2, scope="tensor", parameters="*.weight"), max_epochs=1)
    assert sara_of(model).threshold_.keys() == {"first.weight", "head.weight", "norm.weight"}
    model = fitted(SaRA(None, threshold=0.02, dense="head.*"), max_epochs=1)
    assert sara_of(model).threshold_ == pytest.approx(0.02)


def test_a_compiled_net_keeps_the_statistics_of_normalisation():
    model = fitted(SaRA(0.3), compile=True, net_params={"compile__backend": "eager"}, max_epochs=2)
    module = model.net_.module_._orig_mod
    assert torch.equal(module.norm.running_mean, pretrained_digits().norm.running_mean)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lambda_rank": -1.0}, "lambda_rank must be"),
        ({"progressive_at": 0.0}, "progressive_at must be"),
        ({"progressive_at": 1.0}, "progressive_at must be"),
        ({"threshold": 0.1}, "give one of threshold and fraction, and None for the other"),
        ({"sampling": "both"}, "sampling must be one of"),
        ({"min_dim": -1}, "min_dim must be"),
        ({"parameters": "frist.weight"}, r"there is first\.weight"),
    ],
)
def test_arguments_of_the_regularizer_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        fitted(SaRA(**arguments))


def test_the_smallest_weights_are_idle():
    """The premise of the paper: zeroing a fifth of the entries costs less than half a point."""
    X, y = load_digits(return_X_y=True)
    X, y = torch.tensor(X / 16, dtype=torch.float32), torch.tensor(y)
    changes = []
    for seed in range(3):
        torch.manual_seed(seed)
        order = torch.randperm(len(X))
        train, test = order[:1200], order[1200:]
        net = nn.Sequential(
            nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)
        )
        optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
        for _ in range(8):
            for rows in train[torch.randperm(1200)].split(64):
                optimizer.zero_grad()
                F.cross_entropy(net(X[rows]), y[rows]).backward()
                optimizer.step()

        def accuracy(net=net, test=test):
            return (net(X[test]).argmax(1) == y[test]).double().mean().item()

        before, sparse = accuracy(), SparseParameters(net, fraction=0.2)
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.zero_()
        assert sparse.still_small == 1.0
        changes.append(100 * (accuracy() - before))
    assert abs(np.mean(changes)) < 0.5


def test_a_tuned_network_is_tuned_again():
    first = fitted(SaRA(0.3), max_epochs=2)
    before, proba = values_of(first.net_.module_), first.predict_proba(X)
    second = fitted(SaRA(0.1), pretrained=first.net_.module_, max_epochs=2)
    assert np.array_equal(first.predict_proba(X), proba)
    expected = SparseParameters(
        SparseParameters.remove(copy.deepcopy(sara_of(first).sparse_)), fraction=0.1
    )
    assert sara_of(second).sparse_.n_chosen == expected.n_chosen
    trained = values_of(second.net_.module_)
    for name, mask in expected.masks.items():
        assert torch.equal(bits(trained[name])[~mask], bits(before[name])[~mask])


def test_heads_train_alone_where_the_estimator_says_so():
    model = fitted(SaRA(0.3, dense="head.*"), trainable=["head.*"])
    base = dict(pretrained_digits().named_parameters())
    moved = {
        n for n, value in values_of(model.net_.module_).items() if not torch.equal(value, base[n])
    }
    assert moved == {"head.weight", "head.bias"}
