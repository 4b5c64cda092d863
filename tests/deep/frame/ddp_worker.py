"""What one process of a distributed training run does; without ``RANK``, all by itself.

Each scenario is a function that returns arrays or texts by name. The batch size is that of all
processes together, so that a process by itself sees the same batches. As a script, it runs the
scenarios named by its arguments, writes the results to ``RANK.pkl`` in ``SHARED_FOLDER``, and
ends with an error in the last process.
"""

import os
import pickle
import sys

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from sklearn.datasets import make_classification
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    LRScheduler,
    Unfreezer,
)
from skorch.dataset import Dataset, ValidSplit
from skorch.helper import predefined_split
from skorch.utils import freeze_parameter, noop
from torch import nn

from skreg.deep import AccelerateMixin, DeepClassifier, RegularizedNetClassifier
from skreg.deep.frame._processes import mean_over_processes
from skreg.deep.regularizers import (
    ELR,
    PSKD,
    SAM,
    SWA,
    ConfidencePenalty,
    DRTune,
    EffectiveRankMonitor,
    EMAWeights,
    GradientClipping,
    LabelSmoothing,
    MaskTuning,
    StabilityMonitor,
)
from skreg.deep.torch import SampleMemory

N, D, K = 96, 6, 3
RANK = int(os.environ.get("RANK", "0"))
N_PROCESSES = int(os.environ.get("WORLD_SIZE", "1"))


def data(n=N, seed=0):
    X, y = make_classification(
        n, D, n_informative=5, n_redundant=0, n_classes=K, flip_y=0.3, random_state=seed
    )
    return X.astype(np.float32), y


TRAIN, HELD_OUT = data(), data(21, seed=0)
# labels of the second process's share in batches of 16 are wrong: its own loss goes the other way
HELD_OUT[1][8:16] = (HELD_OUT[1][8:16] + 1) % K


class AcceleratedNet(AccelerateMixin, RegularizedNetClassifier):
    pass


def accelerated(module=nn.Linear, batch_size=24, **params):
    torch.manual_seed(0)
    sizes = {"module__in_features": D, "module__out_features": K} if module is nn.Linear else {}
    defaults = {
        "accelerator": Accelerator(cpu=True),
        "lr": 0.1,
        "max_epochs": 3,
        "batch_size": batch_size // N_PROCESSES,
        "train_split": predefined_split(Dataset(*HELD_OUT)),
        "callbacks__print_log__sink": noop,
    }
    return AcceleratedNet(module, **{**defaults, **sizes, **params})


def weights(net):
    return torch.cat([p.detach().flatten() for p in net.module_.parameters()]).numpy()


def memories(net):
    return {
        path: part.values.numpy()
        for path, part in net.criterion_.named_modules()
        if isinstance(part, SampleMemory)
    }


def column(net, name):
    return np.array(net.history[:, name], float)


def message(call):
    try:
        call()
    except (ValueError, RuntimeError) as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


# scenarios


def regularized(batch_size=24, **params):
    """ELR, PS-KD and SAM together."""
    regularizers = [("elr", ELR()), ("ps_kd", PSKD()), ("sam", SAM(rho=0.1))]
    net = accelerated(
        batch_size=batch_size, regularizers=regularizers, train_split=None, **params
    ).fit(*TRAIN)
    return {"weights": weights(net), "loss": column(net, "train_loss"), **memories(net)}


def accumulated():
    """As `regularized`, in halves of its batches."""
    return regularized(batch_size=12, accumulation_steps=2)


def shuffled():
    """96 samples in batches of 20, the last of which is filled up with repeats."""
    return regularized(batch_size=20, iterator_train__shuffle=True)


def half_precision():
    """As `regularized`, in bfloat16."""
    AcceleratorState._reset_state()
    try:
        return regularized(accelerator=Accelerator(cpu=True, mixed_precision="bf16"))
    finally:
        AcceleratorState._reset_state()


def masked():
    """Mask tuning, by other random numbers in each process."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(D, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, K))
    masks = MaskTuning(head="train")
    net = accelerated(
        module, regularizers=[("masks", masks)], optimizer=torch.optim.Adam, lr=1e-3,
        train_split=None,
    ).initialize()  # fmt: skip
    if RANK:
        masks.reference_.seed += 1
    net.partial_fit(*TRAIN)
    return {"weights": weights(net), "share": np.array(masks.masked_fraction_)}


class WithTemperature(nn.Module):
    """Cross entropy with a temperature that is trained."""

    def __init__(self):
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(()))

    def forward(self, y_pred, y):
        return nn.functional.cross_entropy(y_pred / self.temperature, y)


def trained_criterion():
    """A criterion with a parameter and a memory."""
    net = accelerated(
        criterion=WithTemperature, regularizers=[("elr", ELR())], train_split=None
    ).fit(*TRAIN)
    temperature = net.criterion_.temperature.detach().numpy()
    return {"weights": weights(net), "temperature": temperature, **memories(net)}


def history():
    """All kinds of records; the 21 held-out samples do not fill their batches."""
    net = accelerated(
        batch_size=16,
        regularizers=[("monitor", StabilityMonitor()), ("rank", EffectiveRankMonitor())],
        callbacks=[
            ("auc", EpochScoring("roc_auc_ovr", lower_is_better=False, name="auc")),
            ("again", EpochScoring("accuracy", False, name="again", use_caching=False)),
            ("acc_train", EpochScoring("accuracy", False, on_train=True, name="acc_train")),
            ("by_batch", BatchScoring("accuracy", False, name="by_batch")),
            ("schedule", LRScheduler("StepLR", step_size=1, gamma=0.7)),
        ],
    ).fit(*TRAIN)
    names = (
        "train_loss", "valid_loss", "valid_acc", "auc", "again", "acc_train", "by_batch",
        "event_lr", "train_batch_count", "logit_scale", "weight_descent_cosine",
        "effective_rank_penultimate",
    )  # fmt: skip
    batches = {
        f"batch_{k}": np.array(net.history[:, "batches", :6, k])
        for k in ("train_loss", "train_batch_size")
    }
    return {
        "weights": weights(net),
        "probabilities": net.predict_proba(HELD_OUT[0]),
        "sizes": np.array(net.history[-1, "batches", 6:, "valid_batch_size"]),
        **{name: column(net, name) for name in names},
        **batches,
    }  # fmt: skip


def early_stopping():
    """Stops where the loss on all held-out samples is no longer better."""
    stop = EarlyStopping(patience=2, load_best=True, sink=noop)
    net = accelerated(lr=0.3, max_epochs=60, batch_size=16, callbacks=[stop]).fit(*TRAIN)
    return {
        "weights": weights(net),
        "valid_loss": column(net, "valid_loss"),
        "probabilities": net.predict_proba(HELD_OUT[0]),
    }


def plateau():
    """The learning rate falls when the loss on all held-out samples does not."""
    schedule = LRScheduler("ReduceLROnPlateau", monitor="valid_loss", patience=0)
    net = accelerated(lr=0.3, max_epochs=10, batch_size=16, callbacks=[schedule]).fit(*TRAIN)
    by_batch = LRScheduler("ReduceLROnPlateau", monitor="train_loss", step_every="batch")
    return {
        "weights": weights(net),
        "rate": np.array(net.optimizer_.param_groups[0]["lr"]),
        "rates": column(net, "event_lr"),
        "refused": message(lambda: accelerated(callbacks=[by_batch]).fit(*TRAIN)),
    }


def checkpoint():
    """The best epoch by a score of all held-out samples comes back at the end."""
    folder = os.environ["SHARED_FOLDER"]
    kept = Checkpoint(dirname=folder, monitor="valid_loss_best", load_best=True)
    net = accelerated(lr=0.3, max_epochs=8, batch_size=16, callbacks=[kept]).fit(*TRAIN)
    return {
        "weights": weights(net),
        "valid_loss": column(net, "valid_loss"),
        "probabilities": net.predict_proba(HELD_OUT[0]),
    }


class Clock(Callback):
    """Stops by something that the other processes do not know."""

    def on_epoch_end(self, net, **kwargs):
        if RANK == N_PROCESSES - 1 and len(net.history) == 2:
            raise KeyboardInterrupt


class Interruption(Callback):
    """Ctrl-C in the middle of an epoch."""

    def on_batch_end(self, net, **kwargs):
        raise KeyboardInterrupt


def stopping():
    """A callback of the last process stops all; an interrupt within an epoch is an error."""
    net = accelerated(max_epochs=5, callbacks=[Clock()]).fit(*TRAIN)
    interrupted = message(lambda: accelerated(callbacks=[Interruption()]).fit(*TRAIN))
    return {"epochs": np.array(len(net.history)), "interrupted": interrupted}


def random_split():
    """The processes draw different numbers, and have one split."""
    np.random.seed(RANK)  # noqa: NPY002, from which skorch's split draws
    net = accelerated(train_split=ValidSplit(0.25), regularizers=[("elr", ELR())]).fit(*TRAIN)
    elr = net.regularizers[0][1]
    return {"weights": weights(net), "n_trained": elr.penalty_.memory.written.sum().numpy()}


def going_on():
    """Training goes on in a second call, and with parameters that were frozen at first."""
    torch.manual_seed(RANK)
    module = nn.Sequential(nn.Linear(D, 5), nn.Tanh(), nn.Linear(5, K))
    freeze_parameter(module[0].weight)
    unfreeze = Unfreezer("*0.weight", at=2)
    net = accelerated(module, train_split=None, callbacks=[unfreeze]).fit(*TRAIN)
    net.partial_fit(*TRAIN)
    copied = pickle.loads(pickle.dumps(net))
    return {
        "weights": weights(net),
        "copied": weights(copied),
        "wrapped": np.array(len(net.accelerator._models)),
    }


def with_batch_norm():
    return nn.Sequential(nn.Linear(D, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, K))


def batch_norm():
    """Statistics of batches are those of the first process, everywhere."""
    without = accelerated(with_batch_norm, train_split=None).fit(*TRAIN)
    net = accelerated(with_batch_norm, batch_size=16).fit(*TRAIN)
    return {
        "mean_without_validation": without.module_[1].running_mean.numpy(),
        "probabilities": net.predict_proba(HELD_OUT[0]),
        "valid_loss": column(net, "valid_loss"),
        "mean": net.module_[1].running_mean.numpy(),
    }


def own_data():
    """A net that is not accelerated trains on this process's own data, of its own size."""
    X, y = data(60 + 40 * RANK, seed=10 + RANK)
    model = DeepClassifier(regularizers=[("elr", ELR())], max_epochs=2, random_state=0).fit(X, y)
    different = message(lambda: accelerated(train_split=None).fit(X, y))
    return {"targets": dict(model.net_.regularizers)["elr"].targets_, "different": different}


def exchanged():
    """Memories of several shapes and types; the processes write 3 and 2 rows, one sample twice."""
    result = {}
    for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.bool):
        for row_shape in (1, (), (2, 3), 0):
            memory = SampleMemory(6, row_shape, dtype=dtype)
            if N_PROCESSES > 1:
                memory.process_group = torch.distributed.group.WORLD
            rows = torch.arange(5 * memory.values[0].numel()).reshape(5, *memory.row_shape) % 7
            index = torch.tensor([4, 0, 1, 4, 2])
            share = slice(None) if N_PROCESSES == 1 else [slice(0, 3), slice(3, 5)][RANK]
            memory.write(index[share], rows[share])
            memory.write(index[:0] if RANK else index[:1], rows[:0] if RANK else rows[:1])
            result[f"{dtype} {row_shape}"] = memory.values.double().numpy()
            result[f"{dtype} {row_shape} written"] = memory.written.numpy()
    return result


def means():
    """A mean over processes that have 3 and 5 samples, and one over those that have any."""
    value, n = [(1.0, 3), (2.0, 5)][RANK]
    group = torch.distributed.group.WORLD if N_PROCESSES > 1 else None
    of_all = mean_over_processes(torch.tensor([value, -value], dtype=torch.bfloat16), n, group)
    of_one = mean_over_processes(torch.tensor([3.0, torch.nan][RANK]), 4 * (RANK == 0), group)
    return {"of_all": of_all.double().numpy(), "of_one": of_one.numpy()}


class Broken(Callback):
    """A batch of the last process cannot be worked on."""

    def on_batch_begin(self, net, batch, training, **kwargs):
        if RANK == N_PROCESSES - 1 and len(net.history) == 2:
            raise OSError("a broken sample")


def failing():
    """An error in the last process, within an epoch, that ends all."""
    accelerated(callbacks=[Broken()]).fit(*TRAIN)


def ready_made():
    """Clipped gradients and averaged weights are those of whole batches."""
    regularizers = [
        ("smoothing", LabelSmoothing(0.2, final=0.0)),
        ("confidence", ConfidencePenalty(0.2)),
        ("sam", SAM(rho=0.1)),
        ("clipping", GradientClipping(0.2)),
        ("ema", EMAWeights(0.8)),
    ]
    net = accelerated(regularizers=regularizers, train_split=None).fit(*TRAIN)
    return {"weights": weights(net), "norm": column(net, "gradient_norm")}


def averaged_statistics():
    """Statistics of averaged weights are common, in whatever order processes go through data."""
    net = accelerated(
        with_batch_norm,
        regularizers=[("swa", SWA(0.0))],
        train_split=None,
        iterator_train__shuffle=True,
    )
    net.initialize()
    torch.manual_seed(RANK)
    net.partial_fit(*TRAIN)
    layer = net.module_[1]
    return {
        "weights": weights(net),
        "mean": layer.running_mean.numpy(),
        "var": layer.running_var.numpy(),
    }


def two_layers():
    return nn.Sequential(nn.Linear(D, 8), nn.Tanh(), nn.Linear(8, K))


def pretrained_features():
    """Banks of features, which both processes fill."""
    dr = DRTune(bank_size=48, rotation_every=2)
    net = accelerated(two_layers, regularizers=[("dr", dr)], train_split=None).fit(*TRAIN)
    rows, labels = dr.bank_.downstream.numpy(), dr.bank_.labels.numpy()
    order = np.lexsort(rows.T)
    return {
        "weights": weights(net),
        "rows": rows[order],
        "labels": labels[order],
        "strength": np.array(dr.lambda_),
    }


SCENARIOS = {
    one.__name__: one
    for one in (
        regularized, accumulated, shuffled, half_precision, trained_criterion, history,
        early_stopping, plateau, checkpoint, stopping, random_split, going_on, batch_norm,
        own_data, exchanged, means, ready_made, averaged_statistics, masked, pretrained_features,
    )
}  # fmt: skip

if __name__ == "__main__":
    torch.set_num_threads(1)
    names = sys.argv[1:]
    Accelerator(cpu=True)
    results = {}
    for name in names:
        results[name] = SCENARIOS[name]()
        with open(f"{os.environ['SHARED_FOLDER']}/{RANK}.pkl", "wb") as file:
            pickle.dump(results, file)
    failing()
