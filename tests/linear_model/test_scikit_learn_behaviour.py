"""scikit-learn's own tests of its lasso and elastic net, run on skreg's classes.

The installed module is executed once more with the names of the estimators replaced. Its tests of
behaviour are collected here; those of internals are listed with the reason for leaving them out.
"""

import importlib.util
import inspect

import pytest
import sklearn.linear_model

import skreg.linear_model
from skreg.linear_model import (
    ElasticNet,
    ElasticNetCV,
    Lasso,
    LassoCV,
    MultiTaskLasso,
    MultiTaskLassoCV,
)

MODULE = "sklearn.linear_model.tests.test_coordinate_descent"

SETTINGS = "concerns how scikit-learn computes: Gram matrix, copies or skipped checks"
COUNTS = "counts sweeps over the features; skreg counts working sets, and one is often enough"
SCALE = "dual_gap_ is absolute there, relative here (test_dual_gap_bounds_the_suboptimality)"
KERNEL = "tests a private function"
WORDS = "asks for a message in scikit-learn's words; skreg has its own test of its own message"
PATH = "tests scikit-learn's path functions, which skreg does not have; its `path` is a method"

EXCLUDED = {
    "test_set_order_dense": KERNEL,
    "test_set_order_sparse": KERNEL,
    "test_cython_solver_equivalence": KERNEL,
    "test_lasso_dual_gap": SCALE,
    "test_multi_task_lasso_and_enet": SCALE,
    "test_multi_task_lasso_readonly_data": SCALE,
    "test_enet_nonfinite_params": WORDS,
    "test_lasso_alpha_warning": "alpha=0 is solved to full accuracy, there is nothing to warn of",
    "test_enet_coordinate_descent_raises_convergence": WORDS,
    "test_enet_l1_ratio": WORDS,
    "test_1d_multioutput_enet_and_multitask_enet_cv": (
        "compares with scikit-learn's MultiTaskElasticNetCV, which stops at a loose tolerance"
    ),
    "test_elasticnet_precompute_incorrect_gram": SETTINGS,
    "test_elasticnet_precompute_gram_weighted_samples": SETTINGS,
    "test_elasticnet_precompute_gram": SETTINGS,
    "test_overridden_gram_matrix": SETTINGS,
    "test_lassoCV_does_not_set_precompute": SETTINGS,
    "test_check_input_false": SETTINGS,
    "test_enet_copy_X_True": SETTINGS,
    "test_enet_copy_X_False_check_input_False": SETTINGS,
    "test_enet_sample_weight_does_not_overwrite_sample_weight": SETTINGS,
    "test_enet_path_check_input_false": SETTINGS,
    "test_warm_start_convergence": COUNTS,
    "test_warm_start_convergence_with_regularizer_decrement": COUNTS,
    "test_lasso_path_return_models_vs_new_return_gives_same_coefficients": PATH,
    "test_sparse_dense_descent_paths": PATH,
    "test_enet_path_positive": PATH,
    "test_path_unknown_parameter": PATH,
    "test_path_function_deprecated_n_alphas": PATH,
}

# many combinations, of which the fast tests of this folder hold one each; new processes
SLOW = {
    "test_enet_cv_grid_search",
    "test_enet_cv_sample_weight_consistency",
    "test_enet_cv_sample_weight_correctness",
    "test_linear_models_cv_fit_with_loky",
    "test_sparse_input_convergence_warning",
}

# parameters of scikit-learn's classes that choose how it computes
IGNORED = ("precompute", "copy_X", "random_state", "selection", "verbose")


def accepting_settings(cls):
    """Subclass that accepts, and ignores, scikit-learn's computational parameters."""
    own = inspect.signature(cls.__init__).parameters
    ignored = [name for name in IGNORED if name not in own]
    extra = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in ignored]

    def __init__(self, *args, **kwargs):
        for name in ignored:
            setattr(self, name, kwargs.pop(name, None))
        cls.__init__(self, *args, **kwargs)

    __init__.__signature__ = inspect.Signature([*own.values(), *extra])
    return type(cls.__name__, (cls,), {"__init__": __init__})


SUBSTITUTES = {
    cls.__name__: accepting_settings(cls)
    for cls in (Lasso, ElasticNet, MultiTaskLasso, LassoCV, ElasticNetCV, MultiTaskLassoCV)
}
for _name, _cls in SUBSTITUTES.items():
    if _name.endswith("CV"):
        _cls._model_class = SUBSTITUTES[_name.removesuffix("CV")]


def executed_with_substitutes():
    """scikit-learn's test module, executed on skreg's classes."""
    spec = importlib.util.find_spec(MODULE)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        for name, cls in SUBSTITUTES.items():
            patch.setattr(sklearn.linear_model, name, cls)
        spec.loader.exec_module(module)
    return module


@pytest.fixture
def global_random_seed():
    """Fixture of scikit-learn's test suite."""
    return 42


TESTS = {
    name: test
    for name, test in vars(executed_with_substitutes()).items()
    if name.startswith("test_") and callable(test)
}
for _name, _test in TESTS.items():
    if _name not in EXCLUDED:
        for _mark in getattr(_test, "pytestmark", []):
            if _mark.name == "parametrize" and _mark.args[0] == "precompute":
                _mark.args[1][1:] = []  # the setting is ignored, one value is enough
        globals()[_name] = pytest.mark.slow(_test) if _name in SLOW else _test


def test_excluded_names_exist():
    assert set(EXCLUDED) <= set(TESTS)
    assert len(TESTS) > len(EXCLUDED)
    assert skreg.linear_model.Lasso is not sklearn.linear_model.Lasso
