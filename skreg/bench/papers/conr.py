"""Does the contrastive regularizer ConR help where targets of a regression are rare?

Keramati et al. (ICLR 2024) add a contrast of features to a regression on imbalanced targets: it
pulls together samples with near targets, and pushes apart samples with far targets whose
predictions are near, the harder the farther. Two questions are asked.

The mechanism: free feature vectors of 56 samples with common targets and 8 with rare ones, whose
predictions are confused with the common ones, move under the regularizer alone. The features of the
rare samples should leave those of the common ones, and near targets should stay together.

The effect: images of handwritten digits, turned by an angle whose distribution is skewed, are
regressed on the angle by a small convolutional network. Measured is the mean absolute error where
training angles are frequent, in between, and rare. Rivals are the plain L1 loss, weight decay,
mixup of inputs and targets, and weights by inverse density.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from scipy.ndimage import rotate
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.nn import functional as F

from skreg.bench import (
    Benchmark,
    Claim,
    Figure,
    Metric,
    Setting,
    Verdict,
    by_seed,
    mean_and_standard_error,
)
from skreg.bench.arena.networks import MixupRegression, one_thread
from skreg.bench.arena.views import new_figure
from skreg.deep import DeepRegressor, Regularizer
from skreg.deep.regularizers import ConR
from skreg.deep.torch import ConRLoss, density_weights
from skreg.metrics import shot_scores

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as MatplotlibFigure

EXTRA = "deep"

PLAIN, DECAY, MIXUP = "L1 loss", "Weight decay", "Mixup"
WEIGHTED, CONR, CONR_WEIGHTED = "Inverse density", "ConR", "ConR, inverse density"
NOT_CONFUSED = "ConR, predictions right"
FREE, DIGITS = "Free features", "Digits turned by skewed angles"
RARE = np.array([80, 80.5, 81, 80.2, 90, 90.5, 90.3, 90.8])
REGIONS = ("all", "many", "median", "few")
BIN_WIDTH = 5.0  # degrees


class Features(NamedTuple):
    """Features that are free to move, with targets and confused predictions."""

    z: torch.Tensor
    y: torch.Tensor
    predictions: torch.Tensor


class Images(NamedTuple):
    """Turned digits and their angles."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


class Method(NamedTuple):
    """What is added to the L1 loss."""

    regularizers: Callable[[], list[tuple[str, Regularizer]]] = list
    weight_decay: float = 0.0
    weighted: bool = False


def conr() -> list[tuple[str, ConR]]:
    # degrees are standardized: one standard deviation is about 15 of them
    return [("conr", ConR(beta=0.2, window=0.1, push=0.2))]


METHODS = {
    PLAIN: Method(),
    DECAY: Method(weight_decay=0.1),
    MIXUP: Method(lambda: [("mixup", MixupRegression())]),
    WEIGHTED: Method(weighted=True),
    CONR: Method(conr),
    CONR_WEIGHTED: Method(conr, weighted=True),
    NOT_CONFUSED: Method(),
}


def free_features(seed: int, *, steps: int) -> Any:
    rng = np.random.default_rng(seed)
    common = rng.integers(20, 30, 56).astype(float)
    predictions = np.concatenate([common + 0.3 * rng.normal(size=56), 25 + rng.normal(size=8)])
    z = rng.normal(size=16) + 0.3 * rng.normal(size=(64, 16))
    arrays = (z, np.concatenate([common, RARE]), predictions)
    return Features(*(torch.from_numpy(array).float() for array in arrays)), steps


def measure_free_features(
    data: Any, methods: Mapping[str, Any], seed: int
) -> Iterator[dict[str, Any]]:
    features, steps = data
    before = cosines(features.z, features.y)
    for name in methods:
        z = features.z.clone().requires_grad_()
        loss, optimizer = ConRLoss(), torch.optim.Adam([z], lr=0.05)
        predictions = features.y if name == NOT_CONFUSED else features.predictions
        with one_thread():
            for _ in range(steps):
                optimizer.zero_grad()
                loss(z, features.y, predictions).backward()
                optimizer.step()
        after = cosines(z.detach(), features.y)
        yield {
            "method": name,
            "fall": float(before[0] - after[0]),
            "positives": float(after[1] - before[1]),
        }


def cosines(z: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean cosine of rare samples to the common mean, and of pairs with near targets."""
    z_unit = F.normalize(z, dim=1)
    rare_to_common = z_unit[56:] @ F.normalize(z[:56].mean(0), dim=0)
    near = ((y[:, None] - y).abs() <= 1) & ~torch.eye(64, dtype=torch.bool)
    return rare_to_common.mean(), (z_unit @ z_unit.T)[near].mean()


def turned_digits(seed: int, *, epochs: int) -> Any:
    rng = np.random.default_rng(seed)
    X, digit = load_digits(return_X_y=True)
    images = X[digit == 7].reshape(-1, 8, 8) / 16
    train, test = train_test_split(images, train_size=0.5, random_state=seed)
    angle = np.minimum(rng.exponential(15, 1500), 120)
    angle_test = rng.uniform(0, 120, 600)
    return Images(
        turn(train[rng.integers(0, len(train), 1500)], angle), angle,
        turn(test[rng.integers(0, len(test), 600)], angle_test), angle_test,
    ), epochs  # fmt: skip


def turn(images: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Turn images by angles in degrees, each on a frame of 12 x 12."""
    framed = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    turned = [
        rotate(image, angle, reshape=False, order=1)
        for image, angle in zip(framed, angles, strict=True)
    ]
    return np.stack(turned)[:, None].astype(np.float32)


def measure_turned_digits(
    data: Any, methods: Mapping[str, Any], seed: int
) -> Iterator[dict[str, Any]]:
    images, epochs = data
    for name, method in methods.items():
        model = DeepRegressor(
            regularizers=method.regularizers(),
            criterion=torch.nn.L1Loss,
            optimizer=torch.optim.AdamW,
            lr=3e-3,
            max_epochs=epochs,
            batch_size=64,
            random_state=seed,
            net_params={"optimizer__weight_decay": method.weight_decay, "module__width": 16},
        )
        weight = density_weights(images.y, bin_width=BIN_WIDTH) if method.weighted else None
        with one_thread():
            predicted = model.fit(images.X, images.y, weight).predict(images.X_test)
        scores = shot_scores(
            images.y_test, predicted, images.y, bin_width=BIN_WIDTH, many=100, few=20
        )
        errors = {region: scores[region].mean_absolute_error for region in REGIONS}
        yield {"method": name, **errors}


def mechanism_works(results: pd.DataFrame) -> Verdict:
    fall = by_seed(results, FREE, "fall", ["method"])
    positives = by_seed(results, FREE, "positives", ["method"])[CONR].abs()
    return Verdict(
        bool(
            fall[CONR].min() >= 0.35
            and positives.max() <= 0.1
            and fall[NOT_CONFUSED].abs().max() == 0
        ),
        f"cosine falls by {fall[CONR].min():.2f} to {fall[CONR].max():.2f}, near pairs change by "
        f"{positives.max():.2f} at most, nothing moves if predictions are right",
        "falls by ≥ 0.35, changes by ≤ 0.1",
    )


def rare_errors_fall(method: str, rival: str) -> Callable[[pd.DataFrame], Verdict]:
    def check(results: pd.DataFrame) -> Verdict:
        values = by_seed(results, DIGITS, "few", ["method"])
        gain = (values[rival] - values[method]).to_numpy()
        error = gain.std(ddof=1) / np.sqrt(len(gain))
        return Verdict(
            bool(gain.mean() > 2 * error),
            f"error on rare angles {values[rival].mean():.2f}° → {values[method].mean():.2f}°, "
            f"lower by {gain.mean():.2f} ± {error:.2f}",
            "lower by more than two standard errors",
        )

    return check


def draw_errors(results: pd.DataFrame) -> MatplotlibFigure:
    figure, panels = new_figure(2)
    for panel, region in zip(panels, ("many", "few"), strict=True):
        values = by_seed(results, DIGITS, region, ["method"])
        statistics = mean_and_standard_error(values).loc[list(METHODS)[:-1]]
        panel.errorbar(
            statistics["mean"], range(len(statistics)), xerr=statistics["standard_error"], fmt="o",
            color="#0072B2",
        )  # fmt: skip
        panel.set_yticks(range(len(statistics)), labels=statistics.index)
        panel.set(title=f"{region.capitalize()} training samples", xlabel="Mean absolute error (°)")
        panel.invert_yaxis()
    panels[1].set_yticks(range(len(statistics)), labels=[""] * len(statistics))
    return figure


benchmark = Benchmark(
    settings={
        FREE: Setting(
            description=(
                "64 features of 16 dimensions near a common vector; 200 steps of Adam on ConR "
                "alone. Rare targets are 80 to 91, common ones 20 to 29; all are predicted as "
                "common."
            ),
            data=free_features,
            measure=measure_free_features,
            metrics=["fall", "positives"],
            methods=[CONR, NOT_CONFUSED],
            parameters={"smallest": {"steps": 3}, "full": {"steps": 200}},
        ),
        DIGITS: Setting(
            description=(
                "1500 training images of sevens, turned by exponentially distributed angles of "
                "mean 15 and at most 120 degrees; 600 test images of other sevens, uniformly "
                "turned. Frequent means more than 100 training angles in a bin of 5 degrees, rare "
                "fewer than 20. A small convolutional network, 20 epochs of Adam."
            ),
            data=turned_digits,
            measure=measure_turned_digits,
            metrics=REGIONS,
            methods=list(METHODS)[:-1],
            parameters={"smallest": {"epochs": 1}, "full": {"epochs": 20}},
        ),
    },
    methods=METHODS,
    metrics={
        "fall": Metric("Fall of the cosine, rare to common", better="higher"),
        "positives": Metric("Change of the cosine of near pairs"),
        "all": Metric("Error, all", "°", digits=2),
        "many": Metric("Error, frequent", "°", digits=2),
        "median": Metric("Error, in between", "°", digits=2),
        "few": Metric("Error, rare", "°", digits=2),
    },
    repeats={"smallest": 1, "quick": 5, "full": 5},
    reference=PLAIN,
    claims=[
        Claim("Rare features leave those they are confused with.", mechanism_works, [FREE]),
        Claim("Errors on rare targets fall.", rare_errors_fall(CONR, PLAIN), [DIGITS]),
        Claim(
            "They fall also on top of inverse-density weights.",
            rare_errors_fall(CONR_WEIGHTED, WEIGHTED),
            [DIGITS],
        ),
    ],
    figures=[
        Figure(
            "Mean absolute error where training samples are many and few: mean over the seeds with "
            "one standard error.",
            draw_errors,
            [DIGITS],
        )
    ],
)
