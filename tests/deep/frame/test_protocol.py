"""What the net asks of a regularizer, when, and with what."""

import copy
import io
import pickle

import numpy as np
import pytest
import skorch
import torch
from sklearn.datasets import make_classification
from skorch.callbacks import Checkpoint, EarlyStopping, LoadInitState, LRScheduler
from skorch.helper import predefined_split
from torch import nn
from torch.nn import functional as F
from torch.utils.data import IterableDataset

from skreg.deep import RegularizedNetClassifier, RegularizedNetRegressor, Regularizer
from skreg.deep.regularizers import (
    ELR,
    PSKD,
    SAM,
    ConR,
    ConvOrthogonality,
    ELRPlus,
    Flooding,
    RDrop,
    StableMax,
    ThresholdConsistentMargin,
    TrustRegionPenalty,
    WeightCompander,
)
from skreg.deep.torch import SampleMemory

N, D, K = 48, 5, 3
X, y = make_classification(N, D, n_informative=4, n_redundant=0, n_classes=K, random_state=0)
X = X.astype("float32")


class Net(nn.Module):
    def __init__(self, n_outputs=K, dropout=0.0):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(D, 8), nn.ReLU(), nn.Dropout(dropout))
        self.head = nn.Linear(8, n_outputs)

    def forward(self, X):
        return self.head(self.body(X))


def make(*regularizers, net=RegularizedNetClassifier, **arguments):
    torch.manual_seed(0)
    named = [
        (f"r{i}", one) if not isinstance(one, tuple) else one for i, one in enumerate(regularizers)
    ]
    defaults = {"lr": 0.1, "max_epochs": 2, "batch_size": 16, "train_split": None, "verbose": 0}
    return net(Net, regularizers=named, **{**defaults, **arguments})


def weights(net):
    return torch.cat([p.detach().flatten() for p in net.module_.parameters()])


def by_hand(loss_of, n_epochs=2, batch_size=16, lr=0.1, dtype=torch.float32):
    """Weights of the same network, trained by a loop that somebody wrote with torch alone."""
    torch.manual_seed(0)
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for _ in range(n_epochs):
        for rows in torch.arange(N).split(batch_size):
            optimizer.zero_grad()
            loss_of(model, rows).backward()
            optimizer.step()
    return torch.cat([p.detach().flatten() for p in model.parameters()])


tX, ty = torch.from_numpy(X), torch.from_numpy(y)

# losses of each sample


class SmallestLosses(Regularizer):
    """Keeps the half of the batch with the smallest losses."""

    def losses(self, net, batch, losses):
        return losses * (losses <= losses.detach().median()) * 2


def test_losses_of_each_sample_can_be_selected():
    def loss_of(model, rows):
        losses = F.cross_entropy(model(tX[rows]), ty[rows], reduction="none")
        return (losses * (losses <= losses.detach().median()) * 2).mean()

    net = make(SmallestLosses()).fit(X, y)
    torch.testing.assert_close(weights(net), by_hand(loss_of), rtol=0, atol=1e-6)


def test_losses_come_before_sample_weights():
    weight = np.random.default_rng(0).uniform(0.5, 2.0, N)
    w = torch.from_numpy(weight / weight.mean()).float()

    def loss_of(model, rows):
        losses = F.cross_entropy(model(tX[rows]), ty[rows], reduction="none")
        return (losses**2 * w[rows]).mean()

    class Squared(Regularizer):
        def losses(self, net, batch, losses):
            assert losses.shape == batch.targets.shape
            return losses**2

    net = make(Squared()).fit(X, y, sample_weight=weight)
    torch.testing.assert_close(weights(net), by_hand(loss_of), rtol=0, atol=1e-6)


# steps and progress


class Diary(Regularizer):
    def __init__(self, name="diary"):
        self.name = name

    def on_train_begin(self, net, **kwargs):
        self.passes_, self.steps_ = [], []

    def inputs(self, net, batch, X):
        batch.extras[self.name] = float(X.sum())
        return X

    def penalty(self, net, batch, y_pred, features):
        assert batch.extras[self.name] == float(batch.X.sum())
        assert torch.equal(batch.targets, batch.y)
        self.passes_.append((batch.step, batch.progress, batch.first_pass))

    def after_step(self, net, batch):
        self.steps_.append((net.steps_, batch.step))


@pytest.mark.parametrize("accumulation", [1, 2])
@pytest.mark.parametrize("neighbours", [[], [SAM()]])
def test_steps_are_those_of_the_optimizer(accumulation, neighbours):
    diary = Diary()
    net = make(diary, *neighbours, batch_size=8, accumulation_steps=accumulation).fit(X, y)
    per_epoch = 6 // accumulation
    assert net.steps_ == 2 * per_epoch
    assert diary.steps_ == [(k + 1, k) for k in range(2 * per_epoch)]
    passes = accumulation * (1 + len(neighbours))
    assert [step for step, _, _ in diary.passes_] == sorted(list(range(2 * per_epoch)) * passes)
    progress = sorted({share for _, share, _ in diary.passes_})
    np.testing.assert_allclose(progress, np.arange(2 * per_epoch) / (2 * per_epoch))


def test_progress_goes_on_over_parts_and_warm_starts():
    diary = Diary()
    net = make(diary, batch_size=N, max_epochs=4)
    seen = [
        net.partial_fit(X, y, epochs=1).history[-1]["epoch"] and diary.passes_[0][1]
        for _ in range(4)
    ]
    assert seen == [0.0, 0.25, 0.5, 0.75]
    net.partial_fit(X, y, epochs=1)
    assert diary.passes_[0][1] == 0.8


class Kernels(nn.Module):
    def __init__(self):
        super().__init__()
        self.c, self.h = nn.Conv1d(1, 4, 3), nn.Linear(12, K)

    def forward(self, X):
        return self.h(self.c(X[:, None]).flatten(1))


@pytest.mark.parametrize("neighbours", [[], [SAM(rho=1e-9)]])
@pytest.mark.parametrize("accumulation", [1, 2])
def test_a_penalty_now_and_then_acts_as_often_as_it_says(accumulation, neighbours):
    """At tiny steps, twice the penalty in every second step moves the kernel as far."""

    def moved(every):
        torch.manual_seed(0)
        penalty = ConvOrthogonality(1e4, every=every)
        net = RegularizedNetClassifier(
            Kernels, regularizers=[("o", penalty), *(("s", sam) for sam in neighbours)],
            batch_size=6, accumulation_steps=accumulation, lr=1e-9, max_epochs=1,
            train_split=None, verbose=0,
        )  # fmt: skip
        start = net.initialize().module_.c.weight.detach().clone()
        return (net.partial_fit(X, y).module_.c.weight.detach() - start).norm()

    torch.testing.assert_close(moved(2), moved(1), rtol=1e-2, atol=0)


def test_a_schedule_by_batch_counts_steps():
    schedule = LRScheduler("StepLR", step_size=1, gamma=0.5, step_every="batch")
    net = make(batch_size=8, accumulation_steps=3, lr=1.0, max_epochs=1, callbacks=[schedule])
    net.fit(X, y)
    assert net.optimizer_.param_groups[0]["lr"] == 0.25


# features


class Features(Regularizer):
    def __init__(self, layer=None, layers=()):
        self.layer = layer
        self.layers = layers

    def penalty(self, net, batch, y_pred, features):
        self.seen_ = features


def test_features_of_one_layer_and_of_several():
    one, several = Features(layer="penultimate"), Features(layers=("body.0", "body"))
    net = make(one, several, batch_size=N, max_epochs=1, lr=0.0).fit(X, y)
    body = net.module_.body
    torch.testing.assert_close(one.seen_, body(tX))
    assert list(several.seen_) == ["body.0", "body"]
    torch.testing.assert_close(several.seen_["body.0"], body[0](tX))
    torch.testing.assert_close(several.seen_["body"], body(tX))


def test_a_frozen_layer_in_evaluation_mode_has_features():
    class Frozen(Net):
        def train(self, mode=True):
            super().train(mode)
            self.body.eval()
            return self

    torch.manual_seed(0)
    net = RegularizedNetClassifier(
        Frozen, regularizers=[("t", ThresholdConsistentMargin(layer="body"))], max_epochs=1,
        train_split=None, verbose=0,
    )  # fmt: skip
    assert np.isfinite(net.fit(X, y).history[-1]["train_loss"])


class Copies(Regularizer):
    """Copies the module while features are at hand, as a frozen teacher does."""

    def on_epoch_end(self, net, **kwargs):
        copy.deepcopy(net.module_)

    def penalty(self, net, batch, y_pred, features):
        assert all(recorder.features is None for recorder in net.recorders_.values())
        copy.deepcopy(net.module_)


def test_features_do_not_outlive_their_batch():
    net = make(Features(layer="body"), Copies()).fit(X, y)
    assert not net.module_.body._forward_hooks
    copy.deepcopy(net), pickle.loads(pickle.dumps(net))


def test_a_layer_that_is_not_there_is_named_with_the_regularizer():
    with pytest.raises(ValueError, match=r"Features \(regularizer 'r0'\).*no layer 'bodi'.*'body'"):
        make(Features(layer="bodi")).fit(X, y)


# what regularizers ask of the net


def test_another_forward_pass_draws_other_units():
    class Twice(Regularizer):
        layer = "body"

        def penalty(self, net, batch, y_pred, features):
            again, features_again = net.forward_again(batch.X, layer="body")
            torch.testing.assert_close(net.module_.head(features_again), again)
            assert not torch.equal(features, features_again)
            assert again.requires_grad
            assert net.forward_again(batch.X).shape == y_pred.shape
            return 0.0 * again.sum()

    make(Twice(), module__dropout=0.5, max_epochs=1).fit(X, y)
    with pytest.raises(ValueError, match="not among those that regularizers look at"):
        make().fit(X, y).forward_again(tX, layer="head")


def test_looking_again_does_not_disturb_the_pass_that_is_under_way():
    class Looks(Regularizer):
        layer = "body"

        def inputs(self, net, batch, X):
            net.training_outputs()  # in evaluation mode
            assert net.module_.training
            return X

        def losses(self, net, batch, losses):
            net.forward_again(batch.X, layer="body")
            return losses

        def penalty(self, net, batch, y_pred, features):
            torch.testing.assert_close(net.module_.head(features), y_pred)

    make(Looks(), module__dropout=0.5, max_epochs=1).fit(X, y)


def test_training_outputs_are_those_of_evaluation_in_the_order_of_the_data():
    class Asks(Regularizer):
        layer = "body"

        def on_epoch_end(self, net, **kwargs):
            self.outputs_ = net.training_outputs()
            self.features_ = net.training_outputs(layer="body").outputs

    asks = Asks()
    net = make(
        asks, module__dropout=0.5, iterator_train__shuffle=True,
        train_split=skorch.dataset.ValidSplit(4, stratified=True), max_epochs=1,
    ).fit(X, y)  # fmt: skip
    index, labels, outputs = asks.outputs_
    assert len(index) == N * 3 // 4
    assert torch.equal(labels, ty[index])
    net.module_.eval()
    torch.testing.assert_close(outputs, net.module_(tX[index]))
    torch.testing.assert_close(asks.features_, net.module_.body(tX[index]))
    with pytest.raises(ValueError, match="during training"):
        net.training_outputs()


def test_probabilities_are_those_of_prediction():
    for extra in ([], [StableMax()]):
        net = make(*extra).fit(X, y)
        with torch.no_grad():
            expected = net.probabilities(net.module_.eval()(tX)).numpy()
        np.testing.assert_allclose(net.predict_proba(X), expected, atol=1e-6)


def test_remembered_predictions_are_those_of_the_criterion():
    ps_kd = PSKD()
    net = make(StableMax(), ps_kd, lr=1e-9, max_epochs=2).fit(X, y)
    np.testing.assert_allclose(ps_kd.predictions_, net.predict_proba(X), atol=1e-5)


# the end of training, and its beginning again


class Halved(Regularizer):
    """Predicts with half of each weight; trains with the whole."""

    def finalize(self, net, module):
        for p in module.parameters():
            p.data.mul_(0.5)

    def resume(self, net, module):
        for p in module.parameters():
            p.data.mul_(2.0)


def test_the_finished_module_is_finished_after_all_callbacks_and_undone_to_go_on():
    plain = make(max_epochs=2).fit(X, y)
    net = make(Halved(), max_epochs=2).fit(X, y)
    torch.testing.assert_close(weights(net), weights(plain) / 2, rtol=0, atol=0)
    plain.partial_fit(X, y)
    net.partial_fit(X, y)
    torch.testing.assert_close(weights(net), weights(plain) / 2, rtol=0, atol=0)
    twin = pickle.loads(pickle.dumps(net))
    for one in (plain, twin):
        one.partial_fit(X, y)
    torch.testing.assert_close(weights(twin), weights(plain) / 2, rtol=0, atol=0)
    twin.set_params(regularizers__r0=None).partial_fit(X, y)
    plain.partial_fit(X, y)
    torch.testing.assert_close(weights(twin), weights(plain), rtol=0, atol=0)


def test_the_best_weights_are_loaded_before_the_module_is_finished():
    held_out = predefined_split(skorch.dataset.Dataset(X[:12], y[:12]))

    def fitted(*regularizers):
        stop = EarlyStopping(monitor="valid_loss", patience=2, load_best=True, sink=lambda _: None)
        arguments = {"train_split": held_out, "callbacks": [stop], "lr": 2.0, "max_epochs": 30}
        return make(*regularizers, **arguments).fit(X[12:], y[12:])

    plain = fitted()
    assert len(plain.history) < 30
    torch.testing.assert_close(weights(fitted(Halved())), weights(plain) / 2, rtol=0, atol=0)


# parameters that change between two calls


def test_a_changed_strength_acts_when_training_goes_on():
    elr, sam = ELR(lam=3.0), SAM(rho=0.05)
    net = make(("elr", elr), ("sam", sam)).fit(X, y)
    memory, moments = elr.targets_.copy(), net.optimizer_.base
    net.set_params(regularizers__elr__lam=0.0, regularizers__sam__rho=0.0, lr=0.0)
    net.partial_fit(X, y, epochs=1, sample_index=np.arange(N))
    assert elr.penalty_.lam == 0.0
    assert net.optimizer_.rho == 0.0
    assert net.optimizer_.base is moments
    latest = net.predict_proba(X)
    np.testing.assert_allclose(elr.targets_, 0.7 * memory + 0.3 * latest, atol=1e-3)


def test_a_changed_strength_acts_on_networks_that_were_put_in_place_of_the_module():
    """Without strength the penalty is gone: the loss is the cross entropy of mixed labels alone."""

    def loss(**changes):
        net = make(("e", ELRPlus(lam=50.0, mixup_alpha=0.0)), lr=1e-9, max_epochs=2).fit(X, y)
        net.set_params(**changes).partial_fit(X, y, epochs=1, sample_index=np.arange(N))
        return net.history[-1]["train_loss"]

    plain = make(lr=1e-9, max_epochs=1).fit(X, y).history[-1]["train_loss"]
    assert loss(regularizers__e__lam=0.0) == pytest.approx(plain, abs=1e-4)
    assert loss() < plain - 1


def test_a_regularizer_set_to_none_is_gone():
    def path(drop):
        net = make(("sam", SAM(rho=0.5)), ("elr", ELR())).fit(X, y)
        start = copy.deepcopy(net.module_.state_dict())
        if drop:
            net.set_params(regularizers__sam=None, regularizers__elr=None)
        return start, net.partial_fit(X, y)

    start, net = path(drop=True)
    assert type(net.optimizer_) is torch.optim.SGD
    plain = make().initialize()
    plain.module_.load_state_dict(start)
    torch.testing.assert_close(weights(plain.partial_fit(X, y)), weights(net), rtol=0, atol=0)
    assert not torch.equal(weights(net), weights(path(drop=False)[1]))


def test_momentum_survives_a_changed_wrapper():
    def path(change):
        net = make(("sam", SAM(rho=0.0)), optimizer__momentum=0.9).fit(X, y)
        if change:
            net.set_params(regularizers__sam=SAM(rho=0.0, adaptive=True))
        return weights(net.partial_fit(X, y))

    torch.testing.assert_close(path(True), path(False), rtol=0, atol=1e-7)


@pytest.mark.filterwarnings("ignore::skreg.deep.torch.ExperimentalWarning")
def test_what_is_built_into_the_module_cannot_come_or_go():
    net = make(("w", WeightCompander())).fit(X, y)
    before = weights(net)
    with pytest.raises(ValueError, match=r"WeightCompander \(regularizer 'w'\) is built into"):
        net.set_params(regularizers__w=None).partial_fit(X, y)
    with pytest.raises(ValueError, match=r"ELRPlus.*is built into the module"):
        make().fit(X, y).set_params(regularizers=[("e", ELRPlus())]).partial_fit(X, y)
    net.set_params(regularizers__w=dict(net.built_)["w"].regularizer)
    with pytest.raises(ValueError, match=r"ratio of WeightCompander \(regularizer 'w'\)"):
        net.set_params(regularizers__w__ratio=3.0).partial_fit(X, y)
    assert torch.equal(weights(net), before)


# needs


class Pixels(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(1, 2, 3, padding=1)

    def forward(self, X):
        return self.c(X)


def test_pixels_have_classes_of_their_own():
    images = np.random.default_rng(0).normal(size=(8, 1, 6, 6)).astype("float32")
    masks = (images[:, 0] > 0).astype("int64")
    arguments = {"max_epochs": 1, "train_split": None, "verbose": 0}
    net = RegularizedNetClassifier(Pixels, regularizers=[("s", SAM())], **arguments)
    proba = net.fit(images, masks).predict_proba(images)
    np.testing.assert_allclose(proba.sum(1), 1, atol=1e-6)
    assert net.predict(images).shape == (8, 6, 6)
    for regularizer in (ELR(), PSKD(), ELRPlus(), ThresholdConsistentMargin()):
        net = RegularizedNetClassifier(Pixels, regularizers=[("r", regularizer)], **arguments)
        message = rf"{type(regularizer).__name__} \(regularizer 'r'\) is for.*trained for dense"
        if regularizer.layer is not None:
            message = "penultimate"  # there is no linear layer
        with pytest.raises(ValueError, match=message):
            net.fit(images, masks)


@pytest.mark.parametrize(
    "regularizer", [ELR(), PSKD(), ELRPlus(), ThresholdConsistentMargin(), StableMax()]
)
def test_methods_of_classification_are_refused_in_regression(regularizer):
    message = rf"{type(regularizer).__name__} \(regularizer 'r0'\).*RegularizedNetRegressor"
    with pytest.raises(ValueError, match=message):
        make(regularizer, net=RegularizedNetRegressor).fit(X, X[:, :K])


def test_methods_of_regression_are_refused_in_classification():
    with pytest.raises(ValueError, match=r"ConR \(regularizer 'r0'\) is for regression, but"):
        make(ConR()).fit(X, y)


class Mixtures(Regularizer):
    """Mixup as a user would write it, without declarations."""

    def inputs(self, net, batch, X):
        batch.extras[self] = torch.randperm(len(X))
        return 0.5 * (X + X[batch.extras[self]])

    def targets(self, net, batch, y):
        y = F.one_hot(y, K).float() if y.ndim == 1 else y
        return 0.5 * (y + y[batch.extras[self]])


@pytest.mark.parametrize("other", [ELR(), ELRPlus(), ThresholdConsistentMargin()])
def test_mixtures_and_statements_on_samples_are_refused(other):
    for pair in ([Mixtures(), other], [other, Mixtures()]):
        with pytest.raises(ValueError, match="leave one out") as caught:
            make(*pair).fit(X, y)
        assert "Mixtures (regularizer" in str(caught.value)
        assert f"{type(other).__name__} (regularizer" in str(caught.value)


def test_distillation_beside_mixtures_remembers_the_samples_unmixed():
    with pytest.raises(ValueError, match="put 'r1' before 'r0'"):
        make(Mixtures(), PSKD()).fit(X, y)
    ps_kd = PSKD()
    net = make(ps_kd, Mixtures(), max_epochs=3, iterator_train__shuffle=True).fit(X, y)
    np.testing.assert_allclose(ps_kd.predictions_, net.predict_proba(X), atol=1e-6)


def test_losses_are_added_before_they_are_changed():
    with pytest.raises(ValueError, match=r"RDrop \(regularizer 'r1'\).*put 'r1' before 'r0'"):
        make(Flooding(), RDrop()).fit(X, y)
    net = make(RDrop(0.0), Flooding(5.0), module__dropout=0.5).fit(X, y)
    assert min(net.history[:, "train_loss"]) >= 5.0


def test_two_that_replace_the_criterion_are_refused():
    with pytest.raises(ValueError, match="both replace the criterion"):
        make(("a", StableMax()), ("b", StableMax())).fit(X, y)


@pytest.mark.parametrize("reader", [TrustRegionPenalty()])
def test_readers_of_the_softmax_are_refused_under_another_nonlinearity(reader):
    for pair in ([StableMax(), reader], [reader, StableMax()]):
        with pytest.raises(ValueError, match="takes the softmax") as caught:
            make(*pair).fit(X, y)
        assert "StableMax (regularizer" in str(caught.value)
    with pytest.raises(ValueError, match="which under NLLLoss they are not"):
        make(reader, criterion=nn.NLLLoss).fit(X, y)


def test_soft_targets_are_refused_by_losses_of_class_numbers():
    with pytest.raises(
        ValueError, match=r"PSKD \(regularizer 'r0'\) turns.*MultiMarginLoss does not"
    ):
        make(PSKD(), criterion=nn.MultiMarginLoss).fit(X, y)


def test_scaled_gradients_are_refused_by_what_repeats_passes():
    with pytest.raises(ValueError, match=r"SAM \(regularizer 'r0'\) evaluates the loss several"):
        make(SAM(), mixed_precision="float16").fit(X, y)


class Stream(IterableDataset):
    def __iter__(self):
        return iter([(tX[i], int(y[i])) for i in range(N)])


@pytest.mark.parametrize("regularizer", [ELR(), PSKD(), ELRPlus()])
def test_streams_are_refused_by_what_remembers_samples(regularizer):
    with pytest.raises(ValueError, match=r"remembers samples by their number"):
        make(regularizer, classes=[0, 1, 2]).fit(Stream(), None)
    with pytest.raises(ValueError, match="takes no sample_index"):
        make(classes=[0, 1, 2]).partial_fit(Stream(), None, sample_index=np.arange(N))


@pytest.mark.parametrize("name", ["keys", "type", "a.b", "training", "100%"])
def test_every_name_does(name, tmp_path):
    net = make((name, ELR())).fit(X, y)
    assert isinstance(net.criterion_.regularizers[name]["labels"], SampleMemory)
    buffer = io.BytesIO()
    net.save_params(f_criterion=buffer)
    buffer.seek(0)
    other = make((name, ELR())).initialize()
    other.load_params(f_criterion=buffer)
    expected = net.criterion_.regularizers[name]["labels"].values
    assert torch.equal(other.criterion_.regularizers[name]["labels"].values, expected)


# what is not a number


@pytest.mark.parametrize("neighbours", [[], [SAM()], [ELR()]])
def test_a_loss_that_is_not_finite_is_told_before_the_weights_are_lost(neighbours):
    net = make(*neighbours, lr=1e20, max_epochs=10)
    with pytest.raises(ValueError, match=r"training loss is (nan|inf) in epoch \d+, step \d+") as e:
        net.fit(X, y)
    assert "1e+20" in str(e.value)
    assert "Lower the learning rate" in str(e.value)
    assert torch.isfinite(weights(net)).all() or "those before this step" in str(e.value)


def test_a_penalty_that_is_not_finite_leaves_the_weights_as_they_were():
    class Late(Regularizer):
        def penalty(self, net, batch, y_pred, features):
            return y_pred.sum() * (float("nan") if batch.step == 4 else 0.0)

    net = make(Late(), optimizer__momentum=0.9)
    with pytest.raises(ValueError, match="training loss is nan in epoch 2, step 4"):
        net.fit(X, y)

    class Stop(Regularizer):
        def on_batch_begin(self, net, training=None, **kwargs):
            if net.steps_ == 4:
                raise KeyboardInterrupt

    expected = make(Stop(), optimizer__momentum=0.9).fit(X, y)
    torch.testing.assert_close(weights(net), weights(expected), rtol=0, atol=0)


def test_weights_that_are_not_finite_at_the_end_are_told():
    class Root(Regularizer):
        def penalty(self, net, batch, y_pred, features):
            return (0.0 * y_pred).sum().square().sqrt()  # 0, whose gradient is not a number

    with pytest.raises(ValueError, match=r"weights of .* are not finite"):
        make(Root(), max_epochs=1, batch_size=N).fit(X, y)


def test_probabilities_are_a_distribution_or_an_error():
    class Softmax(Net):
        def forward(self, X):
            return super().forward(X).softmax(1)

    arguments = {"criterion": nn.NLLLoss, "max_epochs": 0, "train_split": None, "verbose": 0}
    right = RegularizedNetClassifier(Softmax, **arguments).fit(X, y)
    np.testing.assert_allclose(right.predict_proba(X).sum(1), 1, atol=1e-6)
    with pytest.raises(ValueError, match=r"no class probabilities.*NLLLoss"):
        RegularizedNetClassifier(Net, **arguments).fit(X, y).predict_proba(X)
    raw = RegularizedNetClassifier(Net, predict_nonlinearity=None, **arguments).fit(X, y)
    assert raw.predict_proba(X).min() < 0  # outputs as they are, asked for by name


# checkpoints


def test_a_run_goes_on_from_its_checkpoint_to_the_bit(tmp_path):
    """Dropout and shuffling included, whatever the generators did in between."""

    def run(epochs, *callbacks, seed=3):
        net = make(ELR(), module__dropout=0.5, max_epochs=epochs, iterator_train__shuffle=True,
                   optimizer=torch.optim.Adam, lr=0.01, callbacks=list(callbacks),
                   iterator_train__generator=torch.Generator().manual_seed(seed))  # fmt: skip
        return net.fit(X, y)

    straight = run(4)
    run(2, Checkpoint(dirname=tmp_path, monitor=None))
    resumed = run(2, LoadInitState(Checkpoint(dirname=tmp_path, monitor=None)), seed=8)
    assert torch.equal(weights(resumed), weights(straight))
    assert resumed.steps_ == straight.steps_ == 12
    memories = [dict(net.regularizers)["r0"].targets_ for net in (resumed, straight)]
    np.testing.assert_array_equal(*memories)


def test_a_batch_sampler_decides_on_the_batches():
    diary = Diary()
    batches = [[0, 1, 2], [5, 4]]
    make(diary, iterator_train__batch_sampler=batches, max_epochs=1).fit(X, y)
    assert len(diary.passes_) == 2


def test_rows_after_a_checkpoint_are_new_samples():
    elr, again = ELR(), ELR()
    net = make(elr).fit(X, y)
    stored = {f"f_{part}": io.BytesIO() for part in ("params", "optimizer", "criterion")}
    net.save_params(**stored)
    for buffer in stored.values():
        buffer.seek(0)
    resumed = make(again).initialize()
    resumed.load_params(**stored)
    resumed.partial_fit(X, y)
    assert resumed.n_samples_ == 2 * N
    assert again.targets_.shape == (2 * N, K)
    np.testing.assert_array_equal(again.targets_[:N], elr.targets_)


def test_steps_go_on_after_an_interrupt_within_an_epoch():
    class Interrupt(Regularizer):
        def on_batch_begin(self, net, training=None, **kwargs):
            if net.steps_ == 4 and len(net.history) == 2:
                raise KeyboardInterrupt

    net = make(Interrupt()).fit(X, y)
    assert net.steps_ == 4
    assert net.partial_fit(X, y, epochs=1).steps_ == 7


class Tempered(nn.CrossEntropyLoss):
    """Cross entropy with a temperature that is learned."""

    def __init__(self):
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(()))

    def forward(self, y_pred, y):
        return super().forward(y_pred / self.temperature, y)


def test_a_trained_criterion_goes_on_when_a_regularizer_changes():
    """SAM of radius zero is plain descent in either form."""

    def path(change):
        net = make(("sam", SAM(rho=0.0)), criterion=Tempered).fit(X, y)
        if change:
            net.set_params(regularizers__sam__adaptive=True)
        return float(net.partial_fit(X, y).criterion_.temperature.detach())

    assert path(True) == pytest.approx(path(False), abs=1e-7)
    assert abs(path(False) - 1) > 0.01
