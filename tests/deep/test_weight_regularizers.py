"""Sharpness, trust regions, orthogonality and companding in nets, against loops by hand."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from torch import nn
from torch.nn import functional

from skreg.deep import (
    DeepClassifier,
    DeepRegressor,
    RegularizedNetClassifier,
    RegularizedNetRegressor,
)
from skreg.deep import torch as parts
from skreg.deep.regularizers import (
    ELR,
    PSKD,
    SAM,
    TRAM,
    ConvOrthogonality,
    FisherSAM,
    OrthogonalGradient,
    TrustRegionPenalty,
    WeightCompander,
)

pytestmark = pytest.mark.filterwarnings("ignore::skreg.deep.torch.ExperimentalWarning")
EPOCHS, BATCH, N, K, D = 3, 20, 60, 3, 16


class Net(nn.Module):
    def __init__(self, n_outputs=K):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm = nn.Conv2d(1, 4, 2), nn.BatchNorm2d(4)
        self.head = nn.Linear(36, n_outputs)

    def forward(self, x):
        return self.head(self.norm(self.conv(x.view(-1, 1, 4, 4))).relu().flatten(1))


def data():
    X, y = make_classification(
        N, D, n_informative=5, n_redundant=0, n_classes=K, flip_y=0.2, random_state=0
    )
    return X.astype(np.float32), y.astype(np.int64)


def fitted(regularizers, cls=RegularizedNetClassifier, target=None, **arguments):
    X, y = data()
    if not isinstance(regularizers, list):
        regularizers = [regularizers]
    named = [(f"r{i}", one) for i, one in enumerate(regularizers)]
    settings = {
        "optimizer": torch.optim.SGD, "lr": 0.1, "max_epochs": EPOCHS, "batch_size": BATCH,
        "train_split": None, "verbose": 0,
    }  # fmt: skip
    net = cls(Net, regularizers=named, **{**settings, **arguments})
    return net.fit(X, y if target is None else target)


def by_hand(step, make=lambda net: torch.optim.SGD(net.parameters(), lr=0.1)):
    """Train on batches in order by ``step(net, optimizer, x, y)``."""
    X, y = map(torch.from_numpy, data())
    net = Net().train()
    optimizer = make(net)
    for _ in range(EPOCHS):
        for index in torch.arange(N).split(BATCH):
            step(net, optimizer, X[index], y[index])
    return net


def assert_same(net, expected, rtol=1e-5, atol=1e-6):
    for (name, found), wanted in zip(
        net.state_dict().items(), expected.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(found, wanted, rtol=rtol, atol=atol, msg=name)


def plain_step(net, optimizer, x, y, penalty=lambda: 0.0):
    optimizer.zero_grad()
    (functional.cross_entropy(net(x), y) + penalty()).backward()
    optimizer.step()


def two_passes(wrap):
    def step(net, optimizer, x, y):
        optimizer.zero_grad()
        functional.cross_entropy(net(x), y).backward()
        optimizer.first_step()
        optimizer.zero_grad()
        with parts.frozen_buffers(net):
            functional.cross_entropy(net(x), y).backward()
        optimizer.second_step()

    return by_hand(step, lambda net: wrap(torch.optim.SGD(net.parameters(), lr=0.1)))


@pytest.mark.parametrize(
    ("regularizer", "wrap"),
    [
        (SAM(0.2), lambda base: parts.SAM(base, 0.2)),
        (SAM(0.5, adaptive=True), lambda base: parts.SAM(base, 0.5, adaptive=True)),
        (SAM(0.5, True, 0.1), lambda base: parts.SAM(base, 0.5, True, 0.1)),
        (FisherSAM(0.3, 5.0), lambda base: parts.FisherSAM(base, 0.3, 5.0)),
    ],
)
def test_sharpness_aware_net_trains_as_by_hand(regularizer, wrap):
    net = fitted(regularizer)
    assert_same(net.module_, two_passes(wrap))
    plain = by_hand(plain_step)
    assert not torch.allclose(net.module_.head.weight, plain.head.weight, rtol=1e-2)


@pytest.mark.parametrize("target", ["previous", "initial", "ema"])
def test_tram_trains_as_by_hand(target):
    distance = parts.TrustRegionDistance(target, decay=0.5)
    distances = []

    def step(net, optimizer, x, y):
        if not distance.is_set_up:
            distance.setup(net)
        optimizer.zero_grad()
        logits = net(x)
        functional.cross_entropy(logits, y).backward()
        d = 2.0 * distance(net, x, logits)
        distances.append(d)
        distance.update(net)
        optimizer.first_step(d)
        optimizer.zero_grad()
        with parts.frozen_buffers(net):
            functional.cross_entropy(net(x), y).backward()
        optimizer.second_step()

    def make(net):
        return parts.TRAM(torch.optim.SGD(net.parameters(), lr=0.1), max_radius=1.0)

    net = fitted(TRAM(target, decay=0.5, scale=2.0, max_radius=1.0))
    assert_same(net.module_, by_hand(step, make))
    recorded = net.history[:, "trust_region_distance"]
    expected = torch.stack(distances).reshape(EPOCHS, -1).mean(1).tolist()
    assert recorded == pytest.approx(expected, rel=1e-4)
    assert min(recorded) > 0


def test_trust_region_penalty_trains_as_by_hand():
    distance = parts.TrustRegionDistance("previous", "symmetric_kl", target_mode="same")

    def step(net, optimizer, x, y):
        if not distance.is_set_up:
            distance.setup(net)
        optimizer.zero_grad()
        logits = net(x)
        loss = functional.cross_entropy(logits, y) + 5.0 * distance.penalty(net, x, logits)
        distance.update(net)
        loss.backward()
        optimizer.step()

    net = fitted(TrustRegionPenalty(5.0, "previous", "symmetric_kl", target_mode="same"))
    assert_same(net.module_, by_hand(step), rtol=1e-4)
    assert len(net.history[:, "trust_region_distance"]) == EPOCHS


def test_noised_inputs_need_no_target():
    torch.manual_seed(0)
    net = fitted(TRAM("input_noise", sigma=0.3, noise="uniform"))
    torch.manual_seed(0)
    again = fitted(TRAM("input_noise", sigma=0.3, noise="uniform"))
    assert_same(net.module_, again.module_, rtol=0, atol=0)
    assert min(net.history[:, "trust_region_distance"]) > 0


def test_orthogonality_trains_as_by_hand():
    def step(net, optimizer, x, y):
        plain_step(net, optimizer, x, y, lambda: 0.3 * parts.orthogonality_penalty(net, "all"))

    net = fitted(ConvOrthogonality(0.3, "all", monitor=True))
    assert_same(net.module_, by_hand(step))
    report = parts.orthogonality_report(net.module_, "all")
    last = net.history[-1]
    assert last["orthogonality_loss"] == pytest.approx(sum(row.loss for row in report))
    assert last["sigma_min"] == min(row.sigma_min for row in report)
    assert last["sigma_max"] == max(row.sigma_max for row in report)


def test_orthogonality_every_other_step_has_twice_the_strength_and_the_same_in_both_passes():
    steps = []

    def step(net, optimizer, x, y):
        steps.append(1)
        on = len(steps) % 2

        def closure():
            optimizer.zero_grad()
            penalty = 0.6 * parts.orthogonality_penalty(net) if on else 0.0
            loss = functional.cross_entropy(net(x), y) + penalty
            loss.backward()
            return loss

        optimizer.step(closure)

    def make(net):
        return parts.SAM(torch.optim.SGD(net.parameters(), lr=0.1), module=net)

    net = fitted([ConvOrthogonality(0.3, every=2), SAM()])
    assert_same(net.module_, by_hand(step, make))


def test_impossible_layers_are_named_when_training_begins():
    class Wide(Net):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 10, 2, stride=4, padding=3)
            self.norm, self.head = nn.BatchNorm2d(10), nn.Linear(90, K)

    X, y = data()
    net = RegularizedNetClassifier(
        Wide, regularizers=[("o", ConvOrthogonality())], max_epochs=1, verbose=0, train_split=None
    )
    with pytest.warns(UserWarning, match="'conv' cannot be orthogonal"):
        net.fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(ConvOrthogonality(exclude_first=False))


@pytest.mark.parametrize("learnable", [False, True])
def test_compander_trains_as_by_hand(learnable):
    def make(net):
        parts.apply_weight_compander(net, ratio=2.0, width=5.0, learnable=learnable)
        groups = parts.compander_param_groups(net, 0.1, hyper_lr_scale=0.1)
        return torch.optim.SGD(groups, lr=0.1)

    net = fitted(WeightCompander(2.0, 5.0, learnable=learnable, hyper_lr_scale=0.1))
    expected = by_hand(plain_step, make)
    assert_same(net.module_, expected)
    lr = [group["lr"] for group in net.optimizer_.param_groups]
    assert lr == pytest.approx([0.1, 0.01] if learnable else [0.1])
    X, _ = data()
    before = net.predict_proba(X)
    parts.remove_weight_compander(net.module_)
    np.testing.assert_allclose(net.predict_proba(X), before, rtol=1e-5)


EVERYTHING = [
    SAM(),
    SAM(0.5, adaptive=True),
    FisherSAM(),
    TRAM("initial"),
    TRAM("previous"),
    TRAM("ema"),
    TrustRegionPenalty(),
    ConvOrthogonality(),
    WeightCompander(),
    WeightCompander(learnable=True),
]
names = pytest.mark.parametrize("regularizer", EVERYTHING, ids=lambda one: type(one).__name__)


@names
def test_pickled_and_copied_nets_go_on_alike(regularizer):
    X, y = data()
    net = fitted(clone(regularizer))
    twins = [pickle.loads(pickle.dumps(net)), copy.deepcopy(net)]
    net.partial_fit(X, y)
    for twin in twins:
        twin.partial_fit(X, y)
        assert_same(twin.module_, net.module_, rtol=0, atol=0)


@names
def test_training_resumes_from_saved_parameters(regularizer, tmp_path):
    X, y = data()
    whole = fitted(clone(regularizer))
    paths = {f"f_{part}": str(tmp_path / part) for part in ("params", "optimizer", "criterion")}
    whole.save_params(**paths)
    whole.partial_fit(X, y)
    resumed = fitted(clone(regularizer), max_epochs=0)
    resumed.load_params(**paths)
    resumed.partial_fit(X, y, epochs=EPOCHS)
    assert_same(resumed.module_, whole.module_, rtol=0, atol=0)


@names
def test_refitting_and_clones_start_anew(regularizer):
    net = fitted(clone(regularizer))
    first = copy.deepcopy(net.module_)
    net.fit(*data())
    assert_same(net.module_, first, rtol=0, atol=0)
    assert_same(clone(net).fit(*data()).module_, first, rtol=0, atol=0)


@pytest.mark.parametrize(
    "regularizer", [SAM(0.1), TRAM("initial"), TrustRegionPenalty(5.0, "initial")]
)
def test_accumulated_batches_make_the_step_of_one_batch(regularizer):
    class NoNorm(Net):
        def __init__(self):
            super().__init__()
            self.norm = nn.Identity()

    X, y = data()
    nets = []
    for batch_size, steps in ((N, 1), (N // 4, 4)):
        net = RegularizedNetClassifier(
            NoNorm, regularizers=[("it", clone(regularizer))], optimizer=torch.optim.SGD, lr=0.1,
            max_epochs=3, batch_size=batch_size, accumulation_steps=steps, train_split=None,
            verbose=0,
        )  # fmt: skip
        nets.append(net.fit(X, y))
    assert_same(nets[0].module_, nets[1].module_, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "pair",
    [
        [SAM(), ELR()],
        [PSKD(), SAM(0.5, adaptive=True)],
        [SAM(), OrthogonalGradient()],
        [OrthogonalGradient(), SAM()],
        [TRAM("initial"), ConvOrthogonality()],
        [WeightCompander(), SAM()],
        [WeightCompander(learnable=True), TRAM("previous")],
        [ConvOrthogonality(), WeightCompander()],
        [TrustRegionPenalty(), FisherSAM()],
        [TRAM("ema"), TrustRegionPenalty()],
    ],
    ids=lambda pair: "-".join(type(one).__name__ for one in pair),
)
@pytest.mark.parametrize("mixed_precision", [None, "bfloat16"])
def test_pairs_train_with_weights_and_mixed_precision(pair, mixed_precision):
    X, y = data()
    named = [(str(i), one) for i, one in enumerate(pair)]
    model = DeepClassifier(
        Net, named, max_epochs=3, batch_size=16, mixed_precision=mixed_precision, random_state=0
    )
    weight = np.linspace(0.5, 2, N)
    first = model.fit(X, y, weight).predict_proba(X)
    np.testing.assert_allclose(first.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(clone(model).fit(X, y, weight).predict_proba(X), first)


def test_orthogonal_gradients_compose_with_sharpness_in_either_order():
    """Outside, both gradients are projected; inside, the one uphill is."""

    def step(first, second):
        def one(net, optimizer, x, y):
            optimizer.zero_grad()
            functional.cross_entropy(net(x), y).backward()
            first(net)
            optimizer.first_step()
            optimizer.zero_grad()
            with parts.frozen_buffers(net):
                functional.cross_entropy(net(x), y).backward()
            second(net)
            optimizer.restore()
            if second is nothing:
                parts.orthogonalize_gradients(net.parameters())
            optimizer.base.step()

        return one

    def nothing(net):
        pass

    def project(net):
        parts.orthogonalize_gradients(net.parameters())

    def make(net):
        return parts.SAM(torch.optim.SGD(net.parameters(), lr=0.1), 0.2)

    inside = fitted([OrthogonalGradient(), SAM(0.2)])
    assert_same(inside.module_, by_hand(step(nothing, nothing), make), rtol=1e-4)
    outside = fitted([SAM(0.2), OrthogonalGradient()])
    assert_same(outside.module_, by_hand(step(project, project), make), rtol=1e-4)


@pytest.mark.parametrize(
    "regularizer", [TRAM("initial", max_radius=0.1), TrustRegionPenalty(1.0, "initial")]
)
def test_regression_measures_squared_distances(regularizer):
    X, y = data()
    target = y.astype(np.float32)[:, None]
    net = fitted(clone(regularizer), RegularizedNetRegressor, target, module__n_outputs=1)
    assert dict(net.regularizers)["r0"].distance_.divergence == "l2"
    assert max(net.history[:, "trust_region_distance"]) > 0
    model = DeepRegressor(regularizers=[("it", regularizer)], max_epochs=3, random_state=0)
    assert np.isfinite(model.fit(X, y).predict(X)).all()


def test_grid_search_reaches_the_parameters():
    X, y = data()
    model = DeepClassifier(
        regularizers=[("sam", SAM()), ("compander", WeightCompander())],
        max_epochs=2, random_state=0,
    )  # fmt: skip
    grid = {"regularizers__sam__rho": [0.0, 0.1], "regularizers__compander__ratio": [1.0, 2.0]}
    search = GridSearchCV(model, grid, cv=2).fit(X, y)
    assert len(search.cv_results_["params"]) == 4
    found = search.best_estimator_.get_params()
    assert {name: found[name] for name in grid} == search.best_params_


@pytest.mark.parametrize(
    ("regularizer", "message"),
    [
        (SAM(rho=-1.0), "rho must be in"),
        (SAM(adaptive_eps=-1.0), "adaptive_eps must be in"),
        (FisherSAM(gamma=-1.0), "gamma must be in"),
        (FisherSAM(eta=-1.0), "eta must be in"),
        (TRAM("next"), "target must be one of"),
        (TRAM(divergence="js"), "divergence must be one of"),
        (TRAM(scale=-1.0), "scale must be in"),
        (TRAM(max_radius=-1.0), "max_radius must"),
        (TRAM("input_noise", sigma=0.0), "sigma must be in"),
        (TRAM(noise="cauchy"), "noise must be one of"),
        (TRAM(decay=2.0), "decay must be in"),
        (TRAM(target_mode="train"), "target_mode must be one of"),
        (TrustRegionPenalty(target="next"), "target must be one of"),
        (TrustRegionPenalty(strength=-1.0), "strength must be in"),
        (ConvOrthogonality(strength=-1.0), "strength must be in"),
        (ConvOrthogonality(every=0), "every must be in"),
        (ConvOrthogonality(layers="linear"), "layers must be one of"),
        (ConvOrthogonality(frequencies=0), "frequencies must be in"),
        (WeightCompander(ratio=0.0), "ratio must be in"),
        (WeightCompander(width=0.0), "width must be in"),
        (WeightCompander(function="relu"), "function must be one of"),
        (WeightCompander(hyper_lr_scale=-1.0), "hyper_lr_scale must be in"),
        (WeightCompander(exclude=["nowhere"]), "no module 'nowhere'"),
    ],
)
def test_bad_parameters(regularizer, message):
    with pytest.raises(ValueError, match=message):
        DeepClassifier(Net, [("it", regularizer)], max_epochs=1).fit(*data())


def test_half_precision_with_scaled_gradients_is_refused_for_two_passes():
    with pytest.raises(ValueError, match=r"SAM.*bfloat16"):
        fitted(SAM(), mixed_precision="float16")
