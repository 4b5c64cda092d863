"""Averages of weights against those of torch, and what the module has when training ends."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.datasets import make_classification
from skorch.callbacks import Checkpoint, EarlyStopping, LRScheduler
from skorch.helper import predefined_split
from torch import nn
from torch.nn import functional as F
from torch.optim.swa_utils import SWALR, AveragedModel, get_ema_multi_avg_fn, update_bn
from torch.utils.data import DataLoader, TensorDataset

from skreg.deep import DeepClassifier, RegularizedNetClassifier
from skreg.deep.regularizers import SAM, SWA, ELRPlus, EMAWeights, Mixup, WeightCompander
from skreg.deep.torch import WeightAverage

pytestmark = pytest.mark.filterwarnings("ignore::skreg.deep.torch.ExperimentalWarning")

N, D, K, BATCH, LR = 48, 5, 3, 16, 0.3
X, y = make_classification(N, D, n_informative=4, n_redundant=0, n_classes=K, random_state=0)
X = X.astype(np.float32)
DATA = TensorDataset(torch.from_numpy(X), torch.from_numpy(y))


class Net(nn.Sequential):
    def __init__(self, dropout=0.0):
        super().__init__(
            nn.Linear(D, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, K)
        )


def make(*regularizers, module=Net, **arguments):
    torch.manual_seed(0)
    named = [(f"r{i}", one) for i, one in enumerate(regularizers)]
    defaults = {"lr": LR, "max_epochs": 4, "batch_size": BATCH, "train_split": None, "verbose": 0}
    return RegularizedNetClassifier(module, regularizers=named, **{**defaults, **arguments})


def by_hand(average, at, epochs=4, batch_size=BATCH):
    """torch's averaged model, updated after each step or from an epoch on, and the trained one."""
    torch.manual_seed(0)
    model = Net()
    averaged = average(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    for epoch in range(1, epochs + 1):
        for x, target in DataLoader(DATA, batch_size):
            optimizer.zero_grad()
            F.cross_entropy(model(x), target).backward()
            optimizer.step()
            if at == "step":
                averaged.update_parameters(model)
        if at != "step" and epoch in at:
            averaged.update_parameters(model)
    update_bn(DataLoader(DATA, batch_size), averaged)
    return averaged.module, model


def warm_ema(decay):
    def function(means, values, n):
        torch._foreach_lerp_(means, values, 1 - min(decay, float(n / (n + 9))))

    return lambda model: AveragedModel(model, multi_avg_fn=function)


def same(net, model, atol=1e-6):
    found, expected = net.module_.state_dict(), model.state_dict()
    for name in expected.keys() - {"1.num_batches_tracked"}:
        torch.testing.assert_close(found[name], expected[name], rtol=0, atol=atol)


# the average itself


@pytest.mark.parametrize("decay", [None, 0.1, 0.0])
def test_average_is_torchs(decay):
    """A decay of at most a tenth has no first steps of its own."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    ema = None if decay is None else get_ema_multi_avg_fn(decay)
    ours, torchs = WeightAverage(module, decay), AveragedModel(module, multi_avg_fn=ema)
    for _ in range(5):
        for parameter in module.parameters():
            nn.init.normal_(parameter)
        ours.update(module)
        torchs.update_parameters(module)
    for mean, expected in zip(ours.means(), torchs.module.parameters(), strict=True):
        torch.testing.assert_close(mean, expected)
    assert ours.n_averaged == torchs.n_averaged == 5


def test_average_of_many_half_precision_weights_does_not_stall():
    """Steps of a hundredth of the distance vanish in bfloat16 before they arrive."""
    module = nn.Linear(1, 1, bias=False).bfloat16()
    average = WeightAverage(module, decay=0.99)
    nn.init.zeros_(module.weight)
    for _ in range(900):  # after which the decay has its value
        average.update(module)
    nn.init.ones_(module.weight)
    for _ in range(400):
        average.update(module)
    assert average.means()[0].item() == pytest.approx(1 - 0.99**400, abs=1e-3)


def test_average_of_shared_weights_and_its_state():
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    module[1].weight = module[0].weight
    average = WeightAverage(module)
    average.update(module)
    assert len(average.means()) == 3
    again = WeightAverage(module)
    again.load_state_dict(average.state_dict())
    assert again.n_averaged == 1
    assert torch.equal(again.means()[0], module[0].weight)
    assert not list(average.parameters())


# in the training step


def test_exponential_average_is_that_of_a_loop_by_hand():
    averaged, _ = by_hand(warm_ema(0.8), "step")
    same(make(EMAWeights(0.8)).fit(X, y), averaged)


@pytest.mark.parametrize(
    ("swa", "at"),
    [
        (SWA(0.5), {2, 3, 4}),
        (SWA(0.0), {1, 2, 3, 4}),
        (SWA(0.25, cycle=2), {1, 3}),
        (SWA(1.0), {4}),
    ],
)
def test_stochastic_weight_average_is_that_of_a_loop_by_hand(swa, at):
    averaged, _ = by_hand(AveragedModel, at)
    same(make(swa).fit(X, y), averaged)


def test_steps_of_several_batches_count_once():
    net = make(EMAWeights(0.8), batch_size=8, accumulation_steps=2).fit(X, y)
    assert dict(net.regularizers)["r0"].average_.n_averaged == 4 * 3


def test_weights_under_sharpness_aware_minimization_are_those_after_the_step():
    """With a decay of zero the average is the trained network, not one at a worst point."""
    same(make(SAM(rho=0.5), EMAWeights(0.0), batch_size=N).fit(X, y), trained_with_sam(), 1e-5)


def trained_with_sam():
    net = make(SAM(rho=0.5), batch_size=N).fit(X, y)
    net.module_.train()
    update_bn([torch.from_numpy(X)], net.module_)
    return net.module_


@pytest.mark.parametrize("averaging", [EMAWeights(0.8), SWA(0.5)])
def test_parameters_stay_the_same_objects_and_training_goes_on_from_the_trained(averaging):
    straight = make(max_epochs=6).fit(X, y)
    net = make(averaging).initialize()
    objects = list(net.module_.parameters())
    net.partial_fit(X, y)
    assert all(a is b for a, b in zip(objects, net.module_.parameters(), strict=True))
    for one in (net, pickle.loads(pickle.dumps(net))):
        averaged = one.module_[0].weight.detach().clone()
        one.set_params(regularizers__r0=None)
        one.partial_fit(X, y, epochs=2)
        same(one, straight.module_)
        assert not torch.equal(averaged, straight.module_[0].weight)


def test_statistics_of_batch_normalization_are_those_of_the_averaged_weights():
    net = make(SWA(0.0), batch_size=N).fit(X, y)
    with torch.no_grad():
        hidden = net.module_[0](torch.from_numpy(X))
    torch.testing.assert_close(net.module_[1].running_mean, hidden.mean(0))
    torch.testing.assert_close(net.module_[1].running_var, hidden.var(0))
    assert net.module_[1].momentum == 0.1


def test_statistics_come_from_shuffled_batches_if_training_shuffles():
    """Data sorted by class have other variances within batches."""
    order = np.argsort(y, kind="stable")
    net = make(SWA(0.0), iterator_train__shuffle=True, lr=0.01).fit(X[order], y[order])
    with torch.no_grad():
        hidden = net.module_[0](torch.from_numpy(X))
    ratio = net.module_[1].running_var / hidden.var(0)
    assert (ratio - 1).abs().mean() < 0.1


def test_a_decay_that_changes_acts_and_the_average_goes_on():
    net = make(EMAWeights(0.8)).fit(X, y)
    average = dict(net.regularizers)["r0"].average_
    n, means = int(average.n_averaged), [mean.clone() for mean in average.means()]
    net.set_params(regularizers__r0__decay=0.5)
    net.partial_fit(X[:BATCH], y[:BATCH], epochs=1)
    again = dict(net.regularizers)["r0"].average_
    trained = dict(net.regularizers)["r0"].trained_["0.weight"]
    assert again.n_averaged == n + 1
    torch.testing.assert_close(again.means()[0], 0.5 * (means[0] + trained))


def test_a_second_training_averages_its_own_last_epochs():
    """Four epochs, then four more: the last half of eight has nothing of the first four."""
    net = make(SWA(0.625)).fit(X, y)
    net.partial_fit(X, y)
    averaged, _ = by_hand(AveragedModel, {5, 6, 7, 8}, epochs=8)
    same(net, averaged, atol=1e-5)


def test_validation_during_training_sees_the_trained_weights():
    kept = {"train_split": predefined_split(DATA)}
    averaged, plain = (make(*r, **kept).fit(X, y) for r in ([EMAWeights(0.8)], []))
    assert averaged.history[:, "valid_loss"] == plain.history[:, "valid_loss"]


def test_early_stop_before_the_start_warns_and_keeps_the_weights():
    stop = EarlyStopping(monitor="train_loss", patience=1, threshold=1e9)
    net = make(SWA(0.75), callbacks=[stop], max_epochs=8)
    with pytest.warns(
        UserWarning, match=r"ended with epoch 2, averaging begins with epoch 6"
    ) as seen:
        net.fit(X, y)
    assert seen[0].filename == __file__
    _, trained = by_hand(AveragedModel, (), epochs=2)
    same(net, trained)


@pytest.mark.parametrize("averaging", [EMAWeights(0.8), SWA(0.25)])
def test_best_epoch_of_a_checkpoint_brings_its_averages(averaging, tmp_path):
    class Best(Checkpoint):
        def on_epoch_end(self, net, **kwargs):
            net.history.record("second", len(net.history) == 2)
            super().on_epoch_end(net, **kwargs)

    best = Best(dirname=tmp_path, monitor="second", load_best=True)
    net = make(averaging, callbacks=[best]).fit(X, y)
    if isinstance(averaging, SWA):
        averaged, _ = by_hand(AveragedModel, {1, 2}, epochs=2)
    else:
        averaged, _ = by_hand(warm_ema(0.8), "step", epochs=2)
    same(net, averaged)


def test_averages_go_through_safetensors(tmp_path):
    net = make(EMAWeights(0.8)).fit(X, y)
    files = {"f_params": tmp_path / "module", "f_criterion": tmp_path / "criterion"}
    net.save_params(**files, use_safetensors=True)
    fresh = make(EMAWeights(0.8)).initialize()
    fresh.load_params(**files, use_safetensors=True)
    old, new = (dict(one.regularizers)["r0"].average_ for one in (net, fresh))
    assert new.n_averaged == old.n_averaged > 0
    for mean, expected in zip(new.means(), old.means(), strict=True):
        assert torch.equal(mean, expected)
    assert np.array_equal(fresh.predict_proba(X), net.predict_proba(X))


def test_averages_of_parametrized_and_mixed_training():
    net = make(WeightCompander(), Mixup(), EMAWeights(0.8)).fit(X, y)
    assert np.isfinite(net.predict_proba(X)).all()
    net.partial_fit(X, y, epochs=1)


def test_average_with_a_schedule_of_torch():
    schedule = LRScheduler(SWALR, swa_lr=0.05, anneal_epochs=2)
    net = make(SWA(0.5), callbacks=[schedule]).fit(X, y)
    assert net.optimizer_.param_groups[0]["lr"] == pytest.approx(0.05)


def test_short_training_of_an_estimator_forgets_the_initial_weights():
    """Forty steps with a decay of 0.999, which would leave 96 % of the first weights."""
    arguments = {"max_epochs": 40, "lr": 0.02, "random_state": 0}
    averaged = DeepClassifier(regularizers=[("ema", EMAWeights())], **arguments).fit(X, y)
    assert averaged.score(X, y) >= DeepClassifier(**arguments).fit(X, y).score(X, y) - 0.05


def test_two_networks_in_one_module_are_refused():
    with pytest.raises(
        ValueError, match=r"ELRPlus .* replaces the module, into which .*EMAWeights"
    ):
        make(ELRPlus(), EMAWeights()).fit(X, y)


@pytest.mark.parametrize(
    ("averaging", "message"),
    [
        (EMAWeights(1.0), r"decay must be in \[0, 1\), got 1.0"),
        (SWA(1.5), r"start must be in \[0, 1\], got 1.5"),
        (SWA(0.5, cycle=0), "cycle must be in"),
        (SWA(0.5, cycle=1.5), "cycle must be a whole number"),
    ],
)
def test_bad_parameters_are_named(averaging, message):
    with pytest.raises(ValueError, match=message):
        make(averaging).fit(X, y)


def test_early_stop_leaves_the_averages_at_its_end_in_place_of_the_best_weights():
    stop = EarlyStopping(monitor="train_loss", patience=2, threshold=1e9, load_best=True)
    net = make(EMAWeights(0.8), callbacks=[stop], max_epochs=9).fit(X, y)
    averaged, _ = by_hand(warm_ema(0.8), "step", epochs=3)
    same(net, averaged)


def test_two_averages_are_refused():
    with pytest.raises(ValueError, match=r"SWA.*and EMAWeights.*both replace the weights"):
        make(SWA(), EMAWeights()).fit(X, y)


def test_a_call_that_fails_or_trains_nothing_leaves_the_averaged_module():
    """Statistics of batch normalization included, although there are no data to recompute them."""
    model = DeepClassifier(Net, [("ema", EMAWeights(0.5))], max_epochs=3, warm_start=True)
    before = model.fit(X, y).predict_proba(X)
    with pytest.raises(ValueError, match="training loss is"):
        model.set_params(lr=1e30).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    net = make(SWA(0.0)).fit(X, y)
    before = net.predict_proba(X)
    net.partial_fit(X, y, epochs=0)
    np.testing.assert_array_equal(net.predict_proba(X), before)
    with pytest.raises(ValueError, match="both replace the weights"):
        net.set_params(regularizers=[*net.regularizers, ("b", EMAWeights())]).partial_fit(X, y)
    np.testing.assert_array_equal(net.predict_proba(X), before)
