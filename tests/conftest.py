"""Settings of the whole suite, made before scipy and scikit-learn are imported."""

import os

os.environ.setdefault("SCIPY_ARRAY_API", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

collect_ignore = ["typing_of_users.py"]  # read by a type checker, not run
