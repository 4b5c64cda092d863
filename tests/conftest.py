"""Settings of the whole suite, made before scipy and scikit-learn are imported."""

import importlib.util
import os

os.environ.setdefault("SCIPY_ARRAY_API", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

collect_ignore = ["typing_of_users.py"]  # read by a type checker, not run
if importlib.util.find_spec("skorch") is None:  # the extra of networks is not installed
    collect_ignore += ["deep", "bench/test_deep_overhead.py"]
