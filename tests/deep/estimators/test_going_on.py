"""Warm starts and partial_fit: every parameter acts as it is now, or is refused."""

import copy
import pickle
from typing import ClassVar

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.metrics import log_loss
from skorch.callbacks import Callback, Checkpoint, LoadInitState, LRScheduler
from torch import nn
from torch.nn import functional as F

from skreg.deep import DeepClassifier, DeepRegressor, Regularizer, regularizers
from skreg.deep.torch import SampleMemory

SMALL = {"max_epochs": 2, "random_state": 0, "batch_size": 32, "net_params": {"module__width": 8}}
STILL = 1e-14  # a learning rate that moves nothing
X, y = load_iris(return_X_y=True)


class Shrink(Regularizer):
    def __init__(self, strength=0.1):
        self.strength = strength

    def penalty(self, net, batch, y_pred, features):
        return self.strength * y_pred.square().mean()


def started(**params):
    return DeepClassifier(**{**SMALL, "warm_start": True, **params}).fit(X, y)


def whole(**params):
    """One batch for all data and plain gradient descent."""
    settings = {"batch_size": 1000, "optimizer": torch.optim.SGD, "lr": 0.1, "dtype": "float64"}
    return started(**{**settings, **params})


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.net_.module_.parameters()]).clone()


def step(model, **params):
    """Movement of the weights in one more epoch under other parameters, of a copy."""
    model = copy.deepcopy(model).set_params(max_epochs=1, **params)
    before = weights(model)
    return weights(model.fit(X, y)) - before


def last(model, name="train_loss"):
    return model.net_.history[-1, name]


# the optimizer


def test_a_step_of_descent_is_proportional_to_the_rate():
    model = whole()
    torch.testing.assert_close(step(model, lr=0.3), 3.0 * step(model), rtol=1e-9, atol=1e-12)


def test_weight_decay_adds_its_part_to_the_step_and_takes_it_back():
    model = whole()
    decayed = step(model, optimizer__weight_decay=0.5) - step(model)
    torch.testing.assert_close(decayed, -0.1 * 0.5 * weights(model), rtol=1e-8, atol=1e-12)
    model.set_params(optimizer__weight_decay=0.5).fit(X, y)
    without = step(model, net_params={"module__width": 8})
    model.set_params(net_params={"module__width": 8})
    torch.testing.assert_close(without, step(model, optimizer__weight_decay=0.0))


def halved(epoch):
    return 0.5**epoch


def test_a_schedule_goes_on_around_the_new_rate():
    schedule = LRScheduler(torch.optim.lr_scheduler.LambdaLR, lr_lambda=halved, event_name="lr")
    model = started(lr=0.1, callbacks=[schedule]).set_params(lr=0.8).fit(X, y)
    assert model.history_["lr"].tolist() == [0.1, 0.05, 0.8 / 4, 0.8 / 8]


def test_moments_outlive_another_rate_and_not_another_optimizer():
    model = started()
    steps = model.net_.optimizer_.state_dict()["state"][0]["step"].clone()
    model.set_params(lr=0.01, optimizer__betas=(0.8, 0.9)).fit(X, y)
    group = model.net_.optimizer_.param_groups[0]
    assert (group["lr"], group["betas"]) == (0.01, (0.8, 0.9))
    assert model.net_.optimizer_.state_dict()["state"][0]["step"] == 2 * steps
    model.set_params(optimizer=torch.optim.SGD, net_params={"module__width": 8}).fit(X, y)
    assert type(model.net_.optimizer_) is torch.optim.SGD


def test_accumulation_changes_the_number_of_steps():
    model = started()  # five batches in each of two epochs
    count = model.net_.optimizer_.state_dict()["state"][0]["step"].clone()
    model.set_params(accumulation_steps=5).fit(X, y)
    assert (count, model.net_.optimizer_.state_dict()["state"][0]["step"]) == (10, 12)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_is_switched_on_and_off(precision):
    model = started().set_params(mixed_precision=precision, lr=STILL)
    loss = last(model.fit(X, y))
    assert (model.net_.scaler_ is not None) == (precision == "float16")
    full = last(model.set_params(mixed_precision=None).fit(X, y))
    assert 1e-6 < abs(loss - full) < 0.02


# the loop


def test_batches_epochs_and_printing(capsys):
    model = started().set_params(batch_size=50, max_epochs=3, verbose=1).fit(X, y)
    assert last(model, "train_batch_count") == 3
    assert model.n_iter_ == 5
    assert capsys.readouterr().out.count("\n") >= 3
    model.set_params(verbose=0).fit(X, y)
    assert capsys.readouterr().out == ""


def test_early_stopping_is_switched_on_changed_and_off():
    model = started().set_params(early_stopping=True, validation_fraction=0.2, lr=STILL)
    model.set_params(max_epochs=50, n_iter_no_change=3).fit(X, y)
    assert model.n_iter_ == 2 + 4
    assert last(model, "train_batch_count") == 4  # 120 of 150 rows
    assert model.set_params(n_iter_no_change=5).fit(X, y).n_iter_ == 6 + 6
    model.set_params(early_stopping=False, max_epochs=2).fit(X, y)
    assert "valid_loss" not in model.net_.history[-1]


class HeldOut(Callback):
    rows: ClassVar[list] = []

    def on_epoch_begin(self, net, dataset_valid=None, **kwargs):
        self.rows.append(tuple(np.asarray(dataset_valid.indices)))


@pytest.mark.parametrize("random_state", [None, 3])
def test_rows_that_were_held_out_stay_so(random_state):
    HeldOut.rows = []
    model = started(random_state=random_state, early_stopping=True, callbacks=[HeldOut()])
    model.fit(X, y)
    assert len(HeldOut.rows) == 4
    assert len(set(HeldOut.rows)) == 1


def test_callbacks_come_and_go():
    model = started().set_params(callbacks=[LRScheduler("StepLR", step_size=9, event_name="rate")])
    model.fit(X, y).set_params(callbacks=None).fit(X, y)
    assert [("rate" in epoch) for epoch in model.net_.history] == 2 * [False] + 2 * [True] + [
        False,
        False,
    ]


def test_arguments_of_the_loader():
    model = started().set_params(iterator_train__drop_last=True).fit(X, y)
    assert last(model, "train_batch_count") == 4  # 150 = 4 * 32 + 22
    model.set_params(net_params={"module__width": 8}).fit(X, y)
    assert last(model, "train_batch_count") == 5


# the loss


def cross_entropy(model, **options):
    logits = model.net_.forward(torch.as_tensor(model._input_scaling.transform(X, "float64")))
    return F.cross_entropy(logits, torch.as_tensor(y), **options).item(), logits.square().mean()


def test_another_criterion_acts():
    model = whole()
    loss = nn.CrossEntropyLoss(label_smoothing=0.3)
    model.set_params(criterion=loss, lr=STILL, max_epochs=1).fit(X, y)
    assert last(model) == pytest.approx(cross_entropy(model, label_smoothing=0.3)[0], rel=1e-9)
    model.set_params(criterion=None, criterion__label_smoothing=0.6).fit(X, y)
    assert last(model) == pytest.approx(cross_entropy(model, label_smoothing=0.6)[0], rel=1e-9)
    model.set_params(criterion__label_smoothing=0.0).fit(X, y)
    assert last(model) == pytest.approx(log_loss(y, model.predict_proba(X)), rel=1e-9)


def test_regularizers_change_leave_and_come():
    model = whole(regularizers=[("shrink", Shrink(0.1))]).set_params(lr=STILL, max_epochs=1)
    for strength, params in [
        (0.1, {}),
        (2.0, {"regularizers__shrink__strength": 2.0}),
        (0.0, {"regularizers__shrink": None}),
        (3.0, {"regularizers": [("other", Shrink(1.0)), ("more", Shrink(2.0))]}),
        (0.0, {"regularizers": None}),
    ]:
        model.set_params(**params).fit(X, y)
        entropy, squares = cross_entropy(model)
        assert last(model) == pytest.approx(entropy + strength * squares.item(), rel=1e-9)


def test_a_wrapper_of_the_optimizer_takes_another_radius_and_leaves():
    model = started(regularizers=[("sam", regularizers.SAM(rho=0.05))])
    model.set_params(regularizers__sam__rho=0.5).fit(X, y)
    assert model.net_.optimizer_.rho == 0.5
    model.set_params(regularizers__sam=None).fit(X, y)
    assert type(model.net_.optimizer_) is torch.optim.AdamW


class Remember(Regularizer):
    def state(self, net):
        self.memory_ = SampleMemory()
        return self.memory_

    def penalty(self, net, batch, y_pred, features):
        self.memory_.allocate(net.n_samples_, y_pred.shape[1], like=y_pred)
        self.memory_.write(batch.index, y_pred.detach())


@pytest.mark.filterwarnings("ignore:WeightCompander is experimental")
@pytest.mark.parametrize(
    "name",
    [
        "ELR", "FisherSAM", "OrthogonalGradient", "PSKD", "SAM", "StableMax",
        "ThresholdConsistentMargin", "TRAM", "TrustRegionPenalty", "WeightCompander",
    ],
)  # fmt: skip
def test_every_regularizer_goes_on_in_another_type_at_another_rate(name):
    model = started(regularizers=[("it", getattr(regularizers, name)())], max_epochs=1)
    before = model.predict_proba(X)
    model.set_params(lr=STILL, dtype="float64").fit(X, y).partial_fit(X, y)
    assert model.predict_proba(X).dtype == np.float64
    np.testing.assert_allclose(model.predict_proba(X), before, atol=1e-5)


def test_memories_outlive_another_criterion():
    model = started(regularizers=[("memory", Remember())])
    model.set_params(criterion=nn.MultiMarginLoss, max_epochs=0).fit(X, y)
    assert dict(model.net_.regularizers)["memory"].memory_.written.all()


# type, place and random numbers


def test_the_type_of_the_weights_changes():
    model = started(lr=STILL, regularizers=[("memory", Remember())])
    before = model.predict_proba(X)
    model.set_params(dtype="float64")
    np.testing.assert_array_equal(model.predict_proba(X), before)  # until it is fitted
    after = model.fit(X, y).predict_proba(X)
    assert before.dtype == np.float32
    assert after.dtype == np.float64
    np.testing.assert_allclose(after, before, atol=1e-6)
    states = model.net_.optimizer_.state_dict()["state"].values()
    assert {state["exp_avg"].dtype for state in states} == {torch.float64}
    assert model.set_params(dtype="float32").partial_fit(X, y).predict_proba(X).dtype == np.float32


def test_the_device_is_checked_before_anything_moves():
    model = started()
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=r"device='mps' is not available: torch .* finds cpu"):
        model.set_params(device="mps").fit(X, y)
    np.testing.assert_array_equal(model.set_params(device="cpu").predict_proba(X), before)


def test_a_new_seed_begins_new_random_numbers():
    model = started(batch_size=16)
    same, other = copy.deepcopy(model), copy.deepcopy(model).set_params(random_state=5)
    again = copy.deepcopy(model).set_params(random_state=5)
    moved = [weights(m.fit(X, y)) for m in (model, same, other, again)]
    assert torch.equal(moved[0], moved[1])
    assert torch.equal(moved[2], moved[3])
    assert not torch.equal(moved[0], moved[2])


# what cannot be meant


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"module__width": 4}, "module__width=8 and cannot go on with module__width=4"),
        ({"net_params": None}, "module__width=8 and cannot go on with no module__width"),
        ({"module": nn.Linear(4, 3)}, "module=None"),
        ({"standardize": False}, "standardize='auto' and cannot go on with standardize=False"),
        ({"compile": True}, "compile=False"),
        ({"net_params": {"module__width": 8, "nonsense": 1}}, "nonsense"),
    ],
)
def test_another_network_is_refused(params, words):
    model = started()
    before = model.predict_proba(X)
    model.set_params(**params)
    for call in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match=words):
            call(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    assert model.n_iter_ == 2


def test_targets_cannot_be_standardized_otherwise():
    model = DeepRegressor(**SMALL).partial_fit(X, y).set_params(standardize_target=False)
    with pytest.raises(ValueError, match="standardize_target=True"):
        model.partial_fit(X, y)


class Fail(Regularizer):
    def __init__(self, epoch=3):
        self.epoch = epoch

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.epoch:
            raise ValueError("this epoch fails")


def test_a_failure_in_the_middle_of_a_warm_start_leaves_everything_as_it_was():
    model = started(regularizers=[("fail", Fail(4)), ("memory", Remember()), ("shrink", Shrink())])
    witness = copy.deepcopy(model)
    changes = {"lr": 0.05, "batch_size": 10, "dtype": "float64", "optimizer": torch.optim.SGD}
    model.set_params(**changes, regularizers__shrink__strength=2.0)
    for _ in range(2):
        with pytest.raises(ValueError, match="this epoch fails"):
            model.fit(X, y)
    unchanged = {**{name: witness.get_params()[name] for name in changes}}
    model.set_params(**unchanged, regularizers__shrink__strength=0.1, regularizers__fail__epoch=9)
    witness.set_params(regularizers__fail__epoch=9)
    assert model.n_iter_ == 2
    assert dict(model.net_.regularizers)["shrink"].strength == 0.1
    for going_on in (model, witness):
        going_on.fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), witness.predict_proba(X))
    memories = [dict(m.net_.regularizers)["memory"].memory_.values for m in (model, witness)]
    assert torch.equal(*memories)


def test_a_divergence_leaves_everything_as_it_was():
    model = started(dtype="float64")
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=r"the training loss is (nan|inf)"):
        model.set_params(lr=1e200, optimizer=torch.optim.SGD).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    model.set_params(lr=0.01).fit(X, y)


class Double(Regularizer):
    """Predict with weights that are twice those trained."""

    def finalize(self, net, module):
        self.scale(module, 2.0)

    def resume(self, net, module):
        self.scale(module, 0.5)

    @torch.no_grad()
    def scale(self, module, factor):
        for parameter in module.parameters():
            parameter.mul_(factor)


def test_what_predicts_is_not_what_goes_on():
    """Every way to go on undoes first what regularizers made of the trained network."""
    doubled = whole(regularizers=[("double", Double()), ("fail", Fail(4))])
    plain = whole()
    torch.testing.assert_close(weights(doubled), 2 * weights(plain))
    for model in (doubled, plain):
        model.set_params(optimizer=torch.optim.AdamW, lr=0.01, criterion__label_smoothing=0.1)
    with pytest.raises(ValueError, match="this epoch fails"):
        doubled.fit(X, y)
    torch.testing.assert_close(weights(doubled), 2 * weights(plain))
    plain.fit(X, y)
    doubled.set_params(regularizers__fail__epoch=9).fit(X, y)
    torch.testing.assert_close(weights(doubled), 2 * weights(plain))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_goes_on_with_instances_as_parameters(copied):
    module = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    model = DeepClassifier(
        module, criterion=nn.CrossEntropyLoss(), callbacks=[LRScheduler()], max_epochs=2,
        warm_start=True, random_state=0,
    ).fit(X, y)  # fmt: skip
    again = copied(model)
    np.testing.assert_array_equal(
        again.fit(X, y).predict_proba(X), model.fit(X, y).predict_proba(X)
    )


def test_resumed_from_a_checkpoint_training_is_the_same_to_the_last_bit(tmp_path):
    settings = {**SMALL, "net_params": {"module__width": 8, "module__dropout": 0.5}}
    settings |= {"lr": 0.05, "regularizers": [("memory", Remember())]}
    point = Checkpoint(dirname=tmp_path, monitor=None)
    straight = DeepClassifier(**{**settings, "max_epochs": 6}).fit(X, y)
    DeepClassifier(**{**settings, "max_epochs": 3}, callbacks=[point]).fit(X, y)
    load = LoadInitState(Checkpoint(dirname=tmp_path, monitor=None))
    callbacks = [load, Checkpoint(dirname=tmp_path, monitor=None)]
    resumed = DeepClassifier(**{**settings, "max_epochs": 3}, callbacks=callbacks).fit(X, y)
    assert torch.equal(weights(resumed), weights(straight))
    resumed.set_params(callbacks=None).partial_fit(X, y)
    straight.partial_fit(X, y)
    assert torch.equal(weights(resumed), weights(straight))
