"""Do orthogonal convolutions follow from a penalty on the kernel, and what are they good for?

Achour, Malgouyres and Mamalet (JMLR 2022) show when orthogonal convolutions exist, and that a
penalty on the kernel alone, L_orth, is zero exactly at them, whatever the size of the image.

"Kernels alone": descent on a penalty from small random kernels. Measured are the extreme singular
values of the convolution. Rivals are the penalty of the code published with OCNN (Wang et al.,
CVPR 2020), whose correlations have "same" padding, and the usual one on the flattened kernel.

"Digits": small networks with circular convolutions on handwritten digits. Measured is the accuracy
on test digits, on test digits with Gaussian noise, and the extreme singular values of all layers.
Rivals are cross entropy alone, weight decay, label smoothing, and the flattened kernel.
"""

from __future__ import annotations

import functools

from skreg.bench import Benchmark, Claim, Figure, Metric, Paper, Setting
from skreg.bench.arena import deep_methods as methods
from skreg.bench.arena import orthogonal_kernels as kernels
from skreg.bench.arena.checks import all_of, every, gain, level
from skreg.bench.arena.deep_checks import over_kernels
from skreg.bench.arena.deep_tasks import digits, for_epochs
from skreg.bench.arena.dots import Dots, dots_of_methods
from skreg.deep.regularizers import ConvOrthogonality
from skreg.deep.torch import orthogonality_loss

EXTRA = "deep"
PAPER = Paper(
    title="Existence, Stability and Scalability of Orthogonal Convolutional Neural Networks",
    authors=("Achour, El Mehdi", "Malgouyres, François", "Mamalet, Franck"),
    venue="Journal of Machine Learning Research 23",
    year=2022,
    here=(
        "skreg.deep.regularizers.ConvOrthogonality, skreg.deep.torch.orthogonality_loss, "
        "skreg.deep.torch.orthogonal_conv_exists, skreg.deep.torch.orthogonal_conv_init_"
    ),
    kind="article",
    arxiv="2108.05623",
    code="https://github.com/deel-ai/deel-lip",
)

PLAIN, DECAY, SMOOTHING = "Cross entropy", "Weight decay", "Label smoothing 0.1"
FLAT, OCNN = "Flattened kernel", "OCNN's code"
ORTHOGONAL = {strength: f"L_orth, strength {strength:g}" for strength in (1e-3, 1e-2, 1e-1)}
EXACT, STRONG = "L_orth alone", ORTHOGONAL[1e-1]
DIGITS, NOISE = "Digits", 0.3
NETWORKS = [PLAIN, DECAY, SMOOTHING, FLAT, *ORTHOGONAL.values()]
# kernels alone: outputs, inputs and stride
KERNELS = {
    "Kernels alone, 3 from 4 channels": (3, 4, 1),
    "Kernels alone, 8 from 3 channels": (8, 3, 1),
    "Kernels alone, 6 from 4 channels, stride 2": (6, 4, 2),
}
EXTREMES = {"sigma_min": "smallest", "sigma_max": "largest"}

LOSSES = {EXACT: orthogonality_loss, OCNN: kernels.same_padding_loss, FLAT: kernels.flattened_loss}
METHODS = {
    EXACT: methods.Method(),
    OCNN: methods.Method(),
    PLAIN: methods.Method(),
    DECAY: methods.with_decay(0.1),
    SMOOTHING: methods.with_smoothing(0.1),
    FLAT: methods.with_regularizer(kernels.FlattenedKernels),
    **{name: methods.with_regularizer(ConvOrthogonality, s) for s, name in ORTHOGONAL.items()},
}

benchmark = Benchmark(
    seconds={"quick": 14},
    settings={name: kernels.descent(*shape, LOSSES) for name, shape in KERNELS.items()}
    | {
        DIGITS: Setting(
            description=(
                "1257 training digits of 8 x 8 pixels; circular convolutions 1 → 8, 8 → 16 with "
                "stride 2, 16 → 16, ReLU, a linear layer; 30 epochs of Adam; test digits with and "
                f"without noise of standard deviation {NOISE}."
            ),
            data=for_epochs(functools.partial(digits, train_size=0.7)),
            measure=methods.trained(
                kernels.circular_convolutions, functools.partial(kernels.robustness, noise=NOISE)
            ),
            metrics=["clean", "noisy", *EXTREMES],
            methods=NETWORKS,
            parameters={"smallest": {"epochs": 1}, "full": {"epochs": 30}},
        ),
    },
    methods=METHODS,
    metrics={
        "clean": Metric("Accuracy, clean", "%", digits=1, better="higher"),
        "noisy": Metric("Accuracy, noisy", "%", digits=1, better="higher"),
        "sigma_min": Metric("Smallest singular value", digits=2, better="higher"),
        "sigma_max": Metric("Largest singular value", digits=2),
    },
    repeats={"smallest": 1, "quick": 5, "full": 5},
    reference=PLAIN,
    claims=[
        Claim(
            "Descent on L_orth reaches orthogonal convolutions.",
            all_of(
                every(EXACT, "sigma_min", settings=[*KERNELS], at_least=0.99),
                every(EXACT, "sigma_max", settings=[*KERNELS], at_most=1.01),
                names=["smallest singular value", "largest"],
            ),
            [*KERNELS],
        ),
        Claim(
            "Descent on the flattened kernel, or with same padding, does not.",
            all_of(
                *(over_kernels(KERNELS, name, "sigma_min", at_most=0.8) for name in (OCNN, FLAT)),
                *(over_kernels(KERNELS, name, "sigma_max", at_least=1.2) for name in (OCNN, FLAT)),
            ),
            [*KERNELS],
        ),
        Claim(
            "In a network, L_orth keeps all singular values near one.",
            all_of(
                level(STRONG, "sigma_min", setting=DIGITS, at_least=0.7),
                level(STRONG, "sigma_max", setting=DIGITS, at_most=1.6),
                names=["smallest", "largest"],
            ),
            [DIGITS],
        ),
        Claim(
            "Orthogonality is robust to noise at little cost.",
            all_of(
                gain(STRONG, PLAIN, "noisy", setting=DIGITS, at_least=4),
                gain(STRONG, PLAIN, "clean", setting=DIGITS, at_least=-3),
                names=["noisy digits", "clean digits"],
            ),
            [DIGITS],
        ),
        Claim(
            "No rival is as robust.",
            gain(STRONG, [PLAIN, DECAY, SMOOTHING, FLAT], "noisy", setting=DIGITS),
            [DIGITS],
        ),
    ],
    figures=[
        Figure(
            "Means over the seeds with intervals at 95 %; singular values of all convolutions.",
            dots_of_methods(
                Dots(DIGITS, {"clean": "clean", "noisy": "noisy"}, "Test digits", "Accuracy (%)"),
                Dots(DIGITS, EXTREMES, "Singular values", "Stretching by a convolution"),
                methods=NETWORKS,
            ),
            [DIGITS],
        )
    ],
)
