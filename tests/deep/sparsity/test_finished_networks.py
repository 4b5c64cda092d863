"""Networks that are done with masks and channels are plain ones: they are exported like others."""

import copy

import pytest
import torch
from torch import nn

from skreg.deep.torch import (
    SparseParameters,
    apply_binary_masks,
    apply_masks,
    apply_nm_sparsity,
    finalize_nm_sparsity,
    magnitude_masks,
    prune_channels,
    remove_masks,
)

X = torch.linspace(-1, 1, 2 * 1 * 8 * 8).view(2, 1, 8, 8)


def network():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 8, 3, stride=2, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3),
    )  # fmt: skip
    net(X)
    return net.eval()


def masked(net):
    return apply_masks(net, magnitude_masks(net, 0.5))


def patterned(net):
    return apply_nm_sparsity(net, 2, 4)


def few_entries(net):
    SparseParameters(net, fraction=0.2)
    return net


FINISHED = {
    "masks": lambda net: remove_masks(masked(net)),
    "pattern": lambda net: finalize_nm_sparsity(patterned(net)),
    "binary": lambda net: remove_masks(apply_binary_masks(net)),
    "entries": lambda net: remove_masks(few_entries(net)),
    "channels": lambda net: prune_channels(net, {"1": torch.arange(8) < 4}, X[:1]),
}


@pytest.mark.parametrize("name", FINISHED)
def test_they_are_exported(name):
    net = FINISHED[name](network()).eval()
    expected = net(X)
    exported = torch.export.export(net, (X,)).module()
    torch.testing.assert_close(exported(X), expected)
    torch.testing.assert_close(copy.deepcopy(net)(X), expected)


@pytest.mark.filterwarnings("ignore:You are using the legacy TorchScript-based ONNX export")
@pytest.mark.filterwarnings("ignore:The feature will be removed")
@pytest.mark.parametrize("name", FINISHED)
def test_they_are_onnx_graphs(name, tmp_path):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    net, file = FINISHED[name](network()).eval(), tmp_path / "network.onnx"
    # the newer exporter needs one more package, onnxscript
    torch.onnx.export(net, (X,), file, input_names=["x"], dynamo=False)
    session = runtime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": X.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), net(X).detach(), rtol=1e-4, atol=1e-5)
