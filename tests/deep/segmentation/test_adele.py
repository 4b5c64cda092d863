"""When classes begin to be memorised, corrected masks, consistency at scales, and ADELE."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn
from torch.nn import functional as F

from skreg.deep import DeepClassifier, DeepSegmenter, MemorizationOnsetDisplay
from skreg.deep.regularizers import ADELE, SAM, EMAWeights
from skreg.deep.torch import (
    MultiScaleConsistencyLoss,
    correct_labels,
    iou_curve_fit,
    memorization_onset,
    multiscale_consistency,
)

T = np.arange(1, 13)
CURVE = 0.8 * (1 - np.exp(-T / 2))


# the onset


@pytest.mark.parametrize(("m", "ratio"), [(4, 0.777), (5, 0.865), (6, 0.918), (7, 0.950)])
def test_the_lost_share_of_the_slope_is_that_of_the_exponential(m, ratio):
    onset = memorization_onset(CURVE[:m])
    assert onset.ratio == pytest.approx(ratio, abs=1e-3)
    assert onset.ratio == pytest.approx(1 - np.exp(-(m - 1) / 2), abs=1e-6)
    assert onset.is_on == (m >= 6)
    assert onset.time == (6 if m >= 6 else 0)


@pytest.mark.parametrize(
    ("a", "b", "g"), [(0.8, 0.5, 1.0), (0.6, 0.3, 0.7), (1.0, 0.05, 1.8), (0.3, 1.5, 0.4)]
)
def test_curves_of_the_family_are_found_again(a, b, g):
    fit = iou_curve_fit(a * (1 - np.exp(-b * T**g)))
    np.testing.assert_allclose(fit(T), a * (1 - np.exp(-b * T**g)), atol=1e-5)
    h = 1e-5
    np.testing.assert_allclose(fit.slope(T), (fit(T + h) - fit(T - h)) / (2 * h), atol=1e-6)


def test_the_threshold_moves_the_onset():
    assert memorization_onset(CURVE, 0.01).time == 2
    assert not memorization_onset(CURVE[:8], 0.999).is_on


def test_a_flat_beginning_is_left_out():
    late = np.concatenate([[0.0, 0.01, 0.02], CURVE])
    assert memorization_onset(late).time == 3 + 6
    slow = np.linspace(0.05, 0.6, 12)  # less than a tenth in each step, all the time
    assert memorization_onset(slow).fit is not None


@pytest.mark.parametrize("curve", [np.zeros(10), [0.5], [0.2, 0.4, 0.5]])
def test_what_has_no_curve_is_not_on(curve):
    assert not memorization_onset(curve).is_on


@pytest.mark.parametrize(
    ("curve", "arguments", "message"),
    [
        ([0.1, 1.2], {}, "curve must hold numbers in"),
        ([], {}, "curve must hold"),
        ([[0.1]], {}, "curve must hold"),
        ([np.nan], {}, "curve must hold"),
        (CURVE, {"r": 1.0}, "r must be"),
        (CURVE, {"r": 0.0}, "r must be"),
        (CURVE, {"min_points": 2}, "min_points must be"),
    ],
)
def test_onsets_check_their_arguments(curve, arguments, message):
    with pytest.raises(ValueError, match=message):
        memorization_onset(curve, **arguments)


# corrections


def masks_and_probabilities(seed=0, n=5, n_classes=4, size=6):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, n_classes, (n, size, size), generator=generator)
    logits = 3 * torch.randn(n, n_classes, size, size, generator=generator)
    return labels, logits.softmax(1)


def by_hand(labels, q, on, tau, background, constraint, rule):
    """The rules pixel by pixel."""
    new = labels.clone()
    on = {c for c, is_on in enumerate(on.tolist()) if is_on}
    allowed = on | {background}
    for i, mask in enumerate(labels):
        present = set(mask[mask >= 0].unique().tolist())
        if not on or (rule == "both" and not present & (on - {background})):
            continue
        for y, x in np.ndindex(*mask.shape):
            c, label = int(q[i, :, y, x].argmax()), int(mask[y, x])
            fits = q[i, c, y, x] > tau and c in allowed
            if rule == "both":
                fits = fits and label in allowed
            empty = rule == "prediction" and not present - {background}
            if constraint and not (empty or c == background or c in present):
                fits = False
            if fits:
                new[i, y, x] = c
    return new


@pytest.mark.parametrize("rule", ["both", "prediction"])
@pytest.mark.parametrize("constraint", [True, False])
@pytest.mark.parametrize("on", [[0, 1, 0, 1], [0, 1, 1, 1], [0, 0, 0, 0]])
def test_corrections_are_those_of_the_rules_pixel_by_pixel(rule, constraint, on):
    labels, q = masks_and_probabilities()
    labels[1] = torch.where(labels[1] == 3, 1, labels[1])
    labels[2] = 0
    labels[:, 0] = -100
    on = torch.tensor(on, dtype=torch.bool)
    arguments = {"tau": 0.6, "class_constraint": constraint, "rule": rule}
    new, n_changed = correct_labels(labels, q, on, **arguments)
    expected = by_hand(labels, q, on, 0.6, 0, constraint, rule)
    assert torch.equal(new, expected)
    assert torch.equal(n_changed, (new != labels).flatten(1).sum(1))
    again = correct_labels(new, q, on, **arguments)
    assert torch.equal(again.labels, new) or rule == "both"  # classes may vanish from a mask
    if rule == "both":
        assert (new[:, 0] == -100).all()


def test_limits_of_corrections():
    labels, q = masks_and_probabilities()
    on = torch.ones(4, dtype=torch.bool)
    free = {"class_constraint": False, "background": None}
    assert torch.equal(correct_labels(labels, q, on, tau=0, **free).labels, q.argmax(1))
    assert not correct_labels(labels, q, on, tau=1).n_changed.any()
    assert not correct_labels(labels, q, ~on, tau=0).n_changed.any()
    capped = correct_labels(labels, q, on, tau=0, max_change=0.1, **free)
    assert not capped.n_changed.any()
    _, most = correct_labels(labels, q, on, tau=0, **free)
    share = most.max().item() / 36
    kept = correct_labels(labels, q, on, tau=0, max_change=share - 1e-6, **free).n_changed
    assert torch.equal(kept, torch.where(most == most.max(), 0, most))


def test_the_background_has_a_threshold_of_its_own():
    labels = torch.tensor([[[1, 1]]])
    q = torch.tensor([[[[0.7, 0.2]], [[0.3, 0.8]]]])
    on = torch.tensor([False, True])
    assert correct_labels(labels, q, on, tau=0.9, tau_background=0.6).labels.tolist() == [[[0, 1]]]
    assert correct_labels(labels, q, on, tau=0.6, tau_background=0.9).labels.tolist() == [[[1, 1]]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": torch.zeros(5, 6, 6)}, "labels must be integers"),
        ({"labels": torch.zeros(5, 6, dtype=torch.long)}, "labels must be integers"),
        ({"probabilities": torch.zeros(5, 4, 6, 5)}, r"must have shape \(5, n_classes, 6, 6\)"),
        ({"classes_on": torch.ones(3, dtype=torch.bool)}, r"bool of shape \(4,\)"),
        ({"classes_on": torch.ones(4)}, "must be bool"),
        ({"tau": 1.5}, "tau must be"),
        ({"tau_background": -1}, "tau_background must be"),
        ({"background": 4}, "background must be"),
        ({"rule": "any"}, "rule must be one of"),
        ({"max_change": 2}, "max_change must be"),
    ],
)
def test_corrections_check_their_arguments(change, message):
    labels, q = masks_and_probabilities()
    on = torch.ones(4, dtype=torch.bool)
    given = {"labels": labels, "probabilities": q, "classes_on": on, **change}
    with pytest.raises(ValueError, match=message):
        correct_labels(**given)


# consistency


def logits_of(*probabilities):
    return [torch.tensor(p, dtype=torch.float64).log().view(1, -1, 1, 1) for p in probabilities]


def test_consistency_is_the_sum_of_divergences():
    z = logits_of([0.9, 0.1], [0.6, 0.4], [0.3, 0.7])
    assert multiscale_consistency(z, rho=0.5).item() == pytest.approx(0.410076, abs=1e-6)
    assert multiscale_consistency(z[:1] * 3, rho=0.5).item() == pytest.approx(0)
    assert multiscale_consistency(z, rho=0.61).item() == 0
    assert multiscale_consistency(z, rho=1.01).item() == 0


def test_consistency_has_the_right_gradient():
    z = [torch.randn(2, 3, 4, 4, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    torch.autograd.gradcheck(lambda *z: multiscale_consistency(z, rho=0.1), z)


def test_one_scale_is_the_cross_entropy():
    torch.manual_seed(0)
    net, x = nn.Conv2d(1, 3, 3, padding=1), torch.randn(4, 1, 8, 8)
    y = torch.randint(0, 3, (4, 8, 8))
    loss = MultiScaleConsistencyLoss(scales=(1.0,), lam=5.0)(net, x, y)
    torch.testing.assert_close(loss, F.cross_entropy(net(x), y))
    several = MultiScaleConsistencyLoss(scales=(0.5, 1.0), lam=0.0)(net, x, y)
    small = F.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=True)
    large = F.interpolate(net(small), (8, 8), mode="bilinear", align_corners=True)
    torch.testing.assert_close(several, F.cross_entropy(net(x), y) + F.cross_entropy(large, y))
    with pytest.raises(ValueError, match="scales must be"):
        MultiScaleConsistencyLoss(scales=())


# in training


def objects(n=30, seed=0, size=16):
    """A disc-like and a dark square, of which masks lack a part of the first."""
    rng = np.random.default_rng(seed)
    X, truth = rng.normal(0, 0.25, (n, 1, size, size)), np.zeros((n, size, size), np.int64)
    given = truth.copy()
    for i in range(n):
        for corner, (label, shift) in enumerate([(1, 0.9), (1, 0.9), (2, -0.9)]):
            y0, x0 = divmod(corner, 2)
            rows = slice(8 * y0 + rng.integers(0, 3), None)
            columns = slice(8 * x0 + rng.integers(0, 3), None)
            box = (slice(rows.start, rows.start + 5), slice(columns.start, columns.start + 5))
            X[i, 0][box] += shift
            truth[i][box] = label
            missing = label == 1 and corner == 1 and rng.random() < 0.4
            given[i][box] = 0 if missing else label
    return X.astype(np.float32), truth, given


X, TRUTH, GIVEN = objects()


class Net(nn.Sequential):
    def __init__(self, n_outputs=3):
        super().__init__(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(),
            nn.Conv2d(16, n_outputs, 1),
        )  # fmt: skip


def segmenter(adele, *more, epochs=12, **arguments):
    regularizers = [("adele", adele), *((f"r{i}", one) for i, one in enumerate(more))]
    defaults = {"lr": 0.01, "batch_size": 10, "random_state": 0}
    return DeepSegmenter(Net, regularizers, max_epochs=epochs, **{**defaults, **arguments})


def adele_of(model):
    return dict(model.net_.regularizers)["adele"]


@pytest.fixture(scope="module")
def fitted():
    return segmenter(ADELE(tau=0.55, scales=None)).fit(X, GIVEN)


def test_masks_become_better(fitted):
    adele = adele_of(fitted)
    wrong, left = (GIVEN != TRUTH).sum(), (adele.corrected_labels_ != TRUTH).sum()
    assert left < 0.6 * wrong
    assert adele.onset_epoch_[0] == -1
    assert adele.onset_epoch_[1] >= 4
    assert adele.iou_history_.shape == (12, 3)
    assert len(adele.label_changes_) == 12
    assert not adele.label_changes_[: adele.onset_epoch_[1:].min() - 1].any()


def test_curves_are_those_of_the_predictions_in_training():
    """One batch without dropout: what the net says before each step."""
    seen = []

    class Watch(ADELE):
        def penalty(self, net, batch, y_pred, features):
            seen.append((y_pred.argmax(1).numpy(), batch.y.numpy()))
            return super().penalty(net, batch, y_pred, features)

    adele = adele_of(segmenter(Watch(scales=None), epochs=3, batch_size=30).fit(X, GIVEN))
    for row, (found, mask) in zip(adele.iou_history_, seen, strict=True):
        for c in range(3):
            both, either = ((found == c) & (mask == c)).sum(), ((found == c) | (mask == c)).sum()
            assert row[c] == pytest.approx(both / either)


def test_corrected_masks_are_what_is_trained_on(fitted):
    targets = {}

    class Watch(ADELE):
        def penalty(self, net, batch, y_pred, features):
            for number, mask in zip(batch.index.tolist(), batch.targets, strict=True):
                targets[number] = mask.numpy()
            return super().penalty(net, batch, y_pred, features)

    model = segmenter(Watch(tau=0.55, scales=None)).fit(X, GIVEN)
    before = adele_of(model).corrected_labels_.copy()
    model.set_params(warm_start=True, max_epochs=1, regularizers__adele__every=50).fit(X, GIVEN)
    assert np.array_equal(np.stack([targets[i] for i in range(len(X))]), before)


def test_training_goes_on_as_without_a_break(fitted):
    half = segmenter(ADELE(tau=0.55, scales=None), epochs=6, warm_start=True).fit(X, GIVEN)
    half = pickle.loads(pickle.dumps(half)).fit(X, GIVEN)
    whole, again = adele_of(fitted), adele_of(half)
    assert np.array_equal(whole.corrected_labels_, again.corrected_labels_)
    assert np.array_equal(whole.onset_epoch_, again.onset_epoch_)
    np.testing.assert_allclose(whole.iou_history_, again.iou_history_)
    np.testing.assert_allclose(fitted.predict_proba(X), half.predict_proba(X), atol=1e-6)
    assert np.array_equal(adele_of(clone(fitted).fit(X, GIVEN)).onset_epoch_, whole.onset_epoch_)


def test_restarts_begin_with_the_given_masks():
    adele = adele_of(segmenter(ADELE(tau=0.55, scales=None, restart=True)).fit(X, GIVEN))
    assert (adele.corrected_labels_ != GIVEN).any()
    strict = adele_of(segmenter(ADELE(tau=1.0, scales=None)).fit(X, GIVEN))
    assert np.array_equal(strict.corrected_labels_, GIVEN)
    assert (strict.onset_epoch_[1:] > 0).all()


@pytest.mark.parametrize("other", [SAM(), EMAWeights()], ids=lambda r: type(r).__name__)
def test_it_composes(other):
    model = segmenter(ADELE(tau=0.6, scales=(0.75, 1.0)), other, epochs=5).fit(X, GIVEN)
    assert np.isfinite(model.predict_proba(X)).all()
    assert adele_of(model).iou_history_.shape == (5, 3)


def test_scales_train_as_by_hand():
    torch.manual_seed(0)
    model = Net()
    by_hand = pickle.loads(pickle.dumps(model))
    adele = ADELE(scales=(0.5, 1.0), lam=2.0, rho=0.1)
    net = segmenter(adele, epochs=2, batch_size=30, lr=0.1, optimizer=torch.optim.SGD)
    net.set_params(module=model).fit(X, GIVEN)
    loss = MultiScaleConsistencyLoss(scales=(0.5, 1.0), lam=2.0, rho=0.1)
    optimizer = torch.optim.SGD(by_hand.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        loss(by_hand, torch.from_numpy(X), torch.from_numpy(GIVEN)).backward()
        optimizer.step()
    for found, wanted in zip(net.net_.module_.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)


def test_ignored_pixels_stay_ignored():
    given = GIVEN.copy()
    given[:, :2] = 255
    adele = adele_of(segmenter(ADELE(tau=0.55, scales=None), epochs=8).fit(X, given))
    assert (adele.corrected_labels_[:, :2] == -100).all()
    assert (adele.corrected_labels_[:, 2:] >= 0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"r": 1}, "r must be"),
        ({"tau": 2}, "tau must be"),
        ({"every": 0}, "every must be"),
        ({"rule": "all"}, "rule must be one of"),
        ({"reference": "first"}, "reference must be one of"),
        ({"scales": (0.5,)}, r"scales must contain 1\.0"),
        ({"predict_scales": ()}, "predict_scales must be"),
        ({"rho": -1}, "rho must be"),
        ({"lam": -1}, "lam must be"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        segmenter(ADELE(**arguments), epochs=1).fit(X, GIVEN)


def test_the_display_shows_curves_and_onsets(fitted):
    plt = pytest.importorskip("matplotlib.pyplot")
    display = MemorizationOnsetDisplay.from_estimator(fitted, ax=plt.figure().add_subplot())
    adele = adele_of(fitted)
    for c, line in enumerate(display.lines_):
        np.testing.assert_array_equal(line.get_ydata(), adele.iou_history_[:, c])
    assert f"1 after {adele.onset_epoch_[1]}" in repr(display)
    assert display.fits[1].is_on
    assert display.ax_.get_legend() is not None
    with pytest.raises(ValueError, match="trained without ADELE"):
        MemorizationOnsetDisplay.from_estimator(DeepSegmenter(Net, max_epochs=1).fit(X, GIVEN))


def test_it_is_for_pixels():
    model = DeepClassifier(regularizers=[("adele", ADELE())], max_epochs=1)
    with pytest.raises(ValueError, match=r"ADELE .* is for dense"):
        model.fit(X.reshape(len(X), -1), np.arange(len(X)) % 2)
