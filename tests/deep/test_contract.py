"""scikit-learn's estimator checks.

They run in double precision: in single precision, the default, weights and repeated rows agree as
far as its rounding goes, which `check_sample_weight_equivalence_on_dense_data` does not allow for.
"""

from sklearn.utils.estimator_checks import parametrize_with_checks

from skreg.deep import DeepClassifier, DeepRegressor


SMALL = {"dtype": "float64", "lr": 0.01, "max_epochs": 20, "net_params": {"module__width": 16}}


@parametrize_with_checks([DeepClassifier(**SMALL), DeepRegressor(**SMALL)])
def test_estimator_contract(estimator, check):
    check(estimator)
