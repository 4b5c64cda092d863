"""What two processes do that share a batch: each finds TRAM's radius for its own share."""

import sys
import types
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn

from skreg.deep.regularizers import TRAM

SHARES = [slice(0, 20), slice(20, 60)]


def radius(share, group):
    """The radius of a step of two batches, one of them weighted."""
    torch.manual_seed(0)
    start, module, X, weight = nn.Linear(8, 3), nn.Linear(8, 3), torch.randn(60, 8), torch.rand(60)
    net = types.SimpleNamespace(module_=module, mixed_precision=None, process_group=group)
    tram = TRAM("initial", scale=3.0)
    tram.state(net).setup(start)
    tram.optimizer(net, torch.optim.SGD(module.parameters(), lr=0.1))
    tram.on_epoch_begin(net)
    for w in (weight[share], None):
        batch = types.SimpleNamespace(X=X[share], y=X[share], sample_weight=w, first_pass=True)
        tram.penalty(net, batch, module(X[share]), None)
    return tram.radius().item()


def radius_of_both(rank, store):
    """The radius that this process finds together with the other."""
    dist.init_process_group(
        "gloo", f"file://{store}", timedelta(seconds=60), world_size=2, rank=rank
    )
    try:
        return radius(SHARES[rank], dist.group.WORLD)
    finally:
        dist.destroy_process_group()


if __name__ == "__main__":
    print(radius_of_both(1, sys.argv[1]))
