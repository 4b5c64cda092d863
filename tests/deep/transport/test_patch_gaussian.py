"""PatchGaussianTransport: the same map as for arrays, in the latents of modules."""

import numpy as np
import pytest
import torch
from torch import nn

from skreg.deep.torch import PatchGaussianTransport
from skreg.transport import GaussianTransport, LinearTransportRestorer


def images(seed, n=12, channels=2, height=6, width=7):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, channels, height, width, generator=generator, dtype=torch.float64)


def fitted(source, target, encoder=None, decoder=None, **params):
    transport = PatchGaussianTransport(
        encoder or nn.Identity(), decoder or nn.Identity(), **{"patch_size": 3} | params
    )
    transport.update(source, "source")
    transport.update(target, "target")
    return transport


def rows(tensor):
    return tensor.movedim(1, -1).reshape(len(tensor), -1).numpy()


def test_equals_the_restorer_of_arrays_on_the_same_patches():
    source, target = images(0), 2.0 + 3.0 * images(1)
    moved = fitted(source, target).transport(source, alpha=0.25)
    by_arrays = LinearTransportRestorer(
        covariance="empirical", patch_size=3, image_shape=(6, 7, 2)
    ).fit(rows(source), X_target=rows(target))
    np.testing.assert_allclose(
        rows(moved), by_arrays.transform(rows(source), alpha=0.25), atol=1e-10
    )


def test_the_map_is_that_of_patches_cut_by_torch():
    source, target = images(0), 2.0 + 3.0 * images(1)
    cut = [
        nn.functional.unfold(part, 3).movedim(1, 2).flatten(0, 1).numpy()
        for part in (source, target)
    ]
    wanted = GaussianTransport().fit(cut[0], X_target=cut[1])
    found = fitted(source, target).compute()
    np.testing.assert_allclose(found.operator_, wanted.operator_, atol=1e-10)
    assert found.wasserstein_distance_ == pytest.approx(wanted.wasserstein_distance_, rel=1e-10)


def test_a_constant_shift_is_found():
    source = images(0)
    moved = fitted(source, source + 4.0).transport(source)
    torch.testing.assert_close(moved, source + 4.0, rtol=0, atol=1e-8)


def test_one_patch_is_the_whole_latent_image():
    source, target = images(0, n=60, height=3, width=3), 2.0 * images(1, n=60, height=3, width=3)
    transport = fitted(source, target)
    assert transport.compute().n_samples_seen_ == (60, 60)
    assert transport.transport(source[:1]).shape == (1, 2, 3, 3)


def test_batches_in_any_order_give_one_map():
    source, target = images(0), 2.0 + 3.0 * images(1)
    batches = PatchGaussianTransport(nn.Identity(), nn.Identity(), patch_size=3)
    for part in target.split(5):
        batches.update(part, "target")
    for part in reversed(source.split(1)):
        batches.update(part, "source")
    np.testing.assert_allclose(
        batches.compute().operator_, fitted(source, target).compute().operator_, atol=1e-10
    )


class Halving(nn.Module):
    """Mean over 2 x 2 pixels, or the way back; notes how it was called."""

    def __init__(self, back=False):
        super().__init__()
        self.weight, self.back, self.modes = nn.Parameter(torch.ones(())), back, []
        self.inner = nn.Dropout(0.5)

    def forward(self, x):
        self.modes.append((self.training, self.inner.training, torch.is_grad_enabled()))
        x = self.weight * self.inner(x)
        return nn.functional.interpolate(x, scale_factor=2.0 if self.back else 0.5, mode="area")


def test_modules_are_evaluated_without_gradients_and_keep_their_modes():
    encoder, decoder = Halving().double(), Halving(back=True).double()
    encoder.inner.eval()
    source, target = images(0, height=8, width=8), 3.0 * images(1, height=8, width=8)
    transport = fitted(source, target, encoder, decoder, patch_size=2)
    moved = transport.transport(source.requires_grad_())
    assert set(encoder.modes + decoder.modes) == {(False, False, False)}
    assert encoder.training
    assert not encoder.inner.training
    assert decoder.training
    assert decoder.inner.training
    assert not moved.requires_grad
    assert moved.shape == source.shape


def test_alpha_mixes_pixels_and_one_returns_the_images_themselves():
    source = images(0, height=8, width=8).float()
    transport = fitted(source, 3.0 * source, Halving(), Halving(back=True), patch_size=2)
    whole, half = transport.transport(source), transport.transport(source, alpha=0.5)
    torch.testing.assert_close(half, 0.5 * whole + 0.5 * source)
    assert torch.equal(transport.transport(source, alpha=1), source)
    assert whole.dtype == torch.float32


def test_images_are_clipped():
    source = images(0)
    moved = fitted(source, 3.0 * source, clip=(0.0, 1.0)).transport(source)
    assert moved.min() == 0.0
    assert moved.max() == 1.0


def test_noise_differs_from_image_to_image_and_has_a_seed():
    source, target = torch.zeros(2, 1, 4, 4), images(1, channels=1, height=4, width=4)
    source[1] = 1.0
    transport = fitted(source, target, noise="auto", random_state=0)
    same = transport.transport(torch.ones(2, 1, 4, 4))
    assert not torch.allclose(same[0], same[1])
    assert torch.equal(same, transport.transport(torch.ones(2, 1, 4, 4)))


def test_what_cannot_be_meant_is_refused():
    source, target = images(0), images(1)
    transport = PatchGaussianTransport(nn.Identity(), nn.Identity(), patch_size=3)
    with pytest.raises(ValueError, match="0 patches of the source"):
        transport.transport(source)
    transport.update(source, "source")
    with pytest.raises(ValueError, match="0 of the target"):
        transport.compute()
    with pytest.raises(ValueError, match="images of one size"):
        transport.update(target[..., :5], "target")
    with pytest.raises(ValueError, match="role must be"):
        transport.update(target, "goal")
    with pytest.raises(ValueError, match="NaN"):
        transport.update(target * float("nan"), "target")
    with pytest.raises(ValueError, match="got shape"):
        PatchGaussianTransport(nn.Flatten(), nn.Identity()).update(source, "source")
    with pytest.raises(ValueError, match="patch_size"):
        PatchGaussianTransport(nn.Identity(), nn.Identity(), 9).update(source, "source")
    transport.update(target, "target")
    with pytest.raises(ValueError, match="alpha must be a finite number"):
        transport.transport(source, alpha=float("nan"))
    assert repr(transport) == (
        "PatchGaussianTransport(patch_size=3, 240 patches of the source, 240 of the target)"
    )
