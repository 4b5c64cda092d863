"""Which packages the rivals of the benchmarks need beyond those of skreg, and what brings them."""

from __future__ import annotations

from collections.abc import Iterable

# module, and the extra of skreg that brings it, or a command where no extra can
NEEDS = {
    "celer": ("celer", "race"),
    "skglm": ("skglm", "race"),
    # its wheels ask for numpy 1, but run with numpy 2
    "adelie": ("adelie", "pip install ipython && pip install --no-deps adelie"),
    "dagma": ("dagma", "race"),
    # it asks for scipy 1.13 at most, but runs with later ones
    "DirectLiNGAM": ("lingam", "pip install graphviz pygam semopy && pip install --no-deps lingam"),
    "statsmodels": ("statsmodels", "race"),
    "POT, linear": ("ot", "race"),
    **dict.fromkeys(
        ("POT, dual", "POT, semi-dual", "POT, EMD", "POT, EMD + quadratic", "POT, quadratic"),
        ("ot", "race"),
    ),
    # its certificates ask for statsmodels, but its list of requirements does not
    "ART": ("art", "pip install adversarial-robustness-toolbox statsmodels"),
    "CLARABEL, one alpha": ("cvxpy", "convex"),
}


def needs_of(methods: Iterable[str]) -> dict[str, tuple[str, str]]:
    """The part of `NEEDS` for some methods, as `Benchmark` takes it."""
    return {name: NEEDS[name] for name in methods if name in NEEDS}
