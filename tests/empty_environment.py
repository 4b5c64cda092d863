"""Run by `make wheel` in an environment that holds only the wheel and its runtime dependencies."""

import importlib
import importlib.util
import pkgutil

import skreg

EXTRAS = (
    *("torch", "skorch", "accelerate", "cvxpy", "matplotlib"),
    *("dask", "distributed", "pandas", "tqdm", "networkx"),
    *("skops", "skl2onnx", "onnxruntime"),
)
ABOUT_NETWORKS = (
    *("skreg.bench.arena.", "skreg.bench.papers.", "skreg.bench.races."),
    "skreg.demo.stories.",
)


def main():
    present = [name for name in EXTRAS if importlib.util.find_spec(name)]
    if present:
        raise SystemExit(f"the environment is not empty: {present}")
    modules = pkgutil.walk_packages(skreg.__path__, "skreg.", onerror=_only_deep_may_fail)
    names = [module.name for module in modules if not module.name.startswith("skreg.deep")]
    imported = [name for name in names if _imports(name)]
    try:
        importlib.import_module("skreg.deep")
    except ImportError as error:
        if "pip install 'skreg[deep]'" not in str(error):
            raise
    else:
        raise SystemExit("skreg.deep must ask for its extra when torch is missing")
    print(f"skreg {skreg.__version__}: {len(imported)} modules import without any extra")


def _imports(name):
    """Import a module; benchmarks and stories of networks may ask for torch or skorch instead."""
    try:
        importlib.import_module(name)
    except ImportError as error:
        benchmark = name.startswith(ABOUT_NETWORKS)
        asked = any(part in str(error) for part in ("torch", "skorch", "skreg[deep]"))
        if not (benchmark and asked):
            raise
        return False
    return True


def _only_deep_may_fail(name):
    if name != "skreg.deep":
        raise ImportError(name)


if __name__ == "__main__":
    main()
