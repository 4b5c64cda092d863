"""Learners and settings of the claims on streams."""

from __future__ import annotations

from skreg.bench import Axis, Metric, Setting
from skreg.bench.arena import online_tasks as tasks

OURS, RUNNING, UNHINTED = "Optimistic, G known", "Optimistic", "No hint, G known"
STRONG, NEWTON = "Optimistic, strongly convex", "Optimistic, Newton"
MIXED, MIXED_UNHINTED, THEORY = "Ensemble", "Ensemble, no hint", "Ensemble of theory"
OGD, ADAGRAD, DECAYING, SGD = "OGD", "AdaGrad-norm", "OGD, 1 / (λ t)", "SGD, default"
STEPS = (0.1, 0.5, 2.0)
FIXED = {f"Step {step:g}": step for step in STEPS}
POOL = [0.08 * 2.0**k for k in range(10)]
METHODS = {
    OURS: tasks.mirror_descent(known=True),
    RUNNING: tasks.mirror_descent(),
    UNHINTED: tasks.mirror_descent(known=True, hint="none"),
    STRONG: tasks.mirror_descent(curvature="strongly_convex"),
    NEWTON: tasks.mirror_descent(known=True, geometry="newton"),
    MIXED: tasks.ensemble(),
    MIXED_UNHINTED: tasks.ensemble(hint="none"),
    THEORY: tasks.ensemble(tuning="theory"),
    "Ensemble of ten": tasks.ensemble(pool=POOL),
    OGD: tasks.fixed_descent(),
    ADAGRAD: tasks.adagrad_norm,
    DECAYING: tasks.decaying_descent,
    SGD: tasks.scikit_learn(),
    **{name: tasks.mirror_descent(step_size=step, hint="none") for name, step in FIXED.items()},
}
TEN, ROUNDS = "Ensemble of ten", Axis("n_rounds", "rounds")
SINGLE = [OURS, RUNNING, ADAGRAD, NEWTON]
GROWTH = {"smallest": (300,), "quick": (1000, 4000), "full": (1000, 4000, 16_000)}


def linear(description: str, kind: str, sizes: dict = GROWTH, **data: int) -> Setting:
    parameters = {
        size: {"kind": kind, "lengths": lengths, **data} for size, lengths in sizes.items()
    }
    return Setting(f"<c, x> on the unit ball of R^5: {description}.", tasks.directions,
                   tasks.measure, ["regret", "certified"], axis=ROUNDS,
                   methods=[OURS, UNHINTED, OGD, ADAGRAD], parameters=parameters)  # fmt: skip


def strongly_convex(description: str, drift: bool, lengths: tuple[int, ...]) -> Setting:
    short = {"drift": drift, "lengths": lengths[:2]}
    return Setting(description, tasks.centres, tasks.measure, ["regret", "certified"], axis=ROUNDS,
                   methods=[OURS, STRONG, DECAYING],
                   parameters={"quick": short, "full": short | {"lengths": lengths}})  # fmt: skip


def regression(kind: str) -> Setting:
    return Setting(
        f"Squared error in the unit ball of R^5; unit coefficients, {kind}; noise of 0.05.",
        tasks.moving_coefficients, tasks.measure, ["excess"],
        methods=[*SINGLE, MIXED, MIXED_UNHINTED, THEORY, OGD, *([SGD] * (kind == "jumping"))],
        parameters={"smallest": {"kind": kind, "n_rounds": 200},
                    **{size: {"kind": kind, "n_rounds": 3000} for size in ("quick", "full")}},
    )  # fmt: skip


def digits(description: str, flipped: bool) -> Setting:
    return Setting(description, tasks.digits, tasks.measure, ["log_loss"],
                   methods=[RUNNING, TEN, SGD, *FIXED],
                   parameters={"full": {"flipped": flipped}})  # fmt: skip


CONSTANT, NOISE, TURNING = "Constant", "Constant with noise", "Turning, period 50"
ALTERNATING, CENTRES, CIRCLE = "Alternating", "Noisy centres", "Centres on a circle"
STILL, JUMPS, TURNS = "Coefficients stay", "Coefficients jump", "Coefficients turn"
DIGITS, FLIPS = "Digits", "Digits that flip"
HERE = {"quick": (4000,), "full": (4000,)}
SETTINGS = {
    CONSTANT: linear("a unit vector", "constant"),
    NOISE: linear("a unit vector with normal noise of variance 1/5", "noise"),
    TURNING: linear("a unit vector that turns in a plane", "turning", HERE, period=50),
    ALTERNATING: linear("a unit vector and its opposite in turns", "alternating", HERE),
    CENTRES: strongly_convex("1/2 |x - c|^2, noisy centres.", False, (1000, 4000, 16_000)),
    CIRCLE: strongly_convex("1/2 |x - c|^2, c on a circle of 0.5, period 1000.", True, (4000,)),
    STILL: regression("fixed"),
    JUMPS: regression("jumping"),
    TURNS: regression("turning"),
    DIGITS: digits("Digits of at least 5 against the rest.", False),
    FLIPS: digits("The same; labels flip every 300 rows.", True),
}
METRICS = {
    "regret": Metric("Regret", digits=1),
    "certified": Metric("Regret over its certificate"),
    "excess": Metric("Excess cumulative loss", digits=1),
    "log_loss": Metric("Progressive log-loss"),
}
