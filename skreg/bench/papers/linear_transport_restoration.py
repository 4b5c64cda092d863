"""Does one affine map of latents give restored images the distribution of real ones?

Adrai et al. (NeurIPS 2023) move the outputs of any restorer, too smooth as they are, by the optimal
map between two normal distributions in the latents of an autoencoder, from a dozen unpaired
examples and without training; alpha then trades fidelity (1, the restorer's output) for realism (0,
moved all the way). Theory bounds the price: at most twice the squared error of the best estimate.

A small version: digits of 8 x 8 pixels, blurred (a normal kernel of one pixel) and with noise of
0.2, restored by ridge regression; the autoencoder is PCA with 40 components. Measured on 500 test
images are the squared error summed over pixels, and the Fréchet distance in pixel space: the
squared Wasserstein distance between normal distributions with the moments of moved and real images.

Rivals learn from the same examples: whitening and colouring by Cholesky factors (as CORAL does),
POT's linear map without shrinkage, and maps of each pixel alone, of its moments or its histogram.
"""

from __future__ import annotations

from itertools import pairwise

from skreg.bench import Axis, Benchmark, Claim, Figure, Metric, Paper, Setting
from skreg.bench.arena import transport_restoration as digits
from skreg.bench.arena.checks import all_of, gain, ratio
from skreg.bench.arena.rivals import needs_of
from skreg.bench.arena.transport_views import draw_tradeoffs

PAPER = Paper(
    title=("Deep Optimal Transport: A Practical Algorithm for Photo-realistic Image Restoration"),
    authors=("Adrai, Theo J.", "Ohayon, Guy", "Elad, Michael", "Michaeli, Tomer"),
    venue="Advances in Neural Information Processing Systems 36",
    year=2023,
    here="skreg.transport.LinearTransportRestorer, skreg.transport.GaussianTransport",
    arxiv="2306.02342",
    code="https://github.com/theoad/dot-dmax",
)

OURS, PATCHES = "Linear transport", "Linear transport, 3 x 3 patches"
COLOURING, POT = "Cholesky colouring", "POT, linear"
MOMENTS, HISTOGRAMS = "Pixel moments", "Pixel histograms"
METHODS = {
    OURS: digits.linear_transport(),
    PATCHES: digits.linear_transport(encoder=None, patch_size=3, image_shape=(8, 8)),
    COLOURING: digits.in_latents(digits.cholesky_colouring),
    POT: digits.in_latents(digits.pot_linear),
    MOMENTS: digits.pixel_moments,
    HISTOGRAMS: digits.pixel_histograms,
}
METRICS = {"mse": Metric("Squared error"), "distance": Metric("Fréchet distance")}
ALL, SOME, FEW = "All images", "64 + 64 images", "16 + 16 images"


def setting(description: str, n_examples: int | None) -> Setting:
    covariance = "empirical" if n_examples is None else "ledoit_wolf"
    data = {"n_examples": n_examples, "covariance": covariance}
    sizes = ("smallest", "quick", "full")
    return Setting(
        description, digits.restored_digits, digits.measure, list(METRICS),
        axis=Axis("alpha", "alpha"), parameters=dict.fromkeys(sizes, data),
    )  # fmt: skip


benchmark = Benchmark(
    seconds={"quick": 12},
    settings={
        ALL: setting("1297 restored and 1297 clean images, empirical covariances.", None),
        SOME: setting("64 restored and 64 other clean images, Ledoit and Wolf's shrinkage.", 64),
        FEW: setting("16 restored and 16 other clean images, Ledoit and Wolf's shrinkage.", 16),
    },
    methods=METHODS,
    metrics=METRICS,
    repeats={"smallest": 1, "quick": 10, "full": 30},
    reference=OURS,
    together=True,
    needs=needs_of(METHODS),
    claims=[
        Claim(
            "All images: the squared error falls with alpha, and at 0 is at most twice that at 1.",
            all_of(
                *(digits.falls(OURS, "mse", ALL, *ends) for ends in pairwise(digits.ALPHAS)),
                digits.end_over_end(OURS, "mse", ALL, at_most=2.0),
            ),
            [ALL],
        ),
        Claim(
            "All images: the Fréchet distance at alpha = 0 is at most 0.4 of that at 1.",
            digits.end_over_end(OURS, "distance", ALL, at_most=0.4), [ALL],
        ),
        Claim(
            "64 images: the best alpha lies inside; 0.5 is closer to real images than 0 and 1.",
            all_of(*(digits.falls(OURS, "distance", SOME, end, 0.5) for end in (0.0, 1.0))),
            [SOME],
        ),
        Claim(
            "16 images: at alpha = 0, maps of 3 x 3 patches are closer to real images and to the "
            "true ones than maps of whole images, and the best alpha of patches is closer still.",
            all_of(
                *(gain(PATCHES, OURS, metric, setting=FEW, at=0.0) for metric in METRICS),
                digits.nearest_is(PATCHES, OURS, FEW),
            ),
            [FEW],
        ),
        Claim(
            "All images: at alpha = 0 the optimal map has less squared error than Cholesky "
            "colouring, and is as close to real images (to 5 %). It is a percent or so: principal "
            "components are nearly uncorrelated on both sides.",
            all_of(
                ratio(OURS, COLOURING, "mse", setting=ALL, at=0.0, at_most=1.0),
                ratio(OURS, COLOURING, "distance", setting=ALL, at=0.0, at_most=1.05),
            ),
            [ALL],
        ),
        Claim(
            "All images: maps of each pixel alone, of moments or histograms, stay at twice the "
            "Fréchet distance or more at alpha = 0, as they ignore correlations.",
            all_of(*(ratio(name, OURS, "distance", setting=ALL, at=0.0, at_least=2.0)
                     for name in (MOMENTS, HISTOGRAMS))),
            [ALL],
        ),
        Claim(
            "POT's linear map is the same with all images (to 1 %) and, without shrinkage, at "
            "least 1.5 times as far from real images with 16.",
            all_of(
                ratio(POT, OURS, "distance", setting=ALL, at=0.0, at_most=1.01),
                ratio(POT, OURS, "distance", setting=FEW, at=0.0, at_least=1.5),
            ),
            [ALL, FEW],
        ),
        Claim(
            "Limit of the method: with 64 images, the maps of pixel histograms are closer to real "
            "images than ours at any alpha (pixels are nearly black or white, not normal); with "
            "all images, maps of patches stay at three times the distance of whole ones or more.",
            all_of(
                digits.nearest_is(HISTOGRAMS, OURS, SOME),
                ratio(PATCHES, OURS, "distance", setting=ALL, at=0.0, at_least=3.0),
            ),
            [ALL, SOME],
        ),
    ],
    figures=[
        Figure(
            "Squared error against Fréchet distance along alpha, from 0 at the upper left to 1 "
            "(the ridge regression's own output) where all curves meet: means over the seeds. Down "
            "and to the left is better; what is far outside is cut off.",
            lambda results: draw_tradeoffs(results, [ALL, SOME, FEW], list(METHODS)),
            [ALL, SOME, FEW],
        )
    ],
)  # fmt: skip
