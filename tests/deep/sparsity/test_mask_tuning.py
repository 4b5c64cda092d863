"""Binary masks on a frozen network, gradient dropout, and both in the training step."""

import copy
import io
import math
import pickle
import warnings

import numpy as np
import pytest
import skorch.callbacks
import torch
from sklearn.base import clone
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from skreg.deep import DeepClassifier, RegularizedNetClassifier, RegularizedNetRegressor
from skreg.deep import regularizers as r
from skreg.deep.regularizers import MaskTuning
from skreg.deep.torch import (
    BinaryMask,
    GradientDropoutStep,
    apply_binary_masks,
    apply_masks,
    gradient_agreement,
    gradient_dropout,
    load_masks,
    mask_scores,
    reference_cross_entropy,
    remove_masks,
    save_masks,
    set_binary_masks,
    sparsity_report,
    unmasked,
    weight_masks,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(96, 6)).astype(np.float32)
y = (X[:, 0] + X[:, 1] > 0).astype(np.int64) + (X[:, 2] > 1)
LR = 5e-4


def base(norm=False, seed=0):
    torch.manual_seed(seed)
    middle = [nn.BatchNorm1d(12)] if norm else []
    net = nn.Sequential(nn.Linear(6, 12), *middle, nn.ReLU(), nn.Linear(12, 9), nn.ReLU(),
                        nn.Linear(9, 3))  # fmt: skip
    if norm:
        with torch.no_grad():  # statistics unlike those of the batches
            net[1].running_mean.uniform_(-1, 1)
            net[1].running_var.uniform_(0.5, 2)
    return net


def tuned(*more, module=None, fit=True, epochs=8, weight=None, cls=RegularizedNetClassifier, **of):
    """A net after training with masks; arguments of the net begin with ``net_``."""
    net_arguments = {k.removeprefix("net_"): of.pop(k) for k in list(of) if k.startswith("net_")}
    named = [("masks", MaskTuning(**of)), *((f"r{i}", one) for i, one in enumerate(more))]
    torch.manual_seed(1)
    net = cls(
        base() if module is None else module,
        **{
            "regularizers": named, "optimizer": torch.optim.Adam, "lr": LR, "max_epochs": epochs,
            "batch_size": 32, "train_split": None, "verbose": 0,
        } | net_arguments,
    )  # fmt: skip
    given = {} if weight is None else {"sample_weight": weight}
    return net.fit(X, y, **given) if fit else net


def masks_of(net):
    return dict(net.regularizers)["masks"]


def same_masks(first, second):
    return all(np.array_equal(first[name], second[name]) for name in first | second)


# agreement and dropout


@pytest.mark.parametrize(
    ("a", "b", "p"),
    [(1, 2, 1), (1, -1, 0.5), (1, -3, 0.25), (-2, 1, 2 / 3), (0, 5, 0.5), (3, 0, 1)],
)
def test_agreement_of_single_entries(a, b, p):
    found = gradient_agreement(torch.tensor([float(a)]), torch.tensor([float(b)]))
    assert found.item() == pytest.approx(p, abs=1e-7)


def test_agreement_is_the_formula_of_the_paper_at_any_scale():
    torch.manual_seed(0)
    a, b = torch.randn(2, 1000)
    conflict = a * b < 0
    closed = torch.where(conflict, a.abs() / (a.abs() + b.abs()), 1.0)
    formula = ((a + b) * a.sign() / (a.abs() + b.abs() + 1e-8) + 1) / 2
    p = gradient_agreement(a, b)
    torch.testing.assert_close(p, closed, atol=1e-6, rtol=0)
    torch.testing.assert_close(p, formula, atol=1e-5, rtol=0)
    assert (p[~conflict] == 1).all()
    for scale in (1e-20, 1e-9, 1e6):
        torch.testing.assert_close(gradient_agreement(scale * a, scale * b), p)
    assert torch.equal(gradient_agreement(-a, -b), p)
    assert gradient_agreement(a.half(), b.half()).dtype == torch.float32


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_mean_of_dropped_gradients(strength):
    torch.manual_seed(0)
    a, b = torch.randn(2, 40)
    draws = torch.stack([gradient_dropout(a, b, strength) for _ in range(4000)])
    expected = a * (1 - strength + strength * gradient_agreement(a, b))
    error = 4 * strength * a.abs() / (2 * math.sqrt(4000))  # four standard errors
    assert ((draws.mean(0) - expected).abs() <= error + 1e-6).all()
    kept = draws == a
    assert (kept | torch.isclose(draws, (1 - strength) * a)).all()
    if strength == 0:
        assert kept.all()


def test_dropout_draws_from_its_generator():
    a, b = torch.ones(50), -torch.ones(50)
    first, again = (
        gradient_dropout(a, b, generator=torch.Generator().manual_seed(3)) for _ in range(2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, gradient_dropout(a, b, generator=torch.Generator()))
    assert gradient_dropout(a.bfloat16(), b.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_reference_loss_has_the_gradient_of_the_divergence(temperature):
    torch.manual_seed(0)
    o, ref = torch.randn(5, 4, dtype=torch.float64, requires_grad=True), torch.randn(5, 4).double()
    weight = torch.tensor([1.0, 2.0, 0.0, 1.5, 0.5], dtype=torch.float64)
    (found,) = torch.autograd.grad(reference_cross_entropy(o, ref, temperature, weight), o)
    q = F.softmax(ref / temperature, 1)
    terms = F.kl_div(F.log_softmax(o / temperature, 1), q, reduction="none").sum(1)
    (expected,) = torch.autograd.grad(temperature**2 * (weight * terms).sum() / 5, o)
    torch.testing.assert_close(found, expected)
    pixels = torch.randn(2, 4, 3, 3)
    rows = pixels.movedim(1, -1).reshape(-1, 4)
    torch.testing.assert_close(
        reference_cross_entropy(pixels, pixels.flip(1)), reference_cross_entropy(rows, rows.flip(1))
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gradient_agreement(torch.zeros(2), torch.zeros(3)), "must have one shape"),
        (lambda: gradient_dropout(torch.zeros(2), torch.zeros(2), 1.1), r"strength must be in \[0"),
        (lambda: reference_cross_entropy(torch.zeros(2, 1), torch.zeros(2, 1)), "two classes"),
        (lambda: reference_cross_entropy(torch.zeros(2, 3), torch.zeros(2, 2)), "of one shape"),
        (
            lambda: reference_cross_entropy(torch.zeros(2, 3), torch.zeros(2, 3), 0.0),
            "temperature must be",
        ),
        (
            lambda: GradientDropoutStep(torch.optim.SGD([nn.Parameter(torch.ones(1))]), []),
            "there are none",
        ),
    ],
)
def test_bad_gradients_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# masks


class Attentive(nn.Module):
    """Attention, a convolution with groups, and an embedding tied to the last layer."""

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


def random_masks(net, seed=0):
    torch.manual_seed(seed)
    return {name: torch.rand(mask.shape) > 0.4 for name, mask in weight_masks(net).items()}


def test_masks_begin_at_the_pretrained_network_and_freeze_it():
    net, plain = apply_binary_masks(Attentive()), Attentive()
    assert torch.equal(net(TOKENS), plain(TOKENS))
    assert torch.equal(net.eval()(TOKENS), plain.eval()(TOKENS))
    scores = mask_scores(net)
    assert len(scores) == 4
    assert {id(p) for p in net.parameters() if p.requires_grad} == {id(m) for m in scores.values()}
    assert net.embedding.weight is not None
    assert net.head.parametrizations.weight is net.embedding.parametrizations.weight


def test_gradient_in_scores_is_that_in_weights_times_weights():
    net, plain = Attentive(), Attentive()
    apply_binary_masks(net)
    masks = random_masks(net)
    set_binary_masks(net, masks)
    full = {"head.weight" if n.startswith("embedding") else n: m for n, m in masks.items()}
    with torch.no_grad():
        weights = {name: plain.get_parameter(name) for name in full}
        original = {name: weight.clone() for name, weight in weights.items()}
        for name, weight in weights.items():
            weight.mul_(full[name])
    for one in (net, plain):
        one(TOKENS).square().sum().backward()
    assert torch.equal(net(TOKENS), plain(TOKENS))
    for name, scores in mask_scores(net).items():
        name = "head.weight" if name.startswith("embedding") else name
        torch.testing.assert_close(scores.grad, weights[name].grad * original[name])


@pytest.mark.parametrize("lr", [8e-5, 3e-4])
def test_one_weight_is_switched_off_after_the_travel(lr):
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, 2.0)
    apply_binary_masks(layer)
    (m,) = mask_scores(layer).values()
    optimizer = torch.optim.Adam([m], lr=lr)
    for step in range(math.ceil(5e-3 / lr)):
        assert layer.weight.item() == 2.0
        optimizer.zero_grad()
        layer(torch.ones(1, 1)).square().sum().backward()
        if step == 0:
            assert m.grad.item() == 8.0
        optimizer.step()
    assert layer(torch.ones(1, 1)).item() == 0.0


def test_adam_switches_off_what_has_no_gradient_and_sgd_does_not():
    for make, expected in ((torch.optim.Adam, 0), (torch.optim.SGD, 10_000)):
        layer = apply_binary_masks(nn.Linear(100, 100, bias=False))
        (m,) = mask_scores(layer).values()
        optimizer = make([m], lr=8e-5)
        for _ in range(64):
            optimizer.zero_grad()
            (1e-4 * torch.linalg.vector_norm(m)).backward()
            optimizer.step()
        assert int(torch.count_nonzero(layer.weight)) == expected


def test_a_score_at_the_threshold_switches_off():
    layer = apply_binary_masks(nn.Linear(3, 1), threshold=0.0078125)
    (m,) = mask_scores(layer).values()
    with torch.no_grad():
        m.copy_(torch.tensor([[0.0078125, 0.008, 0.007]]))
    assert (layer.weight != 0).tolist() == [[False, True, False]]
    assert weight_masks(layer)["weight"].tolist() == [[False, True, False]]


def test_masks_that_are_set_are_as_far_from_the_threshold_as_new_ones():
    layer = apply_binary_masks(nn.Linear(2, 1), init=3.0, threshold=2.0)
    set_binary_masks(layer, {"weight": torch.tensor([[True, False]])})
    assert mask_scores(layer)["weight"].tolist() == [[3.0, 1.0]]


def test_assigned_weights_are_frozen_anew():
    layer = apply_binary_masks(nn.Linear(3, 2))
    set_binary_masks(layer, {"weight": torch.zeros(2, 3, dtype=torch.bool)})
    layer.weight = torch.arange(6.0).view(2, 3)
    assert torch.equal(layer.weight, torch.arange(6.0).view(2, 3))


def test_masks_come_back_from_a_file_in_eighths(tmp_path):
    net = apply_binary_masks(Attentive())
    masks = random_masks(net)
    save_masks(masks, tmp_path / "task.npz")
    again = load_masks(tmp_path / "task.npz")
    assert all(torch.equal(again[name], masks[name]) for name in masks | again)
    with np.load(tmp_path / "task.npz") as arrays:
        for name, mask in masks.items():
            assert arrays[f"mask {name}"].tobytes() == np.packbits(mask.numpy()).tobytes()
    file = io.BytesIO()
    np.savez(file, a=np.zeros(1))
    file.seek(0)
    with pytest.raises(ValueError, match="holds no masks"):
        load_masks(file)


def test_several_tasks_share_one_network():
    net = apply_binary_masks(Attentive())
    before = net(TOKENS)
    outputs = []
    for seed in range(2):
        set_binary_masks(net, random_masks(net, seed))
        outputs.append(net(TOKENS))
        with unmasked(net):
            torch.testing.assert_close(net(TOKENS), before)
    set_binary_masks(net, random_masks(net, 0))
    assert torch.equal(net(TOKENS), outputs[0])
    assert not torch.equal(outputs[0], outputs[1])
    apply_binary_masks(net, ["attention", "convolution"])
    torch.testing.assert_close(net(TOKENS), before)
    assert sum(m.requires_grad for m in mask_scores(net).values()) == 2


def test_masks_fit_plain_networks_of_the_same_base():
    net = apply_binary_masks(base())
    masks = random_masks(net)
    set_binary_masks(net, masks)
    assert torch.equal(apply_masks(base(), masks)(torch.ones(1, 6)), net(torch.ones(1, 6)))


@pytest.mark.parametrize("copied", ["pickle", "deepcopy", "state"])
def test_masked_networks_are_copied(copied):
    net = apply_binary_masks(Attentive())
    set_binary_masks(net, random_masks(net))
    if copied == "pickle":
        again = pickle.loads(pickle.dumps(net))
    elif copied == "deepcopy":
        again = copy.deepcopy(net)
    else:
        again = apply_binary_masks(Attentive())
        file = io.BytesIO()
        torch.save(net.state_dict(), file)
        file.seek(0)
        again.load_state_dict(torch.load(file))
    assert torch.equal(again(TOKENS), net(TOKENS))
    with unmasked(again):
        torch.testing.assert_close(again(TOKENS), Attentive()(TOKENS))


def test_masks_work_compiled_and_in_half_precision():
    net = apply_binary_masks(base())
    set_binary_masks(net, random_masks(net))
    x = torch.randn(4, 6)
    compiled = torch.compile(net, backend="aot_eager")
    torch.testing.assert_close(compiled(x), net(x))
    compiled(x).sum().backward()
    found = [m.grad.clone() for m in mask_scores(net).values()]
    net.zero_grad()
    net(x).sum().backward()
    torch.testing.assert_close(found, [m.grad for m in mask_scores(net).values()])
    with torch.autocast("cpu", torch.bfloat16):
        assert net(x).dtype == torch.bfloat16
    assert net.bfloat16()(x.bfloat16()).dtype == torch.bfloat16


def test_removal_leaves_a_plain_network_that_exports():
    net = apply_binary_masks(Attentive())
    set_binary_masks(net, random_masks(net))
    before = net.eval()(TOKENS)
    assert torch.equal(remove_masks(net)(TOKENS), before)
    assert {*net.state_dict()} == {*Attentive().state_dict()}
    exported = torch.export.export(net, (TOKENS,)).module()
    torch.testing.assert_close(exported(TOKENS), before)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: BinaryMask(1e-2, 1e-2), "threshold must be less than init=0.01"),
        (lambda: BinaryMask(float("nan")), "init must be"),
        (lambda: BinaryMask(1.0, "low"), "threshold must be a number"),
        (lambda: apply_binary_masks(nn.ReLU()), "no layer of the types"),
        (lambda: apply_binary_masks(base(), "5"), "no layer of the types"),
        (lambda: apply_binary_masks(nn.ModuleDict({"head": nn.Linear(1, 1)}), "haed"), "'head'"),
        (
            lambda: apply_binary_masks(nn.utils.parametrizations.spectral_norm(nn.Linear(2, 2))),
            "another parametrization makes the weight 'weight'",
        ),
        (
            lambda: parametrize.register_parametrization(
                nn.utils.parametrizations.spectral_norm(nn.Linear(2, 2)), "weight", BinaryMask()
            ),
            "another parametrization makes this one",
        ),
        (
            lambda: set_binary_masks(
                apply_binary_masks(base()), {"0.wieght": torch.ones(12, 6) > 0}
            ),
            "'0.wieght'; there is 0.weight",
        ),
        (lambda: set_binary_masks(base(), {"0.weight": torch.ones(12, 6) > 0}), "is none: apply"),
        (
            lambda: set_binary_masks(
                apply_binary_masks(base()), {"0.weight": torch.ones(6, 12) > 0}
            ),
            r"shape \(12, 6\), got \(6, 12\)",
        ),
        (lambda: save_masks({"0": torch.ones(2)}, io.BytesIO()), "Tensor of bool, got torch.float"),
    ],
)
def test_what_cannot_be_masked_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# gradient dropout in a loop by hand


def by_hand(strength=1.0, loss_of_reference=None, *, norm=False, seed=None, temperature=1.0):
    """Adam on batches in order, the formulas of the paper written out."""
    net = apply_binary_masks(base(norm), ["0", "3" if norm else "2"]).eval()
    plain, scores = base(norm).eval(), [*mask_scores(net).values()]
    optimizer = torch.optim.Adam(scores, lr=LR)
    inputs, labels = torch.from_numpy(X), torch.from_numpy(y)
    for step, rows in enumerate(torch.arange(96).split(32) * 8):
        o, o_ref = net(inputs[rows]), plain(inputs[rows]).detach() / temperature
        L_a = F.cross_entropy(o, labels[rows]) + 1e-4 * sum(m.norm() for m in scores)
        L_b = F.cross_entropy(o / temperature, o_ref.softmax(1)) * temperature**2
        L_b = L_b if loss_of_reference is None else loss_of_reference(L_a)
        b = torch.autograd.grad(L_b, scores, retain_graph=True)
        a = torch.autograd.grad(L_a, scores)
        draws = torch.Generator().manual_seed(0 if seed is None else seed + step)
        for m, a_m, b_m in zip(scores, a, b, strict=True):
            P = (a_m.sign() * (a_m + b_m) / (a_m.abs() + b_m.abs() + 1e-30) + 1) / 2
            U = torch.rand(P.shape, generator=draws)
            m.grad = a_m * (1 - strength + strength * (P > U))
        optimizer.step()
    return net


def same_scores(net, expected, atol=1e-6):
    for found, wanted in zip(
        mask_scores(net).values(), mask_scores(expected).values(), strict=True
    ):
        torch.testing.assert_close(found, wanted, rtol=0, atol=atol)


@pytest.mark.parametrize("closure", [False, True])
def test_steps_are_those_of_the_formulas(closure):
    net = apply_binary_masks(base(), ["0", "2"])
    scores = [*mask_scores(net).values()]
    optimizer = GradientDropoutStep(
        torch.optim.Adam(scores, lr=LR), scores, generator=torch.Generator()
    )
    inputs, labels = torch.from_numpy(X), torch.from_numpy(y)
    for rows in torch.arange(96).split(32) * 8:
        optimizer.generator.manual_seed(0)

        def losses(rows=rows):
            optimizer.zero_grad()
            o = net(inputs[rows])
            with torch.no_grad(), unmasked(net):
                reference = net(inputs[rows])
            optimizer.add_reference(reference_cross_entropy(o, reference))
            L_a = F.cross_entropy(o, labels[rows]) + 1e-4 * sum(m.norm() for m in scores)
            L_a.backward()
            return L_a

        if closure:
            optimizer.step(losses)
        else:
            losses()
            optimizer.step()
    same_scores(net, by_hand())
    with pytest.raises(AssertionError, match="not close"):
        same_scores(net, by_hand(0.0), atol=1e-4)


def test_a_step_without_reference_is_refused():
    weight = nn.Parameter(torch.ones(2))
    optimizer = GradientDropoutStep(torch.optim.SGD([weight], lr=0.1), [weight])
    loss = weight.square().sum()
    optimizer.add_reference(loss)
    optimizer.zero_grad()
    loss.backward()
    with pytest.raises(RuntimeError, match="needs the gradient of the reference"):
        optimizer.step()


def test_references_of_several_batches_are_averaged():
    weight = nn.Parameter(torch.tensor([1.0, 1.0]))
    optimizer = GradientDropoutStep(torch.optim.SGD([weight], lr=1.0), [weight])
    optimizer.add_reference((weight * torch.tensor([-1.5e9, 1.5e9])).sum(), n=1)
    optimizer.add_reference((weight * torch.tensor([1e9, -1e9])).sum(), n=2)
    weight.sum().backward()  # the means are far above and far below zero
    optimizer.step()
    assert weight.tolist() == [0.0, 1.0]


# the regularizer


def test_training_is_that_of_the_formulas():
    for arguments in ({}, {"gdr_strength": 0.4, "temperature": 2.0}):
        net = tuned(**arguments)
        seed = int(masks_of(net).reference_.seed)
        strength = arguments.get("gdr_strength", 1.0)
        expected = by_hand(strength, seed=seed, temperature=arguments.get("temperature", 1.0))
        same_scores(net.module_, expected)
        assert masks_of(net).masked_fraction_ > 0.05


def test_normalizations_keep_their_statistics():
    net = tuned(module=base(norm=True))
    same_scores(net.module_, by_hand(norm=True, seed=int(masks_of(net).reference_.seed)))
    for name, value in base(norm=True).state_dict().items():
        if "1." in name:
            assert torch.equal(net.module_.state_dict()[name], value)
    assert net.module_.train()[1].training


def test_no_strength_is_plain_mask_tuning():
    plain = tuned(gdr_strength=0.0)
    same_scores(plain.module_, by_hand(0.0))
    same_scores(plain.module_, by_hand(1.0, lambda loss: 3 * loss))


def test_sum_adds_the_reference_to_the_loss():
    net = tuned(reference_mode="sum", gdr_strength=0.5)
    expected, plain = apply_binary_masks(base(), ["0", "2"]), base()
    scores = [*mask_scores(expected).values()]
    optimizer = torch.optim.Adam(scores, lr=LR)
    inputs, labels = torch.from_numpy(X), torch.from_numpy(y)
    for rows in torch.arange(96).split(32) * 8:
        optimizer.zero_grad()
        o = expected(inputs[rows])
        loss = F.cross_entropy(o, labels[rows]) + 1e-4 * sum(m.norm() for m in scores)
        (loss + 0.5 * F.cross_entropy(o, plain(inputs[rows]).softmax(1))).backward()
        optimizer.step()
    same_scores(net.module_, expected)


def test_the_base_stays_bit_for_bit():
    net = tuned()
    state = net.module_.state_dict()
    for name, value in base().state_dict().items():
        found = state.get(name, state.get(name.replace("weight", "parametrizations.weight.0.base")))
        assert torch.equal(found, value)
    tuner = masks_of(net)
    shown = {n: int((~m).sum()) for n, m in tuner.masks_.items()}
    assert [*shown] == ["0.weight", "2.weight"]
    assert tuner.masked_fraction_ == pytest.approx(sum(shown.values()) / (72 + 108))
    assert 5e-3 < tuner.max_travel_ <= 24 * LR * 1.5
    table = sparsity_report(net.module_).set_index("layer")
    assert table.loc["2", "nonzero"] == 108 - shown["2.weight"]
    assert same_masks(
        tuner.masks_, {n: m.numpy() for n, m in weight_masks(net.module_.train()).items()}
    )


def test_a_head_that_trains_is_compared_by_the_former_one():
    net = tuned(head="train")
    head = net.module_[4]
    assert not torch.equal(head.weight, base()[4].weight)
    assert torch.equal(masks_of(net).reference_.head.module.weight, base()[4].weight)
    # by hand: the head has the plain gradient, masks compare what the former head says
    expected, plain = apply_binary_masks(base(), ["0", "2"]), base()
    expected[4].requires_grad_(True)
    scores = [*mask_scores(expected).values()]
    optimizer = torch.optim.Adam([p for p in expected.parameters() if p.requires_grad], lr=LR)
    inputs, labels = torch.from_numpy(X), torch.from_numpy(y)
    seed = int(masks_of(net).reference_.seed)
    for step, rows in enumerate(torch.arange(96).split(32) * 8):
        optimizer.zero_grad()
        features = expected[:4](inputs[rows])
        L_b = F.cross_entropy(plain[4](features), plain(inputs[rows]).softmax(1))
        b = torch.autograd.grad(L_b, scores, retain_graph=True)
        loss = F.cross_entropy(expected[4](features), labels[rows])
        (loss + 1e-4 * sum(m.norm() for m in scores)).backward()
        draws = torch.Generator().manual_seed(seed + step)
        for m, b_m in zip(scores, b, strict=True):
            m.grad = gradient_dropout(m.grad, b_m, generator=draws)
        optimizer.step()
    same_scores(net.module_, expected)
    torch.testing.assert_close(head.weight, expected[4].weight, rtol=0, atol=1e-6)


def test_accumulated_batches_are_one_batch():
    whole = tuned(net_batch_size=96, epochs=20)
    parts = tuned(net_batch_size=36, net_accumulation_steps=3, epochs=20)
    same_scores(parts.module_, whole.module_, atol=1e-5)


def test_weights_of_samples_are_repetitions():
    weight = np.arange(96) % 3
    rows = np.repeat(np.arange(96), weight)

    def trained(*data, **given):
        net = tuned(fit=False, net_batch_size=500, epochs=20)
        return net.fit(*data, **given).module_

    same_scores(trained(X, y, sample_weight=weight), trained(X[rows], y[rows]), atol=1e-5)


@pytest.mark.parametrize("head", ["frozen", "train"])
def test_compiled_and_half_precise_training(head):
    plain = masks_of(tuned(head=head, module=base(norm=True))).masks_
    backend = {"net_compile": True, "net_compile__backend": "aot_eager"}
    compiled = tuned(head=head, module=base(norm=True), **backend)
    assert same_masks(masks_of(compiled).masks_, plain)
    half = tuned(head=head, module=base(norm=True), net_mixed_precision="bfloat16")
    half = masks_of(half).masks_
    agree = np.mean([np.mean(half[name] == plain[name]) for name in plain])
    assert agree > 0.9


OTHERS = [
    r.SAM(0.01), r.ELR(), r.LabelSmoothing(), r.EMAWeights(0.9), r.SWA(), r.Mixup(),
    r.GradientClipping(), r.TrustRegionPenalty(0.1, "initial"),
]  # fmt: skip


@pytest.mark.parametrize("other", OTHERS, ids=lambda one: type(one).__name__)
def test_tuning_composes(other):
    net = tuned(clone(other, safe=False))
    assert 0.01 < masks_of(net).masked_fraction_ < 0.9
    again = pickle.loads(pickle.dumps(net))
    assert np.array_equal(again.predict_proba(X), net.predict_proba(X))
    assert same_masks(masks_of(again).masks_, masks_of(net).masks_)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (r.MagnitudePruning(), "has a mask already"),
        (r.StableMax(), "takes the softmax"),
        (r.ELRPlus(), "replaces the module"),
    ],
)
def test_what_does_not_compose_is_refused(other, message):
    with pytest.raises(ValueError, match=message):
        tuned(other)


@pytest.mark.filterwarnings("ignore::skreg.deep.torch.ExperimentalWarning")
def test_weights_that_others_make_are_refused():
    net = tuned(fit=False)
    net.set_params(regularizers=[("compander", r.WeightCompander()), *net.regularizers])
    with pytest.raises(ValueError, match=r"another parametrization makes the weight '0\.weight'"):
        net.fit(X, y)


def test_training_resumes_from_a_checkpoint(tmp_path):
    whole = tuned(epochs=6, head="train", net_iterator_train__shuffle=True)
    checkpoint = skorch.callbacks.TrainEndCheckpoint(dirname=str(tmp_path))
    with pytest.warns(UserWarning, match="switched nothing off"):
        tuned(epochs=3, head="train", net_iterator_train__shuffle=True, net_callbacks=[checkpoint])
    rest = tuned(
        fit=False, head="train", net_iterator_train__shuffle=True, epochs=6,
        net_callbacks=[skorch.callbacks.LoadInitState(checkpoint)],
    )  # fmt: skip
    torch.manual_seed(99)
    rest.initialize().partial_fit(X, y, epochs=3)
    for found, wanted in zip(
        rest.module_.state_dict().values(), whole.module_.state_dict().values(), strict=True
    ):
        assert torch.equal(found, wanted)


def model(**arguments):
    return DeepClassifier(
        base(), [("masks", MaskTuning(**arguments))], optimizer=torch.optim.Adam, lr=LR,
        max_epochs=6, batch_size=32, random_state=0,
    )  # fmt: skip


def mask_table(model):
    return dict(model.net_.regularizers_)["masks"].masks_


def test_estimators_go_on_and_begin_anew():
    first = model().fit(X, y)
    masks = mask_table(first)
    assert not any(isinstance(m, BinaryMask) for m in first.module.modules())
    assert same_masks(mask_table(clone(first).fit(X, y)), masks)
    assert same_masks(mask_table(first.fit(X, y)), masks)
    with pytest.warns(UserWarning, match="switched nothing off"):
        longer = clone(first).set_params(max_epochs=3).fit(X, y)
    longer.set_params(warm_start=True).fit(X, y)
    assert same_masks(mask_table(longer), masks)
    longer.set_params(regularizers__masks__gdr_strength=0.0, max_epochs=1).fit(X, y)
    with pytest.raises(ValueError, match=r"threshold of MaskTuning .* cannot change"):
        longer.set_params(regularizers__masks__threshold=1e-3).fit(X, y)
    named = np.array(["a", "b", "c"])[y]
    assert np.array_equal(model().fit(X, named).predict(X), np.array(list("abc"))[first.predict(X)])


def test_a_net_that_is_fitted_again_masks_the_same_base():
    module = base()
    net = tuned(module=module)
    first = masks_of(net).masks_
    net.fit(X, (y + 1) % 3)
    second = masks_of(net).masks_
    assert not same_masks(first, second)
    torch.manual_seed(1)
    assert same_masks(masks_of(net.fit(X, y)).masks_, first)
    assert net.module_ is module


def test_convolutions_and_pixels():
    torch.manual_seed(0)
    images, classes = torch.randn(20, 2, 5, 5), torch.randint(3, (20, 5, 5))
    module = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 1)
    )
    net = tuned(module=module, fit=False, epochs=30).fit(images.numpy(), classes.numpy())
    assert [*masks_of(net).masks_] == ["0.weight"]
    assert masks_of(net).masked_fraction_ > 0


def test_regression_has_no_classes_to_compare():
    with pytest.raises(ValueError, match="is for classification and dense"):
        tuned(fit=False, cls=RegularizedNetRegressor).fit(X, X[:, :3])
    net = tuned(fit=False, cls=RegularizedNetRegressor, gdr_strength=0.0, epochs=20).fit(
        X, X[:, :3]
    )
    assert masks_of(net).masked_fraction_ > 0


def test_nothing_switched_off_is_told():
    with pytest.warns(UserWarning, match="switched nothing off: in 3 steps .* must fall by 0.005"):
        net = tuned(epochs=1)
    assert np.array_equal(net.predict_proba(X), tuned(epochs=0).predict_proba(X))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tuned()


def test_a_layer_that_is_switched_off_is_told():
    with pytest.warns(UserWarning, match=r"switched off all of 0\.weight, 2\.weight, behind"):
        tuned(norm_penalty=1e6, epochs=10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"threshold": 0.01}, "threshold must be less than init"),
        ({"norm_penalty": -1.0}, "norm_penalty must be"),
        ({"gdr_strength": 1.5}, "gdr_strength must be"),
        ({"temperature": 0}, "temperature must be"),
        ({"reference_mode": "mean"}, "reference_mode must be one of 'dropout', 'sum'"),
        ({"head": "new"}, "head must be one of 'frozen', 'train'"),
        ({"layers": "1"}, "no layer of the types"),
        ({"layers": "all", "head": "train"}, 'head="train" trains the last linear layer'),
        ({"module": nn.Sequential(nn.Linear(6, 3))}, "has the layer '0' only"),
        ({"net_mixed_precision": "float16"}, "mixed_precision='bfloat16'"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        tuned(**arguments)
