"""One process of a distributed training run; `train` without ``RANK`` is the single process."""

import os
import sys

import numpy as np
import torch
from accelerate import Accelerator
from sklearn.datasets import make_classification
from torch import nn

from skreg.deep import AccelerateMixin, RegularizedNetClassifier
from skreg.deep.regularizers import ELR, PSKD, SAM
from skreg.deep.torch import SampleMemory

N, D, K = 96, 6, 3


class AcceleratedNet(AccelerateMixin, RegularizedNetClassifier):
    pass


def train(batch_size, shuffle, accumulation_steps=1):
    """Train with ELR, PS-KD and SAM; return the weights and all per-sample state."""
    X, y = make_classification(N, D, n_informative=5, n_redundant=0, n_classes=K, random_state=0)
    torch.manual_seed(0)
    net = AcceleratedNet(
        nn.Linear,
        module__in_features=D,
        module__out_features=K,
        accelerator=Accelerator(cpu=True),
        regularizers=[("elr", ELR()), ("ps_kd", PSKD()), ("sam", SAM(rho=0.1))],
        lr=0.1,
        max_epochs=3,
        batch_size=batch_size,
        accumulation_steps=accumulation_steps,
        iterator_train__shuffle=shuffle,
        train_split=None,
        verbose=0,
    )
    net.fit(X.astype(np.float32), y)
    result = {"weight": net.module_.weight.detach().numpy()}
    for name, regularizer in net.regularizers_:
        for where, module in vars(regularizer).items():
            if isinstance(module, nn.Module):
                for path, part in module.named_modules():
                    if isinstance(part, SampleMemory):
                        result[f"{name}.{where}.{path}"] = part.values.numpy()
    return result


if __name__ == "__main__":
    folder, batch_size, shuffle = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "shuffle"
    np.savez(f"{folder}/{os.environ['RANK']}.npz", **train(batch_size, shuffle))
    torch.distributed.destroy_process_group()
