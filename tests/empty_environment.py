"""Run by `make wheel` in an environment that holds only the wheel and its runtime dependencies."""

import importlib
import importlib.util
import pkgutil

import skreg

EXTRAS = ("torch", "skorch", "cvxpy", "matplotlib", "dask", "distributed", "pandas", "tqdm")


def main():
    present = [name for name in EXTRAS if importlib.util.find_spec(name)]
    if present:
        raise SystemExit(f"the environment is not empty: {present}")
    modules = pkgutil.walk_packages(skreg.__path__, "skreg.", onerror=_only_deep_may_fail)
    imported = [module.name for module in modules if not module.name.startswith("skreg.deep")]
    for name in imported:
        importlib.import_module(name)
    try:
        importlib.import_module("skreg.deep")
    except ImportError as error:
        if "pip install 'skreg[deep]'" not in str(error):
            raise
    else:
        raise SystemExit("skreg.deep must ask for its extra when torch is missing")
    print(f"skreg {skreg.__version__}: {len(imported)} modules import without any extra")


def _only_deep_may_fail(name):
    if name != "skreg.deep":
        raise ImportError(name)


if __name__ == "__main__":
    main()
