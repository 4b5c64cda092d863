"""DR-Tune: rotation and calibration by their definitions, the loss, the training step."""

import copy
import importlib.util
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes
from scipy.spatial.transform import Rotation
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import LRScheduler
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import IterableDataset

from skreg.deep import DeepClassifier, RegularizedNetClassifier, RegularizedNetRegressor
from skreg.deep.regularizers import SAM, DRTune, EMAWeights, LabelSmoothing, Mixup, RDrop
from skreg.deep.torch import (
    DistributionRegularizationLoss,
    FeatureBank,
    FrozenCopy,
    SemanticCalibration,
    kabsch_rotation,
)
from skreg.deep.transfer._dr_tune import rotated, translated

WARNS = "ignore:bank_size=.* is more than the:UserWarning"
pytestmark = pytest.mark.filterwarnings(WARNS)
N, K, D, BATCH = 24, 3, 6, 8


def numbers(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def proper(d, seed=0):
    Q = torch.linalg.qr(numbers(d, d, seed=seed)).Q
    Q[:, -1] *= torch.linalg.det(Q).sign()
    return Q


# rotation


@pytest.mark.parametrize(("n", "d"), [(30, 4), (9, 7), (5, 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_proper_rotation_is_recovered(n, d, dtype):
    Q, P = proper(d), numbers(n, d, seed=1)
    found = kabsch_rotation(P.to(dtype), (P @ Q.T + numbers(d, seed=2)).to(dtype))
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), Q, rtol=0, atol=2e-6)


@pytest.mark.parametrize("seed", range(5))
def test_the_best_rotation_is_scipys(seed):
    P, T = numbers(12, 3, seed=seed), numbers(12, 3, seed=seed + 100)
    w = torch.rand(12, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    centred = [part - (w @ part) / w.sum() for part in (P, T)]
    expected, _ = Rotation.align_vectors(centred[1], centred[0], weights=w.numpy())
    np.testing.assert_allclose(kabsch_rotation(P, T, w), expected.as_matrix(), atol=1e-9)


@pytest.mark.parametrize(("n", "d"), [(20, 4), (3, 5), (1, 3), (40, 1)])
def test_it_is_always_proper_even_where_a_reflection_fits_better(n, d):
    P = numbers(n, d)
    mirrored = P * torch.tensor([-1.0, *[1.0] * (d - 1)])
    R = kabsch_rotation(P, mirrored)
    torch.testing.assert_close(R @ R.T, torch.eye(d, dtype=R.dtype))
    assert torch.linalg.det(R).item() == pytest.approx(1.0)
    if n > d > 1:
        free, _ = orthogonal_procrustes(P - P.mean(0), mirrored - mirrored.mean(0))
        assert np.linalg.det(free) < 0


def test_within_the_span_of_few_rows_the_rotation_is_the_same():
    """With d > 2 n the decomposition is that of a smaller matrix; rows in the span turn alike."""
    P = numbers(6, 40)
    D = P @ proper(40, seed=3).T
    w = torch.linspace(0.5, 2.0, 6, dtype=torch.float64)
    small, whole = rotated(P, D, w), P @ kabsch_rotation(P, D, w).T
    centre = w / w.sum()
    for part in (small, whole):  # the centred rows, which decide, meet their targets
        torch.testing.assert_close(part - centre @ part, D - centre @ D, rtol=0, atol=1e-9)
    torch.testing.assert_close(small @ small.T, P @ P.T)


# calibration


def by_definition(P, D, labels, head, scale, weight, *, rotation, translation, confident, dot):
    """Steps a to e, class by class in numpy."""
    P, D, head, w = (np.asarray(part, dtype=float) for part in (P, D, head, weight))
    raw = D
    P = P / np.linalg.norm(P, axis=1, keepdims=True)
    D = D / np.linalg.norm(D, axis=1, keepdims=True)
    if rotation:
        Pc, Dc = P - w @ P / w.sum(), D - w @ D / w.sum()
        U, _, Vt = np.linalg.svd(Pc.T @ (w[:, None] * Dc))
        sign = np.diag([*[1.0] * (P.shape[1] - 1), np.linalg.det(Vt.T @ U.T)])
        P = (Pc if translation else P) @ (Vt.T @ sign @ U.T).T
    result = P.copy()
    for c in np.unique(labels) if translation else ():
        rows = np.flatnonzero(np.asarray(labels) == c)
        products = raw[rows] @ head[c] if dot else D[rows] @ head[c] / np.linalg.norm(head[c])
        alpha = w[rows] * (np.exp(products) if confident else 1.0)
        shift = alpha @ D[rows] / alpha.sum() - w[rows] @ P[rows] / w[rows].sum()
        result[rows] += shift
    return scale * result / np.linalg.norm(result, axis=1, keepdims=True)


def case(seed=0, n=20, d=5, classes=3):
    P, T, head = numbers(n, d, seed=seed), numbers(n, d, seed=seed + 1), numbers(classes, d, seed=9)
    labels = torch.arange(n) % (classes - 1)  # the last class has no row
    labels[-1] = classes - 1 if seed % 2 else 0  # or exactly one
    w = 0.5 + torch.rand(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return P, T, labels, head, w


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("options", "step", "rotates"),
    [
        ({}, 20, True),
        ({}, 21, False),
        ({"rotation_every": 3}, 21, True),
        ({"rotation": False}, 0, False),
        ({"translation": False}, 0, True),
        ({"confidence_weighting": False}, 0, True),
        ({"similarity": "dot"}, 0, True),
    ],
)
def test_calibration_by_definition(seed, options, step, rotates):
    P, T, labels, head, w = case(seed)
    found = SemanticCalibration(**options)(P, 3 * T, labels, head, 2.5, step, w)
    expected = by_definition(
        P, 3 * T, labels, head, 2.5, w, rotation=rotates,
        translation=options.get("translation", True),
        confident=options.get("confidence_weighting", True),
        dot=options.get("similarity") == "dot",
    )  # fmt: skip
    np.testing.assert_allclose(found, expected, atol=1e-9)
    np.testing.assert_allclose(found.norm(dim=1), 2.5)


def test_banks_that_agree_are_normalized_only():
    P, _, labels, head, _ = case()
    found = SemanticCalibration(confidence_weighting=False)(P, P, labels, head, 3.0, 0)
    torch.testing.assert_close(found, 3 * F.normalize(P, dim=1))


def test_shifts_of_classes_are_undone():
    P, _, labels, _, w = case()
    moved = P + numbers(3, 5, seed=7)[labels]
    plain = torch.zeros(len(P), dtype=P.dtype)
    torch.testing.assert_close(translated(P, moved, labels, 3, plain, w), moved)


def test_centres_of_classes_are_those_of_confident_rows():
    P, T, labels, head, w = case(1)
    D = F.normalize(T, dim=1)
    confidence = (D * F.normalize(head, dim=1)[labels]).sum(1)
    moved = translated(P, D, labels, 3, confidence, w)
    for c in labels.unique():
        rows = labels == c
        alpha = w[rows] * confidence[rows].exp()
        centre = w[rows] @ moved[rows] / w[rows].sum()
        torch.testing.assert_close(centre, alpha @ D[rows] / alpha.sum())


def test_invariances():
    P, T, labels, head, w = case(1)
    calibrate = SemanticCalibration()
    expected = calibrate(P, T, labels, head, 2.0, 0, w)
    order = torch.randperm(len(P))
    shuffled = calibrate(P[order], T[order], labels[order], head, 2.0, 0, w[order])
    torch.testing.assert_close(shuffled, expected[order])
    torch.testing.assert_close(calibrate(7 * P, 7 * T, labels, 7 * head, 2.0, 0, 7 * w), expected)
    Q = proper(5, seed=8)  # of the features that train, head included
    torch.testing.assert_close(calibrate(P, T @ Q, labels, head @ Q, 2.0, 0, w), expected @ Q)
    times = torch.tensor([1, 2, 3, 1] * 5)
    rows = torch.arange(20).repeat_interleave(times)
    repeated = calibrate(P[rows], T[rows], labels[rows], head, 2.0, 0)
    once = calibrate(P, T, labels, head, 2.0, 0, times.double())
    torch.testing.assert_close(repeated, once[rows])
    zero = torch.cat([w[:-3], torch.zeros(3)])
    left = calibrate(P[:-3], T[:-3], labels[:-3], head, 2.0, 0, w[:-3])
    torch.testing.assert_close(calibrate(P, T, labels, head, 2.0, 0, zero)[:-3], left)


def test_a_constant_in_all_rotated_features_changes_nothing():
    P, T, labels, _, w = case()
    D = F.normalize(T, dim=1)
    plain = torch.zeros(len(P), dtype=P.dtype)
    both = [
        translated(rotated(Q, D, w), D, labels, 3, plain, w) for Q in (P, P + numbers(5, seed=4))
    ]
    torch.testing.assert_close(*both)


def test_calibration_of_great_products_does_not_overflow():
    P, T, labels, head, w = case()
    calibrate = SemanticCalibration(similarity="dot")
    assert torch.isfinite(calibrate(P, 1e3 * T, labels, head, 1.0, 0, w)).all()
    # rows without weight, of which the head is sure beyond all measure, count for nothing
    raw = 1e3 * T
    for sign in (-1, 1):
        raw[-3:] = sign * 1e4 * head[labels[-3:]]
        left = calibrate(P[:-3], raw[:-3], labels[:-3], head, 1.0, 0, w[:-3])
        w[-3:] = 0
        torch.testing.assert_close(calibrate(P, raw, labels, head, 1.0, 0, w)[:-3], left)


# banks


def test_oldest_rows_are_replaced_and_labels_stay_with_their_rows():
    bank = FeatureBank(10, 2)
    for start in range(0, 16, 4):  # four batches of four into ten rows
        assert bank.full_ == (start >= 12)
        ids = torch.arange(start, start + 4)
        rows = torch.stack([ids, ids], 1).float()
        bank.enqueue(rows, -rows, ids, ids + 1.0)
    assert bank.full_
    expected = torch.tensor([10, 11, 12, 13, 14, 15, 6, 7, 8, 9])
    assert torch.equal(bank.labels, expected)
    assert torch.equal(bank.downstream[:, 0], expected.float())
    assert torch.equal(bank.pretrained[:, 1], -expected.float())
    assert torch.equal(bank.weight, expected + 1.0)
    many = torch.arange(100.0)[:, None].repeat(1, 2)
    bank.enqueue(many, many, torch.arange(100))
    assert torch.equal(bank.labels.sort().values, torch.arange(90, 100))


def test_bank_survives_state_dict_pickle_and_copy():
    bank = FeatureBank(4, 2)
    bank.enqueue(torch.ones(3, 2), torch.zeros(3, 2), torch.tensor([0, 1, 2]))
    other = FeatureBank(9)
    other.load_state_dict(bank.state_dict())
    for twin in (other, pickle.loads(pickle.dumps(bank)), copy.deepcopy(bank)):
        assert repr(twin) == "FeatureBank(size=4, dim=2)"
        original = copy.deepcopy(bank)
        for one in (twin, original):
            one.enqueue(*[torch.full((2, 2), 5.0)] * 2, torch.tensor([3, 4]))
        for name, value in original.state_dict().items():
            assert torch.equal(twin.state_dict()[name], value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: FeatureBank(0, 2), r"size must be in \[1, inf\), got 0"),
        (lambda: FeatureBank(2, -1), "dim must be"),
        (lambda: DistributionRegularizationLoss(0), "bank_size must be"),
        (lambda: DistributionRegularizationLoss(lam=-1), "lam must be"),
        (lambda: DistributionRegularizationLoss(lam="all"), "lam must be one of 'auto'"),
        (lambda: SemanticCalibration(rotation_every=0), "rotation_every must be"),
        (lambda: SemanticCalibration(similarity="l2"), "similarity must be one of 'cosine', 'dot'"),
        (lambda: kabsch_rotation(torch.ones(3), torch.ones(3)), r"P must be .* of shape \(3, n_fe"),
        (lambda: kabsch_rotation(torch.ones(3, 2), torch.ones(2, 2)), r"D must be .* \(3, 2\)"),
        (
            lambda: FeatureBank(2, 2).enqueue(*[torch.ones(1, 3)] * 2, torch.ones(1).long()),
            r"downstream must be .* \(1, 2\), got torch.float32 of shape \(1, 3\)",
        ),
        (
            lambda: FeatureBank(2, 2).enqueue(*[torch.ones(1, 2)] * 2, torch.ones(1)),
            "labels must be class numbers",
        ),
        (
            lambda: SemanticCalibration()(
                *[torch.ones(1, 2)] * 2, torch.tensor([3]), torch.ones(3, 2), 1.0, 0
            ),
            r"labels must lie in 0, ..., 2, got 3",
        ),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# loss


def parts(seed=0, n=BATCH):
    z, p = numbers(n, D, seed=seed), numbers(n, D, seed=seed + 1)
    torch.manual_seed(seed)
    return z.requires_grad_(), p, torch.arange(n) % K, nn.Linear(D, K).double()


@pytest.mark.parametrize("weighted", [False, True])
def test_loss_is_the_mean_over_batch_and_bank(weighted):
    z, p, y, head = parts()
    loss = DistributionRegularizationLoss(bank_size=20)
    loss.warm_up(numbers(30, D, seed=5), torch.arange(30) % K)
    w = torch.linspace(0.5, 1.5, BATCH, dtype=torch.float64) if weighted else None
    scale = z.norm(dim=1).mean() if w is None else (w * z.norm(dim=1)).sum() / w.sum()
    bank, calibrate = loss.bank, SemanticCalibration()
    rows = calibrate(bank.pretrained, bank.downstream, bank.labels, head.weight, scale.detach(), 0)
    each = F.cross_entropy(
        head(torch.cat([z, rows])), torch.cat([y, bank.labels]), reduction="none"
    )
    ones = torch.ones(20, dtype=torch.float64)
    expected = (each * torch.cat([ones[:BATCH] if w is None else w, ones])).mean()
    found = loss(z, p, y, head, 0, w)
    assert found.item() == pytest.approx(expected.item(), rel=1e-12)
    assert torch.equal(bank.downstream[BATCH + 2 : 2 * BATCH + 2], z)  # after the ten oldest
    raw = DistributionRegularizationLoss(20, normalize=False)
    raw.warm_up(numbers(30, D, seed=5), torch.arange(30) % K)
    torch.testing.assert_close(raw(z, p, y, head, 0, w), found * (1 + 20 / BATCH))


def test_the_bank_trains_the_head_alone():
    z, p, y, head = parts()
    gradients = {}
    for lam in (0.0, 5.0):
        loss = DistributionRegularizationLoss(20, lam=lam, normalize=False)
        loss.warm_up(numbers(30, D, seed=5), torch.arange(30) % K)
        gradients[lam] = torch.autograd.grad(loss(z, p, y, head, 0), [z, head.weight])
    plain = torch.autograd.grad(F.cross_entropy(head(z), y), [z, head.weight])
    torch.testing.assert_close(gradients[0.0], plain)
    assert torch.equal(gradients[5.0][0], gradients[0.0][0])
    assert not torch.allclose(gradients[5.0][1], gradients[0.0][1])


def test_with_the_batch_as_bank_and_nothing_calibrated_it_is_the_loss_of_two_copies():
    z, _, y, head = parts()
    loss = DistributionRegularizationLoss(BATCH, calibration=None)
    loss.warm_up(z.detach(), y)
    twice = F.cross_entropy(head(torch.cat([z, z])), torch.cat([y, y]))
    torch.testing.assert_close(loss(z, z.detach(), y, head, 0), twice)


def test_the_loss_does_not_see_its_own_batch_and_evaluation_keeps_the_bank():
    z, p, y, head = parts()
    loss = DistributionRegularizationLoss(20).eval()
    loss.warm_up(numbers(30, D, seed=5), torch.arange(30) % K)
    before = copy.deepcopy(loss.bank.state_dict())
    first, second = loss(z, p, y, head, 0), loss(z, p, y, head, 0)
    assert torch.equal(first, second)
    assert all(torch.equal(before[n], v) for n, v in loss.bank.state_dict().items())
    third = loss.train()(z, p, y, head, 0)
    assert torch.equal(first, third)
    third.backward()  # rows taken before the batch went in are still there
    assert not torch.equal(loss(z, p, y, head, 0), third)


def test_loss_survives_state_dict_compile_and_half_precision():
    z, p, y, head = parts()
    z, p, head = z.detach().float(), p.float(), head.float()
    loss = DistributionRegularizationLoss(20)
    loss.warm_up(numbers(30, D, seed=5).float(), torch.arange(30) % K)
    twins = [DistributionRegularizationLoss(20), pickle.loads(pickle.dumps(loss))]
    twins[0].load_state_dict(loss.state_dict())
    twins += [torch.compile(copy.deepcopy(loss), backend="eager", fullgraph=True)]
    half = copy.deepcopy(loss)
    with torch.autocast("cpu", torch.bfloat16):
        rough = half(z.bfloat16(), p.bfloat16(), y, head, 0)
    expected = [loss(z, p, y, head, step) for step in (0, 1)]
    for twin in twins:
        assert [twin(z, p, y, head, step) for step in (0, 1)] == expected
    assert rough.item() == pytest.approx(expected[0].item(), rel=0.02)
    assert half.bank.downstream.dtype == torch.float32


# training step


class Net(nn.Module):
    """Two layers; tells its features when asked."""

    def __init__(self, dropout=0.0, norm=True):
        super().__init__()
        torch.manual_seed(0)
        self.hidden, self.norm = nn.Linear(5, D), nn.BatchNorm1d(D) if norm else nn.Identity()
        self.drop, self.head = nn.Dropout(dropout), nn.Linear(D, K)

    def features(self, x):
        return self.drop(self.norm(self.hidden(x)).tanh())

    def forward(self, x):
        return self.head(self.features(x))


X, Y = numbers(N, 5, dtype=torch.float32), torch.arange(N) % K


def net_with(*regularizers, cls=RegularizedNetClassifier, module=Net, **arguments):
    return cls(
        module,
        **{
            "regularizers": [(f"r{i}", one) for i, one in enumerate(regularizers)],
            "optimizer": torch.optim.SGD, "lr": 0.1, "optimizer__momentum": 0.9, "max_epochs": 2,
            "batch_size": BATCH, "train_split": None, "verbose": 0,
        } | arguments,
    )  # fmt: skip


def by_hand(criterion=F.cross_entropy, weight=None, lam=None, every=10, epochs=2, rho=None):
    """Training on batches in order, by a loop of its own; the banks start in the net's order."""
    net, w = Net(), torch.ones(N) if weight is None else weight / weight.mean()
    frozen = copy.deepcopy(net).eval()
    bank = [frozen.features(X).detach()] * 2 + [Y, w]
    torch.manual_seed(11)
    order = torch.randperm(N)
    bank = [part[order] for part in bank]
    lam = N / BATCH if lam is None else lam
    optimizer = torch.optim.SGD(
        [{"params": [*net.hidden.parameters(), *net.norm.parameters()]},
         {"params": net.head.parameters(), "lr": 0.1 * (1 + lam)}],
        lr=0.1, momentum=0.9,
    )  # fmt: skip
    for step in range(epochs * (N // BATCH)):
        index = torch.arange(N).split(BATCH)[step % (N // BATCH)]
        x, y, wx = X[index], Y[index], w[index]
        with torch.no_grad():  # the moving statistics of the norm are no parameters
            z = net.features(x)
        rows = by_definition(
            bank[1].numpy(), bank[0].numpy(), bank[2], net.head.weight.detach(),
            ((wx * z.norm(dim=1)).sum() / wx.sum()).item(), bank[3],
            rotation=step % every == 0, translation=True, confident=True, dot=False,
        )  # fmt: skip
        kept = torch.as_tensor(rows, dtype=torch.float32), bank[2], bank[3]

        def loss_of(x=x, y=y, wx=wx, kept=kept):
            rows, labels, weight = kept
            own = (wx * criterion(net(x), y, reduction="none")).mean()
            theirs = (weight * criterion(net.head(rows), labels, reduction="none")).mean()
            return (own + lam * theirs) / (1 + lam)

        optimizer.zero_grad()
        loss_of().backward()
        if rho is not None:
            climb_and_return(net, optimizer, loss_of, rho)
        new = z, frozen.features(x).detach(), y, wx
        bank = [torch.cat([old[BATCH:], part]) for old, part in zip(bank, new, strict=True)]
        optimizer.step()
    return net


def climb_and_return(net, optimizer, loss_of, rho):
    """Replace the gradients by those at the worst point nearby."""
    norm = torch.cat([p.grad.flatten() for p in net.parameters()]).norm()
    before = [p.detach().clone() for p in net.parameters()]
    with torch.no_grad():
        for p in net.parameters():
            p.add_(rho * p.grad / norm)
    optimizer.zero_grad()
    loss_of().backward()
    with torch.no_grad():
        for p, old in zip(net.parameters(), before, strict=True):
            p.copy_(old)


def same(net, expected, atol=2e-5):
    for (name, found), wanted in zip(
        net.module_.named_parameters(), expected.parameters(), strict=True
    ):
        torch.testing.assert_close(found, wanted, rtol=0, atol=atol, msg=name)


def fitted(*regularizers, weight=None, seed=11, X=X, y=Y, **arguments):
    net = net_with(*regularizers, **arguments).initialize()
    torch.manual_seed(seed)
    return net.partial_fit(X.numpy(), y.numpy(), sample_weight=weight)


@pytest.mark.parametrize("every", [1, 4, 10])
def test_it_trains_as_a_loop_by_hand(every):
    net = fitted(DRTune(bank_size=100, rotation_every=every))
    same(net, by_hand(every=every))
    with pytest.raises(AssertionError):
        same(net, by_hand(every=3))


def test_weights_and_the_criterion_act_on_the_bank_as_well():
    def smooth(z, y, reduction):
        return F.cross_entropy(z, y, reduction=reduction, label_smoothing=0.2)

    weight = torch.linspace(0.2, 1.8, N)
    net = fitted(DRTune(), weight=weight.numpy(), criterion__label_smoothing=0.2)
    same(net, by_hand(smooth, weight))


def test_under_sharpness_aware_minimization_the_bank_is_that_of_the_first_pass():
    expected = by_hand(rho=0.1)
    same(fitted(DRTune(), SAM(rho=0.1)), expected)
    same(fitted(SAM(rho=0.1), DRTune()), expected)


def test_whole_weights_are_repetitions():
    times = np.array([1, 2, 3] * (N // 3))
    rows = np.repeat(np.arange(N), times)
    options = {"batch_size": -1, "module__norm": False}
    weighted = fitted(DRTune(rotation_every=1), weight=times, **options)
    repeated = fitted(DRTune(rotation_every=1), X=X[rows], y=Y[rows], **options)
    same(weighted, repeated.module_)


def test_without_strength_it_is_plain_fine_tuning():
    for arguments in ({}, {"iterator_train__shuffle": True, "module__dropout": 0.5}):
        net = fitted(DRTune(lam=0.0, bank_size=16), max_epochs=3, **arguments)
        same(net, fitted(max_epochs=3, **arguments).module_, atol=0)


def test_gradients_of_the_bank_do_not_reach_the_encoder():
    frozen = fitted(DRTune(lam=1e6, head_lr_multiplier=1.0), optimizer__momentum=0.0)
    start = Net()
    torch.testing.assert_close(frozen.module_.hidden.weight, start.hidden.weight, atol=1e-5, rtol=0)
    assert not torch.allclose(frozen.module_.head.weight, start.head.weight, atol=1e-2)


@pytest.mark.parametrize(
    ("arguments", "batch", "n", "size", "strength"),
    [
        ({}, BATCH, N, N, 3.0),
        ({"bank_size": 20}, BATCH, N, 20, 2.5),
        ({"bank_size": 20}, -1, N, 20, 20 / N),
        ({"bank_size": 20}, 128, N, 20, 20 / N),
        ({"bank_size": 1}, BATCH, N, 1, 1 / BATCH),
        ({"lam": 0.5}, BATCH, N, N, 0.5),
        ({}, 4, 3, 3, 1.0),
    ],
)
def test_sizes_and_rates(arguments, batch, n, size, strength):
    net = fitted(DRTune(**arguments), batch_size=batch, X=X[:n], y=Y[:n], max_epochs=1)
    dr = dict(net.regularizers)["r0"]
    assert (dr.bank_size_, dr.lambda_) == (size, pytest.approx(strength))
    assert dr.bank_.full_
    rates = [group["lr"] for group in net.optimizer_.param_groups]
    assert rates == pytest.approx([0.1, 0.1 * (1 + strength)])
    in_head = {id(p) for p in net.optimizer_.param_groups[1]["params"]}
    assert in_head == {id(p) for p in net.module_.head.parameters()}


def test_given_rates_accumulated_batches_and_splits():
    net = fitted(DRTune(head_lr_multiplier=5.0), max_epochs=1)
    assert net.optimizer_.param_groups[1]["lr"] == pytest.approx(0.5)
    net = fitted(DRTune(bank_size=16), accumulation_steps=2, batch_size=4, max_epochs=1)
    assert dict(net.regularizers)["r0"].lambda_ == 2.0
    model = DeepClassifier(
        Net, [("dr", DRTune())], early_stopping=True, validation_fraction=0.25, max_epochs=2,
        batch_size=BATCH, random_state=0,
    ).fit(X.numpy(), Y.numpy())  # fmt: skip
    dr = dict(model.net_.regularizers)["dr"]
    assert (dr.bank_size_, dr.lambda_) == (18, 18 / BATCH)


def test_schedules_keep_the_ratio_of_the_rates():
    decay = LRScheduler(LambdaLR, lr_lambda=lambda epoch: 0.5**epoch)
    net = fitted(DRTune(), callbacks=[("decay", decay)], max_epochs=3)
    rates = [group["lr"] for group in net.optimizer_.param_groups]
    assert rates == pytest.approx([0.0125, 0.05])


def test_small_data_are_said_and_enough_data_are_not():
    with pytest.warns(UserWarning, match=r"bank_size=2048 is more than the 24 training samples"):
        fitted(DRTune(), max_epochs=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(DRTune(bank_size=N), max_epochs=1)


def test_the_pretrained_network_is_the_one_that_training_begins_with():
    net = net_with(DRTune(bank_size=8)).initialize()
    pretrained = Net()
    with torch.no_grad():
        pretrained.hidden.weight.mul_(2)
    net.module_.load_state_dict(pretrained.state_dict())  # weights that come after initialize
    net.partial_fit(X.numpy(), Y.numpy())
    dr = dict(net.regularizers)["r0"]
    assert torch.equal(dr.pretrained_(X), pretrained.eval()(X))
    assert not torch.equal(net.module_.eval()(X), pretrained(X))
    expected = pretrained.features(X[-8:])  # the last batch is what is in the bank
    torch.testing.assert_close(dr.bank_.pretrained.sort(0).values, expected.sort(0).values)
    assert torch.equal(dr.bank_.labels, Y[-8:])


def test_banks_start_with_samples_of_all_classes_though_data_are_sorted():
    order, seen = Y.argsort(), []
    dr = DRTune(bank_size=12)
    dr.after_step = lambda net, batch: seen.append(dr.bank_.labels.unique().numel())
    net = net_with(dr, batch_size=1, module__norm=False)
    net.fit(X[order].numpy(), Y[order].numpy())
    assert seen[0] == K


def test_resumed_training_goes_on_as_if_never_interrupted(tmp_path):
    dr = DRTune(bank_size=20, rotation_every=2)
    options = {"module__dropout": 0.3, "iterator_train__shuffle": True, "max_epochs": 4}
    torch.manual_seed(7)
    whole = net_with(clone(dr), **options).initialize()
    whole.partial_fit(X.numpy(), Y.numpy(), epochs=2)
    paths = {f"f_{part}": str(tmp_path / part) for part in ("params", "optimizer", "criterion",
                                                           "history")}  # fmt: skip
    whole.save_params(**paths)
    pickled = pickle.loads(pickle.dumps(whole))
    numbers_to_come = torch.get_rng_state()
    again = {"epochs": 2, "sample_index": np.arange(N)}
    whole.partial_fit(X.numpy(), Y.numpy(), **again)
    resumed = net_with(clone(dr), **options).initialize()
    resumed.load_params(**paths)
    torch.manual_seed(99)  # the checkpoint holds the random numbers to come
    resumed.partial_fit(X.numpy(), Y.numpy(), **again)
    torch.set_rng_state(numbers_to_come)
    pickled.partial_fit(X.numpy(), Y.numpy(), **again)
    for twin in (resumed, pickled):
        same(twin, whole.module_, atol=0)
        for name, value in whole.criterion_.state_dict().items():
            assert torch.equal(twin.criterion_.state_dict()[name], value), name
        assert dict(twin.regularizers)["r0"].lambda_ == 2.5


def classifier(*regularizers, **arguments):
    return DeepClassifier(
        Net,
        [(f"r{i}", one) for i, one in enumerate(regularizers)],
        **{
            "optimizer": torch.optim.SGD, "lr": 0.05, "max_epochs": 3, "batch_size": BATCH,
            "random_state": 0,
        } | arguments,
    )  # fmt: skip


NAMES = np.array(["c", "a", "b"])[Y.numpy()]


def test_going_on_keeps_the_banks_and_a_new_fit_does_not():
    model = classifier(DRTune(bank_size=12), warm_start=True).fit(X.numpy(), NAMES)
    dr = dict(model.net_.regularizers)["r0"]
    before, count = dr.pretrained_(X), int(dr.bank_.count)
    model.set_params(regularizers__r0__calibration="none", regularizers__r0__lam=3.0)
    model.partial_fit(X[:BATCH].numpy(), NAMES[:BATCH])
    dr = dict(model.net_.regularizers)["r0"]
    assert torch.equal(dr.pretrained_(X), before)
    assert int(dr.bank_.count) == count + BATCH
    assert dr.lambda_ == 3.0
    assert model.net_.optimizer_.param_groups[1]["lr"] == pytest.approx(0.2)
    model.set_params(regularizers__r0__bank_size=5)
    with pytest.raises(ValueError, match=r"bank_size of DRTune .* cannot change"):
        model.partial_fit(X.numpy(), NAMES)
    model.set_params(warm_start=False).fit(X.numpy(), NAMES)
    dr = dict(model.net_.regularizers)["r0"]
    assert (dr.bank_size_, int(dr.bank_.count)) == (5, 5 + 3 * N)
    fresh = clone(model).fit(X.numpy(), NAMES)
    np.testing.assert_array_equal(fresh.predict_proba(X.numpy()), model.predict_proba(X.numpy()))


@pytest.mark.parametrize(
    "others",
    [(LabelSmoothing(0.1),), (EMAWeights(decay=0.5),), (SAM(rho=0.05),), (RDrop(), SAM())],
    ids=lambda others: "-".join(type(one).__name__ for one in others),
)
@pytest.mark.parametrize("mixed_precision", [None, "bfloat16"])
def test_it_trains_beside_others(others, mixed_precision):
    model = classifier(
        *map(clone, others), DRTune(bank_size=16), mixed_precision=mixed_precision, max_epochs=25
    )
    model.fit(X.numpy(), NAMES, sample_weight=np.linspace(0.5, 2, N))
    assert np.isfinite(model.predict_proba(X.numpy())).all()
    assert model.history_["train_loss"].iloc[-1] < model.history_["train_loss"].iloc[0]
    assert dict(model.net_.regularizers)[f"r{len(others)}"].bank_.full_


def test_it_composes_with_scikit_learn():
    pipe = make_pipeline(FunctionTransformer(), classifier(DRTune(bank_size=8), max_epochs=1))
    search = GridSearchCV(
        pipe, {"deepclassifier__regularizers__r0__calibration": ["none", "full"]}, cv=2
    ).fit(X.numpy(), NAMES)
    assert search.best_estimator_.predict(X.numpy()[:1]).shape == (1,)
    assert len({str(p) for p in search.cv_results_["params"]}) == 2


def test_a_class_without_rows_in_double_precision_and_compiled():
    model = classifier(DRTune(bank_size=4), dtype="float64").fit(
        X.numpy(), NAMES
    )  # four rows may miss a class
    assert dict(model.net_.regularizers)["r0"].bank_.downstream.dtype == torch.float64
    few = classifier(DRTune()).partial_fit(X[:2].numpy(), NAMES[:2], classes=["a", "b", "c"])
    assert np.isfinite(few.predict_proba(X.numpy())).all()
    options = {"compile__backend": "eager"}
    compiled = classifier(DRTune(bank_size=8), compile=True, net_params=options)
    plain = classifier(DRTune(bank_size=8)).fit(X.numpy(), NAMES)
    np.testing.assert_allclose(
        compiled.fit(X.numpy(), NAMES).predict_proba(X.numpy()), plain.predict_proba(X.numpy()),
        rtol=1e-5,
    )  # fmt: skip


class Stream(IterableDataset):
    """Samples one after the other."""

    def __iter__(self):
        return iter(zip(X, Y, strict=True))


def test_streams_fill_the_banks_with_their_first_samples():
    net = net_with(DRTune(bank_size=12), max_epochs=1).fit(Stream())
    dr = dict(net.regularizers)["r0"]
    assert (dr.bank_size_, int(dr.bank_.count), dr.lambda_) == (12, 2 * BATCH + N, 1.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bank_size": 0}, r"bank_size must be in \[1, inf\), got 0"),
        ({"lam": -0.1}, "lam must be"),
        ({"lam": "K/B"}, "lam must be one of 'auto', got 'K/B'"),
        ({"head_lr_multiplier": -1}, "head_lr_multiplier must be"),
        ({"head_lr_multiplier": "big"}, "head_lr_multiplier must be one of 'auto'"),
        ({"calibration": "partial"}, "calibration must be one of 'full', 'translation', 'rot"),
        ({"rotation_every": 0}, "rotation_every must be"),
        ({"similarity": "l2"}, "similarity must be one of"),
    ],
)
def test_bad_parameters_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        fitted(DRTune(**arguments))


class Tokens(nn.Module):
    """The head sees a feature for each of two positions."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(5, K)

    def forward(self, x):
        return self.head(torch.stack([x, x], 1)).mean(1)


def normalized_net():
    return nn.Sequential(nn.Linear(5, D), nn.Linear(D, K), nn.LogSoftmax(1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"module": Tokens}, r"inputs of the module's last linear layer .* of shape \(8, 2, 5\)"),
        ({"module": normalized_net}, r"ends with its last linear layer, but .* Linear\(in"),
        ({"module": lambda: nn.Sequential(nn.Conv1d(1, 1, 1))}, "needs a torch.nn.Linear"),
        ({"y": F.one_hot(Y, K).float()}, "labels must be class numbers"),
        ({"y": Y + 1}, "labels must lie in 0, ..., 2, got 1 to 3"),
        ({"cls": RegularizedNetRegressor, "y": Y.float()}, "DRTune .*is for classification"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        fitted(DRTune(), **arguments)


def test_mixtures_of_samples_are_refused():
    with pytest.raises(ValueError, match=r"Mixup .* mixes samples, while DRTune"):
        fitted(Mixup(), DRTune())


# a pretrained network in the shape of torchvision's


class BasicBlock(nn.Module):
    """As torchvision names its layers."""

    def __init__(self, n_in, n_out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.bn1, self.relu = nn.BatchNorm2d(n_out), nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.bn2, self.downsample = nn.BatchNorm2d(n_out), None
        if stride != 1 or n_in != n_out:
            self.downsample = nn.Sequential(
                nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out)
            )

    def forward(self, x):
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


class ResNet18(nn.Module):
    """Layers, names and forward pass of torchvision's, with fewer channels."""

    def __init__(self, n_classes, width=8):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1, self.relu = nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        for i in range(4):
            n_in, n_out = width * 2 ** max(i - 1, 0), width * 2**i
            blocks = BasicBlock(n_in, n_out, 1 + (i > 0)), BasicBlock(n_out, n_out, 1)
            self.add_module(f"layer{i + 1}", nn.Sequential(*blocks))
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(8 * width, n_classes)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def test_a_pretrained_residual_network_is_passed_with_a_new_head():
    torch.manual_seed(0)
    stored = ResNet18(1000).state_dict()  # as a hub of models gives them
    network = ResNet18(1000)
    network.load_state_dict(stored)
    network.fc = nn.Linear(network.fc.in_features, 2)
    images = numbers(20, 3, 32, 32, dtype=torch.float32).numpy()
    y = np.array(["cat", "dog"] * 10)
    model = DeepClassifier(
        network, [("dr", DRTune(bank_size=16))], optimizer=torch.optim.SGD, lr=0.02, batch_size=10,
        max_epochs=5, standardize=False, random_state=0,
    ).fit(images, y)  # fmt: skip
    assert model.history_["train_loss"].iloc[-1] < model.history_["train_loss"].iloc[0]
    dr = dict(model.net_.regularizers)["dr"]
    assert dr.bank_.dim == 64
    for name, value in stored.items():
        if not name.startswith("fc."):
            assert torch.equal(dr.pretrained_.tensors()[name], value), name
    assert torch.equal(network.conv1.weight, stored["conv1.weight"])  # the user's own
    assert isinstance(dr.pretrained_, FrozenCopy)
    assert model.net_.optimizer_.param_groups[1]["lr"] == pytest.approx(0.02 * 2.6)


class FaceFeatures(nn.Module):
    """The second network of MTCNN (Zhang et al. 2016) up to its 128 features, and a new head."""

    def __init__(self, n_classes):
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 28, 3), nn.PReLU(28)
        self.conv2, self.prelu2 = nn.Conv2d(28, 48, 3), nn.PReLU(48)
        self.conv3, self.prelu3 = nn.Conv2d(48, 64, 2), nn.PReLU(64)
        self.dense4, self.prelu4 = nn.Linear(576, 128), nn.PReLU(128)
        self.head = nn.Linear(128, n_classes)

    def forward(self, x):
        x = F.max_pool2d(self.prelu1(self.conv1(x)), 3, 2, ceil_mode=True)
        x = F.max_pool2d(self.prelu2(self.conv2(x)), 3, 2, ceil_mode=True)
        x = self.prelu3(self.conv3(x)).permute(0, 3, 2, 1).flatten(1)
        return self.head(self.prelu4(self.dense4(x)))


@pytest.mark.skipif(
    importlib.util.find_spec("facenet_pytorch") is None,
    reason="real weights come with facenet-pytorch (pip install --no-deps facenet-pytorch)",
)
def test_real_weights_of_a_package():
    package = importlib.util.find_spec("facenet_pytorch").submodule_search_locations[0]
    stored = torch.load(Path(package, "data", "rnet.pt"), weights_only=True)
    torch.manual_seed(0)
    network = FaceFeatures(10)
    missing, _ = network.load_state_dict(stored, strict=False)
    assert missing == ["head.weight", "head.bias"]
    X, y = load_digits(return_X_y=True)
    images = F.interpolate(torch.tensor(X[:40] / 8 - 1).float().reshape(-1, 1, 8, 8), 24)
    model = DeepClassifier(
        network, [("dr", DRTune(bank_size=30))], optimizer=torch.optim.SGD, lr=0.01,
        batch_size=20, max_epochs=6, standardize=False, random_state=0,
    ).fit(images.repeat(1, 3, 1, 1).numpy(), y[:40])  # fmt: skip
    assert model.history_["train_loss"].iloc[-1] < model.history_["train_loss"].iloc[0]
    dr = dict(model.net_.regularizers)["dr"]
    assert torch.equal(dr.pretrained_.tensors()["dense4.weight"], stored["dense4.weight"])
