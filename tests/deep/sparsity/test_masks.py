"""Masks on weights: chosen, held, packed, taken off; the report; magnitude pruning."""

import copy
import io
import itertools
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import prune
from torch.utils.flop_counter import FlopCounterMode

from skreg.deep import DeepClassifier, RegularizedNetClassifier, SparsityDisplay
from skreg.deep.regularizers import ELR, SAM, EMAWeights, LabelSmoothing, MagnitudePruning
from skreg.deep.torch import (
    FixedMask,
    FrozenCopy,
    apply_masks,
    choose_weights,
    count_flops,
    count_parameters,
    magnitude_masks,
    masked_weights,
    pack_mask,
    parametrize_weights,
    remove_masks,
    sparsity_at,
    sparsity_report,
    unpack_mask,
    weight_masks,
)


def perceptron():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))


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
    ("layers", "expected"),
    [
        ("all", ["0.weight", "2.weight", "4.weight"]),
        ("hidden", ["2.weight"]),
        ("2", ["2.weight"]),
        (["0", "[24]"], ["0.weight", "2.weight", "4.weight"]),
        (lambda name, layer: layer.out_features == 8, ["0.weight", "2.weight"]),
    ],
    ids=["all", "hidden", "name", "patterns", "condition"],
)
def test_layers_are_chosen(layers, expected):
    assert [weight.name for weight in choose_weights(perceptron(), layers)] == expected


def test_weights_of_attention_are_its_projections_and_tied_ones_come_once():
    names = [weight.name for weight in choose_weights(Attentive())]
    assert names == [
        "attention.in_proj_weight",
        "attention.out_proj.weight",
        "convolution.weight",
        "head.weight",
    ]
    separate = nn.MultiheadAttention(4, 2, kdim=3, vdim=5)
    names = [weight.name for weight in choose_weights(separate)]
    assert names == ["q_proj_weight", "k_proj_weight", "v_proj_weight", "out_proj.weight"]


@pytest.mark.parametrize(
    ("network", "layers", "message"),
    [
        (nn.ReLU(), "all", "no layer of the types Linear"),
        (nn.Sequential(nn.Linear(2, 2)), "hidden", "chooses none"),
        (nn.ModuleDict({"first": nn.Linear(2, 2)}), "frist", "did you mean 'first'"),
        (nn.ModuleDict({"first": nn.Linear(2, 2)}), ["first", 3], "got 3"),
        (nn.LazyLinear(2), "all", "has no shape yet"),
    ],
)
def test_what_cannot_be_chosen_is_told(network, layers, message):
    with pytest.raises(ValueError, match=message):
        choose_weights(network, layers)


def test_global_masks_are_those_of_torch():
    ours, theirs = perceptron(), perceptron()
    prune.global_unstructured(
        [(theirs[i], "weight") for i in (0, 2, 4)], prune.L1Unstructured, amount=0.6
    )
    masks = magnitude_masks(ours, 0.6)
    for i in (0, 2, 4):
        assert torch.equal(masks[f"{i}.weight"], theirs[i].weight_mask.bool())


def test_masks_of_a_layer_are_those_of_torch():
    ours, theirs = perceptron(), perceptron()
    prune.l1_unstructured(theirs[2], "weight", amount=48)
    assert torch.equal(
        magnitude_masks(ours, 0.75, scope="layer")["2.weight"], theirs[2].weight_mask.bool()
    )


def test_masked_entries_are_zero_and_get_no_gradient_even_if_not_finite():
    net = perceptron()
    with torch.no_grad():
        net[0].weight[0, 0] = torch.nan
    mask = torch.ones(8, 6, dtype=torch.bool)
    mask[0, 0] = False
    apply_masks(net, {"0.weight": mask})
    net(torch.ones(2, 6)).sum().backward()
    assert net[0].weight[0, 0] == 0
    gradient = net[0].parametrizations.weight.original.grad
    assert gradient[0, 0] == 0
    assert gradient.isfinite().all()


def test_a_masked_network_equals_one_with_multiplied_weights():
    net, by_hand = Attentive(), Attentive()
    masks = magnitude_masks(net, 0.5, scope="layer")
    apply_masks(net, masks)
    with torch.no_grad():
        by_hand.attention.in_proj_weight.mul_(masks["attention.in_proj_weight"])
        by_hand.attention.out_proj.weight.mul_(masks["attention.out_proj.weight"])
        by_hand.convolution.weight.mul_(masks["convolution.weight"])
        by_hand.embedding.weight.mul_(masks["head.weight"])
    assert torch.equal(net(TOKENS), by_hand(TOKENS))
    assert torch.equal(net.eval()(TOKENS), by_hand.eval()(TOKENS))
    assert net.head.parametrizations.weight is net.embedding.parametrizations.weight
    assert {*weight_masks(net)} == {
        "embedding.weight", "attention.in_proj_weight", "attention.out_proj.weight",
        "convolution.weight",
    }  # fmt: skip


def test_removal_leaves_plain_parameters_of_the_same_names_and_ties():
    net = Attentive()
    names = [name for name, _ in net.named_parameters()]
    apply_masks(net, magnitude_masks(net, 0.5, scope="layer"))
    before = net(TOKENS)
    assert remove_masks(net) is net
    assert torch.equal(net(TOKENS), before)
    assert {name for name, _ in net.named_parameters()} == {*names}
    assert type(net.head) is nn.Linear
    assert net.head.weight is net.embedding.weight
    assert not [*masked_weights(net)]
    exported = torch.export.export(net.eval(), (TOKENS,)).module()
    torch.testing.assert_close(exported(TOKENS), before)


def test_removal_leaves_other_parametrizations():
    net = nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)))
    apply_masks(net, {"0.weight": torch.eye(4, dtype=torch.bool)})
    assert torch.count_nonzero(net[0].weight) == 4
    other = nn.utils.parametrizations.weight_norm(nn.Linear(4, 4), "bias", dim=None)
    apply_masks(other, {"weight": torch.eye(4, dtype=torch.bool)})
    remove_masks(other)
    assert nn.utils.parametrize.is_parametrized(other, "bias")
    assert torch.count_nonzero(other.weight) == 4


@pytest.mark.parametrize("copied", ["pickle", "deepcopy", "state", "frozen"])
def test_masked_networks_are_copied(copied):
    net = apply_masks(Attentive(), magnitude_masks(Attentive(), 0.4, scope="layer"))
    if copied == "pickle":
        again = pickle.loads(pickle.dumps(net))
    elif copied == "deepcopy":
        again = copy.deepcopy(net)
    elif copied == "frozen":
        again = FrozenCopy(net)
    else:
        again = apply_masks(
            Attentive(),
            {n: ~m for n, m in weight_masks(net).items() if not n.startswith("embedding")}
            | {"head.weight": weight_masks(net)["embedding.weight"]},
        )
        file = io.BytesIO()
        torch.save(net.state_dict(), file)
        file.seek(0)
        again.load_state_dict(torch.load(file))
    torch.testing.assert_close(again.eval()(TOKENS), net.eval()(TOKENS))


def test_masks_work_compiled_and_in_half_precision():
    net = apply_masks(perceptron(), magnitude_masks(perceptron(), 0.5))
    x = torch.randn(4, 6)
    compiled = torch.compile(net, backend="aot_eager")
    torch.testing.assert_close(compiled(x), net(x))
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(net(x).float(), net(x.float()).float())
    assert net.bfloat16()(x.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ({"1.weight": torch.ones(8, 6, dtype=torch.bool)}, "no weight is called '1.weight'"),
        ({"0.weight": torch.ones(6, 8, dtype=torch.bool)}, r"shape \(8, 6\), got \(6, 8\)"),
        ({"0.weight": torch.ones(8, 6)}, "Tensor of bool, got torch.float32"),
    ],
)
def test_masks_that_do_not_fit_are_refused(masks, message):
    net = perceptron()
    with pytest.raises(ValueError, match=message):
        apply_masks(net, masks)
    assert not [*masked_weights(net)]


def test_a_weight_has_one_mask():
    net = apply_masks(perceptron(), magnitude_masks(perceptron(), 0.5))
    other = {"0.weight": torch.ones(8, 6, dtype=torch.bool)}
    assert weight_masks(apply_masks(net, other))["0.weight"].all()
    with pytest.raises(ValueError, match="has a mask already"):
        parametrize_weights(net, choose_weights(net, "0"), lambda _: FixedMask(other["0.weight"]))


@pytest.mark.parametrize("sparsity", [-0.1, 1.0, "half", float("nan")])
def test_sparsity_is_a_share(sparsity):
    with pytest.raises(ValueError, match="sparsity must be"):
        magnitude_masks(perceptron(), sparsity)


def test_layers_without_weights_left_are_named():
    net = perceptron()
    with torch.no_grad():
        net[4].weight.mul_(1e-3)
    with pytest.raises(ValueError, match=r"masks all of 4\.weight"):
        magnitude_masks(net, 0.6)


@pytest.mark.parametrize("shape", [(1,), (8,), (3, 3), (2, 3, 5), (4, 4)])
def test_bits_come_back(shape):
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(0)) > 0.5
    packed = pack_mask(mask)
    assert packed == np.packbits(mask.numpy()).tobytes()
    assert len(packed) == -(-mask.numel() // 8)
    assert torch.equal(unpack_mask(packed, shape), mask)


def test_wrong_numbers_of_bytes_are_refused():
    with pytest.raises(ValueError, match="has 2 bytes, got 1"):
        unpack_mask(b"a", (3, 3))


def test_the_schedule_is_cubic():
    assert sparsity_at(0.5, 0.9, initial=0.1, begin=0.25, end=0.75) == pytest.approx(0.8)
    assert sparsity_at(0.1, 0.9, initial=0.1, begin=0.25) == pytest.approx(0.1)
    assert sparsity_at(0.3, 0.9, end=0.6, power=1) == pytest.approx(0.45)
    with pytest.raises(ValueError, match="initial must be"):
        sparsity_at(0.5, 0.5, initial=0.6)


def test_flops_are_those_of_formulas_and_of_torch():
    net = Attentive()
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        net(TOKENS)
    projections, products = 2 * 2 * 5 * 8 * (24 + 8), 2 * 2 * (2 * 5 * 5 * 8)
    convolution, head = 2 * 2 * 5 * 8 * 4 * 3, 2 * 2 * 5 * 8 * 11
    expected = projections + products + convolution + head
    assert count_flops(net.eval(), TOKENS) == expected == counter.get_total_flops()
    table = sparsity_report(net, TOKENS).set_index("layer")["flops"]
    assert table.to_dict() == {
        "attention": projections + products, "convolution": convolution, "head": head,
    }  # fmt: skip
    assert not net.training
    assert net.train().attention.training


def test_kept_flops_are_those_of_kept_weights():
    net = Attentive()
    apply_masks(net, magnitude_masks(net, 0.5, scope="layer"))
    table = sparsity_report(net, TOKENS).set_index("layer")
    products = 2 * 2 * (2 * 5 * 5 * 8)
    assert table.loc["convolution", "kept_flops"] == table.loc["convolution", "flops"] / 2
    attention = table.loc["attention"]
    assert attention["kept_flops"] - products == (attention["flops"] - products) / 2
    assert attention["weights"] == 8 * 32


def test_parameters_are_counted_once():
    net = Attentive()
    n = sum(p.numel() for p in net.parameters())
    assert count_parameters(net) == n
    apply_masks(net, magnitude_masks(net, 0.5, layers="convolution"))
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if "bias" in name:
                parameter.fill_(1.0)
    assert count_parameters(net) == n
    assert count_parameters(net, nonzero=True) == n - 48


def masked_layer(mask):
    layer = nn.Linear(mask.shape[1], len(mask))
    nn.init.ones_(layer.weight)
    return apply_masks(layer, {"weight": mask})


def test_patterns_are_recognised():
    rng = np.random.default_rng(0)
    two_of_four = np.argsort(rng.random((8, 8, 4)), axis=2).reshape(8, 32) < 2
    one_of_sixteen = np.argsort(rng.random((8, 2, 16)), axis=2).reshape(8, 32) < 1
    rows = np.repeat(rng.permutation(8) < 3, 32).reshape(8, 32)
    any_ = rng.random((8, 32)) < 0.5
    for mask, pattern in [
        (np.ones((8, 32), bool), "dense"),
        (two_of_four, "2:4"),
        (one_of_sixteen, "1:16"),
        (np.ascontiguousarray(two_of_four.T), "2:4 outputs"),
        (rows, "3 of 8 outputs"),
        (any_, "unstructured"),
    ]:
        assert sparsity_report(masked_layer(torch.from_numpy(mask)))["pattern"][0] == pattern


def test_the_display_shows_each_layer():
    net = apply_masks(perceptron(), magnitude_masks(perceptron(), 0.5))
    display = SparsityDisplay.from_module(net)
    assert [bar.get_width() for bar in display.bars_] == pytest.approx(
        list(display.report["density"])
    )
    assert "68 of 136" in display.ax_.get_title()


X, y = load_digits(return_X_y=True)
X, y = (X[:160] / 16).astype(np.float32), y[:160]


class Digits(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))


def fitted(*more, epochs=4, **arguments):
    pruning = MagnitudePruning(**{"sparsity": 0.75, **arguments})
    named = [("pruning", pruning), *((f"r{i}", one) for i, one in enumerate(more))]
    return DeepClassifier(
        Digits, regularizers=named, max_epochs=epochs, batch_size=40, lr=0.01, random_state=0,
        standardize=False,
    ).fit(X, y)  # fmt: skip


def test_pruning_reaches_its_sparsity_and_goes_on():
    model = fitted()
    n = 64 * 16 + 16 * 10
    table = sparsity_report(model.net_.module_)
    assert table["nonzero"].sum() == n - int(0.75 * n)
    assert dict(model.net_.regularizers_)["pruning"].sparsity_ == pytest.approx(0.75)
    masks = weight_masks(model.net_.module_)
    model.set_params(warm_start=True, max_epochs=6).fit(X, y)
    after = weight_masks(model.net_.module_)
    assert all(torch.equal(masks[name], after[name]) for name in masks)
    again = clone(model).set_params(warm_start=False, max_epochs=4).fit(X, y)
    assert torch.equal(weight_masks(again.net_.module_)["0.weight"], masks["0.weight"])


def test_masks_only_shrink_and_follow_the_schedule():
    class Watch(MagnitudePruning):
        def after_step(self, net, batch):
            super().after_step(net, batch)
            seen.append(
                (
                    batch.progress,
                    torch.cat([m.flatten() for m in weight_masks(net.module_).values()]),
                )
            )

    seen = []
    net = RegularizedNetClassifier(
        Digits, regularizers=[("it", Watch(0.75, n_updates=1000, end=0.5))], max_epochs=5, lr=0.1,
        batch_size=16, train_split=None, verbose=0,
    ).fit(X, y)  # fmt: skip
    assert len(seen) == 50
    for (_, before), (progress, mask) in itertools.pairwise(seen):
        assert not (mask & ~before).any()
        assert 1 - mask.float().mean().item() == pytest.approx(
            sparsity_at(progress, 0.75, end=0.5), abs=0.01
        )
    assert net.regularizers[0][1].sparsity_ == pytest.approx(0.75)


def test_kept_weights_train_as_by_hand():
    torch.manual_seed(0)
    module = Digits()
    masks = magnitude_masks(module, 0.5)
    by_hand = copy.deepcopy(module)
    net = RegularizedNetClassifier(
        module, regularizers=[("it", MagnitudePruning(masks=masks))], max_epochs=2, lr=0.1,
        batch_size=40, train_split=None, verbose=0, optimizer=torch.optim.SGD,
        iterator_train__shuffle=False,
    ).fit(X, y)  # fmt: skip
    for i in (0, 2):
        prune.custom_from_mask(by_hand[i], "weight", masks[f"{i}.weight"])
    optimizer = torch.optim.SGD(by_hand.parameters(), lr=0.1)
    for _ in range(2):
        for rows in torch.arange(160).split(40):
            optimizer.zero_grad()
            F.cross_entropy(
                by_hand(torch.from_numpy(X[rows])), torch.from_numpy(y[rows])
            ).backward()
            optimizer.step()
    by_hand(torch.from_numpy(X))  # pruning computes weights before each call
    for i in (0, 2):
        torch.testing.assert_close(net.module_[i].weight, by_hand[i].weight)


@pytest.mark.parametrize(
    "other", [SAM(), ELR(), LabelSmoothing(), EMAWeights()], ids=lambda r: type(r).__name__
)
def test_pruning_composes(other):
    model = fitted(other)
    table = sparsity_report(model.net_.module_)
    assert table["nonzero"].sum() <= 1184 - 888
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))


def test_training_that_ends_early_is_told():
    net = RegularizedNetClassifier(
        Digits, regularizers=[("it", MagnitudePruning(0.5, end=0.9))], max_epochs=10,
        batch_size=40, train_split=None, verbose=0,
    ).initialize()  # fmt: skip
    with pytest.warns(UserWarning, match="masked .*, not 50.0%: training ended before"):
        net.partial_fit(X, y, epochs=3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sparsity": 0.0}, "sparsity must be"),
        ({"sparsity": 1}, "sparsity must be"),
        ({"end": 1.0}, "end must be"),
        ({"begin": 0.8}, "begin must be"),
        ({"n_updates": 0}, "n_updates must be"),
        ({"scope": "all"}, "scope must be one of"),
        ({"layers": "1"}, "no layer of the types"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        fitted(**arguments)


def test_removal_from_a_copy_leaves_the_original_masked():
    layer = nn.Linear(4, 4)
    nn.utils.parametrizations.weight_norm(layer, "bias", dim=None)
    apply_masks(layer, {"weight": torch.eye(4, dtype=torch.bool)})
    twin = remove_masks(copy.deepcopy(layer))
    assert torch.count_nonzero(layer.weight) == torch.count_nonzero(twin.weight) == 4
    assert [*masked_weights(layer)]
    assert not [*masked_weights(twin)]
