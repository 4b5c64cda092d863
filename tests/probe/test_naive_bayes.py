"""LinearNaiveBayes against closed forms, scikit-learn in limit cases, and brute force."""

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import softmax
from sklearn.covariance import EmpiricalCovariance
from sklearn.datasets import load_digits, load_wine, make_classification
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import NearestCentroid

from skreg.probe import LinearNaiveBayes

HAND_X = np.array([[0.0, 0.0], [2.0, 0.0], [4.0, 2.0], [6.0, 4.0]])
HAND_Y = np.array([0, 0, 1, 1])


@pytest.fixture(scope="module")
def wine():
    return load_wine(return_X_y=True)


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)


def blobs(seed=0, n_samples=120, n_classes=4, n_features=7):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, n_classes, n_samples)
    centres = rng.normal(0, 1.5, (n_classes, n_features))
    return centres[y] + rng.normal(0, rng.uniform(0.5, 2, n_features), (n_samples, n_features)), y


def assert_same_model(a, b, rtol=1e-9):
    assert_array_equal(a.classes_, b.classes_)
    for name in ("class_count_", "class_prior_", "theta_", "var_", "mean_", "coef_", "intercept_"):
        reference = getattr(b, name)
        scale = np.abs(reference[np.isfinite(reference)]).max()
        assert_allclose(getattr(a, name), reference, rtol=rtol, atol=rtol * scale, err_msg=name)


class TestClosedForms:
    def test_hand_example(self):
        probe = LinearNaiveBayes(var_smoothing=0).fit(HAND_X, HAND_Y)
        assert_array_equal(probe.theta_, [[1, 0], [5, 3]])
        assert_array_equal(probe.var_, [1, 0.5])
        assert_array_equal(probe.mean_, [3, 1.5])
        assert_allclose(probe.coef_, [[4, 6]], rtol=1e-15)
        assert_allclose(probe.intercept_, [-21], rtol=1e-15)
        assert_allclose(probe.predict_proba([[3, 2]])[0, 1], 1 / (1 + np.exp(-3)), rtol=1e-14)

    def test_unbiased_variance_of_the_hand_example(self):
        probe = LinearNaiveBayes(var_smoothing=0, ddof=2).fit(HAND_X, HAND_Y)
        assert_array_equal(probe.var_, [2, 1])
        assert_allclose(probe.coef_, [[2, 3]], rtol=1e-15)
        assert_allclose(probe.intercept_, [-10.5], rtol=1e-15)

    def test_equals_discriminant_analysis_with_diagonal_covariance(self, wine):
        class Diagonal(EmpiricalCovariance):
            def fit(self, X, _y=None):
                self.covariance_ = np.diag(X.var(axis=0))
                return self

        X, y = wine
        probe = LinearNaiveBayes(var_smoothing=0).fit(X, y)
        reference = LinearDiscriminantAnalysis(solver="lsqr", covariance_estimator=Diagonal()).fit(
            X, y
        )
        # the reference is not centred: compare differences between classes
        assert_allclose(np.diff(probe.coef_, axis=0), np.diff(reference.coef_, axis=0), rtol=1e-9)
        assert_allclose(np.diff(probe.intercept_), np.diff(reference.intercept_), rtol=1e-11)
        assert_allclose(probe.predict_proba(X), reference.predict_proba(X), atol=1e-11)

    def test_equals_discriminant_analysis_on_uncorrelated_features(self, wine):
        X, y = wine
        residuals = X - np.array([X[y == k].mean(axis=0) for k in range(3)])[y]
        _, axes = np.linalg.eigh(residuals.T @ residuals)
        rotated = X @ axes
        reference = LinearDiscriminantAnalysis(solver="lsqr").fit(rotated, y)
        probe = LinearNaiveBayes(var_smoothing=0).fit(rotated, y)
        assert_allclose(probe.predict_proba(rotated), reference.predict_proba(rotated), atol=1e-8)

    def test_equals_standardised_nearest_centroid_with_empirical_priors(self, wine):
        X, y = wine
        probe = LinearNaiveBayes(var_smoothing=0, ddof=3).fit(X, y)
        reference = NearestCentroid(priors="empirical").fit(X, y)
        assert_array_equal(probe.predict(X), reference.predict(X))
        scores = reference.decision_function(X)
        assert_allclose(probe.predict_proba(X), softmax(scores / 2, axis=1), atol=1e-10)

    def test_full_shrinkage_is_the_nearest_class_mean(self, digits):
        X, y = digits
        probe = LinearNaiveBayes(shrinkage=1, priors=np.full(10, 0.1)).fit(X[:300], y[:300])
        assert_array_equal(probe.predict(X), NearestCentroid().fit(X[:300], y[:300]).predict(X))

    def test_converges_to_the_coefficients_of_the_gaussian_model_and_so_does_logistic(self):
        rng = np.random.default_rng(0)
        mean, scale = np.array([1.0, -0.5, 0.0]), np.array([1.0, 2.0, 0.5])
        y = rng.integers(0, 2, 200_000)
        X = rng.normal(0, scale, (y.size, 3)) + y[:, None] * mean
        truth = mean / scale**2
        assert_allclose(LinearNaiveBayes().fit(X, y).coef_[0], truth, atol=0.03)
        assert_allclose(LogisticRegression(C=np.inf).fit(X, y).coef_[0], truth, atol=0.03)

    def test_weights_sum_to_zero_over_the_samples(self, wine):
        X, y = wine
        probe = LinearNaiveBayes().fit(X, y)
        assert_allclose(probe.class_count_ @ probe.coef_, 0, atol=1e-9 * np.abs(probe.coef_).max())


class TestBatches:
    @pytest.mark.parametrize("sizes", [[1] * 60, [7, 1, 40, 12], [60]])
    def test_any_split_into_batches_equals_one_fit(self, sizes):
        X, y = blobs(n_samples=60)
        labels = np.array(["w", "x", "y", "z"])[y]
        probe, start = LinearNaiveBayes(), 0
        for size in sizes:
            probe.partial_fit(X[start : start + size], labels[start : start + size])
            start += size
        assert_same_model(probe, LinearNaiveBayes().fit(X, labels), rtol=1e-10)
        assert probe.n_samples_seen_ == 60

    def test_a_batch_may_lack_declared_classes(self):
        X, y = blobs()
        probe = LinearNaiveBayes()
        for k in range(4):
            probe.partial_fit(X[y == k], y[y == k], classes=[0, 1, 2, 3])
        assert_same_model(probe, LinearNaiveBayes().fit(X, y), rtol=1e-10)

    def test_a_declared_class_without_samples_is_never_predicted(self):
        X, y = blobs(n_classes=3)
        probe = LinearNaiveBayes().partial_fit(X, y, classes=[0, 1, 2, 3])
        assert probe.intercept_[3] == -np.inf
        assert_array_equal(probe.predict_proba(X)[:, 3], 0)
        assert_allclose(
            probe.predict_proba(X)[:, :3], LinearNaiveBayes().fit(X, y).predict_proba(X)
        )

    def test_unknown_label_leaves_the_model_as_it_was(self):
        X, y = blobs()
        probe = LinearNaiveBayes().partial_fit(X, y, classes=[0, 1, 2, 3])
        before = pickle.dumps(probe)
        with pytest.raises(ValueError, match=r"labels \[9\] that are not in classes"):
            probe.partial_fit(X[:2], [9, 9])
        with pytest.raises(ValueError, match="NaN"):
            probe.partial_fit(np.full((2, 7), np.nan), [0, 1])
        assert pickle.dumps(probe) == before

    def test_changed_classes_are_an_error(self):
        X, y = blobs()
        probe = LinearNaiveBayes().partial_fit(X, y, classes=[0, 1, 2, 3])
        with pytest.raises(ValueError, match="differs from those of earlier calls"):
            probe.partial_fit(X, y, classes=[0, 1, 2, 3, 4])

    def test_merge_equals_one_fit_in_either_order(self):
        X, y = blobs()
        first, second = y < 2, y >= 1  # class 1 in both, 0 and 2, 3 in one only
        both = np.concatenate([np.flatnonzero(first), np.flatnonzero(second)])
        together = LinearNaiveBayes().fit(X[both], y[both])
        for a, b in ((first, second), (second, first)):
            merged = LinearNaiveBayes().fit(X[a], y[a]).merge(LinearNaiveBayes().fit(X[b], y[b]))
            assert_same_model(merged, together, rtol=1e-10)

    def test_merging_leaves_both_operands_as_they_were(self):
        X, y = blobs()
        a, b = LinearNaiveBayes().fit(X[:50], y[:50]), LinearNaiveBayes().fit(X[50:], y[50:])
        before = pickle.dumps((a, b))
        for _ in range(2):  # a notebook cell that is run twice
            for merged in (a.merge(b), a + b):
                assert merged is not a
                assert merged.n_samples_seen_ == 120
                assert_same_model(merged, LinearNaiveBayes().fit(X, y), rtol=1e-10)
        merged.partial_fit(X + 1, y)
        assert pickle.dumps((a, b)) == before

    def test_state_survives_a_round_trip(self):
        X, y = blobs()
        probe = LinearNaiveBayes(shrinkage=0.1).fit(X, y)
        state = pickle.loads(pickle.dumps(probe.get_state()))
        again = LinearNaiveBayes.from_state(state, shrinkage=0.1)
        assert_same_model(again, probe, rtol=0)
        assert_array_equal(again.predict(X), probe.predict(X))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"c": np.ones(3)}, "shapes"),
            ({"M2": np.full(7, np.nan)}, "NaN"),
            ({"c": -np.ones(4)}, "negative"),
            ({"classes": np.array([3, 2, 1, 0])}, "sorted"),
        ],
    )
    def test_broken_state_is_refused(self, change, message):
        state = LinearNaiveBayes().fit(*blobs()).get_state()
        with pytest.raises(ValueError, match=message):
            LinearNaiveBayes.from_state(state | change)

    def test_merge_refuses_what_does_not_fit(self):
        X, y = blobs()
        probe = LinearNaiveBayes().fit(X, y)
        with pytest.raises(ValueError, match="7 and 6 features"):
            probe.merge(LinearNaiveBayes().fit(X[:, :6], y))
        with pytest.raises(ValueError, match="shrinkage"):
            probe.merge(LinearNaiveBayes(shrinkage=0.5).fit(X, y))
        with pytest.raises(ValueError, match=r"shrinkage=0\.0 and 0\.5"):
            probe + LinearNaiveBayes(shrinkage=0.5).fit(X, y)
        with pytest.raises(ValueError, match="feature_names_in_"):
            probe.merge(LinearNaiveBayes().fit(pd.DataFrame(X, columns=list("abcdefg")), y))
        with pytest.raises(TypeError, match="LinearNaiveBayes with LogisticRegression"):
            probe.merge(LogisticRegression().fit(X, y))
        with pytest.raises(TypeError, match="'LinearNaiveBayes' and 'LogisticRegression'"):
            probe + LogisticRegression().fit(X, y)

    def test_declared_classes_survive_a_merge(self):
        X, y = blobs()
        a = LinearNaiveBayes().partial_fit(X[:60], y[:60], classes=[0, 1, 2, 3])
        b = LinearNaiveBayes().partial_fit(X[60:], y[60:], classes=[0, 1, 2, 3])
        with pytest.raises(ValueError, match="not in classes"):
            (a + b).partial_fit(X[:2], [0, 7])
        free = LinearNaiveBayes().partial_fit(X[60:], y[60:])
        assert 7 in (a + free).partial_fit(X[:2], [0, 7]).classes_

    def test_numbers_and_strings_are_not_mixed_as_labels(self):
        X, y = blobs()
        names = np.array(list("abcd"))[y]
        probe = LinearNaiveBayes().fit(X, y)
        with pytest.raises(ValueError, match="all numbers or all strings"):
            probe.merge(LinearNaiveBayes().fit(X, names))
        with pytest.raises(ValueError, match="all numbers or all strings"):
            probe.partial_fit(X, names)

    def test_parameters_set_between_batches_act_and_are_checked(self):
        X, y = blobs()
        probe = LinearNaiveBayes().partial_fit(X[:60], y[:60])
        params = {"shrinkage": 0.3, "temperature": 2.0, "priors": [0.1, 0.2, 0.3, 0.4], "ddof": 4}
        probe.set_params(**params).partial_fit(X[60:], y[60:])
        assert_same_model(probe, LinearNaiveBayes(**params).fit(X, y), rtol=1e-10)
        with pytest.raises(ValueError, match="'shrinkage' parameter"):
            probe.set_params(shrinkage=2.0).partial_fit(X, y)

    def test_a_failed_or_interrupted_fit_leaves_the_model_as_it_was(self, monkeypatch):
        X, y = blobs()
        probe = LinearNaiveBayes().fit(X, y)
        before = pickle.dumps(probe)
        with pytest.raises(ValueError, match="at least two classes"):
            probe.fit(X[:, :3], np.zeros(y.size))
        assert pickle.dumps(probe) == before

        def interrupt(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr("skreg.probe._naive_bayes.linear_form", interrupt)
        for call in (probe.fit, probe.partial_fit):
            with pytest.raises(KeyboardInterrupt):
                call(X[:30], y[:30])
            assert pickle.dumps(probe) == before

    def test_fit_batches_forgets_an_earlier_fit_and_keeps_what_it_read_on_interruption(self):
        X, y = blobs()

        def batches(fail):
            yield X[:50], y[:50]
            yield X[50:80], y[50:80], np.full(30, 2.0)
            if fail:
                raise KeyboardInterrupt

        weights = np.r_[np.ones(50), np.full(30, 2.0)]
        expected = LinearNaiveBayes().fit(X[:80], y[:80], sample_weight=weights)
        probe = LinearNaiveBayes().fit(X + 100, y)
        assert_same_model(probe.fit_batches(batches(fail=False)), expected, rtol=1e-10)
        with pytest.raises(KeyboardInterrupt):
            probe.fit_batches(batches(fail=True))
        assert_same_model(probe, expected, rtol=1e-10)
        with pytest.raises(ValueError, match="empty"):
            probe.fit_batches([])

    def test_loo_parameters_need_all_rows(self):
        X, y = blobs()
        for params in ({"shrinkage": "loo"}, {"temperature": "loo"}):
            with pytest.raises(ValueError, match="all rows at once"):
                LinearNaiveBayes(**params).partial_fit(X, y)


class TestClassesOfProbabilityZero:
    """The limits of scikit-learn's GaussianNB, which has a variance per class but the same rule."""

    @pytest.mark.parametrize("n_classes", [2, 3])
    @pytest.mark.parametrize("absent", [0, 1])
    def test_classes_without_rows_yet(self, n_classes, absent):
        X, y = blobs(n_classes=n_classes)
        kept = y != absent
        classes = np.arange(n_classes)
        probe = LinearNaiveBayes().partial_fit(X[kept], y[kept], classes=classes)
        expected = np.zeros((y.size, n_classes))
        if n_classes == 2:
            expected[:, 1 - absent] = 1.0
        else:
            rest = LinearNaiveBayes().fit(X[kept], y[kept])
            expected[:, classes != absent] = rest.predict_proba(X)
        assert_allclose(probe.predict_proba(X), expected, atol=1e-14)
        assert_array_equal(probe.predict_proba(X)[:, absent], 0)
        assert_array_equal(probe.predict_log_proba(X)[:, absent], -np.inf)
        assert not (probe.predict(X) == absent).any()
        assert not np.isnan(probe.decision_function(X)).any()
        with np.errstate(invalid="ignore", divide="ignore"):
            theirs = GaussianNB().partial_fit(X[kept], y[kept], classes=classes).predict_proba(X)
        assert_array_equal(theirs[:, absent], 0)

    def test_only_one_of_three_declared_classes_has_rows(self):
        X, y = blobs(n_classes=3)
        probe = LinearNaiveBayes().partial_fit(X[y == 1], y[y == 1], classes=[0, 1, 2])
        assert_array_equal(probe.predict_proba(X), np.tile([0.0, 1.0, 0.0], (y.size, 1)))

    @pytest.mark.parametrize("priors", [[0, 1], [1, 0], [0, 0.3, 0.7], [0.3, 0.7, 0], [0, 0, 1]])
    def test_priors_of_zero_are_the_limit_of_small_priors(self, priors):
        X, y = blobs(n_classes=len(priors))
        exact = LinearNaiveBayes(priors=priors).fit(X, y)
        almost = np.maximum(priors, 1e-250)
        limit = LinearNaiveBayes(priors=almost).fit(X, y)
        zero = np.equal(priors, 0)
        assert_array_equal(exact.predict_proba(X)[:, zero], 0)
        assert_allclose(exact.predict_proba(X), limit.predict_proba(X), atol=1e-12)
        assert_array_equal(exact.predict(X), limit.predict(X))
        assert not np.isnan(exact.decision_function(X)).any()
        assert_array_equal(exact.predict_log_proba(X)[:, zero], -np.inf)

    def test_one_class_has_one_column(self):
        X, y = blobs()
        probe = LinearNaiveBayes().partial_fit(X[y == 2], y[y == 2])
        reference = GaussianNB().partial_fit(X[y == 2], y[y == 2], classes=[2])
        assert_array_equal(probe.predict_proba(X), reference.predict_proba(X))
        assert probe.decision_function(X).shape == (y.size, 1)
        assert_array_equal(probe.predict(X), 2)
        assert_same_model(
            probe.partial_fit(X[y != 2], y[y != 2]), LinearNaiveBayes().fit(X, y), rtol=1e-10
        )

    def test_no_class_of_positive_prior_with_rows_is_an_error(self):
        X, y = blobs(n_classes=2)
        with pytest.raises(ValueError, match="every class with samples has prior 0"):
            LinearNaiveBayes(priors=[0, 1]).partial_fit(X[y == 0], y[y == 0], classes=[0, 1])

    def test_leave_one_out_with_a_prior_of_zero_or_a_declared_class_without_rows(self):
        X, y = blobs(n_classes=3)
        probe = LinearNaiveBayes(priors=[0, 0.4, 0.6], temperature="loo").fit(X, y)
        kept = y > 0
        assert np.isfinite(probe.coef_).all()
        scores = LinearNaiveBayes(priors=[0, 0.4, 0.6]).fit(X, y).loo_decision_function(X, y)
        log_loss = [
            -np.log(softmax(scores[kept, 1:] / t, axis=1)[np.arange(kept.sum()), y[kept] - 1]).sum()
            for t in (probe.temperature_ / 1.1, probe.temperature_, probe.temperature_ * 1.1)
        ]
        assert log_loss[1] == min(log_loss)
        declared = LinearNaiveBayes().partial_fit(X, y, classes=[0, 1, 2, 3])
        scores = declared.loo_decision_function(X, y)
        assert_allclose(scores[:, :3], LinearNaiveBayes().fit(X, y).loo_decision_function(X, y))
        assert_array_equal(scores[:, 3], -np.inf)


class TestWeights:
    def test_integer_weights_are_repetitions(self):
        X, y = blobs()
        weights = np.random.default_rng(1).integers(0, 4, y.size)
        weighted = LinearNaiveBayes(shrinkage=0.1).fit(X, y, sample_weight=weights)
        repeated = LinearNaiveBayes(shrinkage=0.1).fit(X.repeat(weights, 0), y.repeat(weights))
        assert_same_model(weighted, repeated, rtol=1e-10)

    def test_rows_of_weight_zero_do_not_count(self):
        X, y = blobs()
        weights = (np.arange(y.size) % 3 > 0).astype(float)
        outlying = np.where(weights[:, None] > 0, X, 1e30)
        assert_same_model(
            LinearNaiveBayes().fit(outlying, y, sample_weight=weights),
            LinearNaiveBayes().fit(X[weights > 0], y[weights > 0]),
            rtol=1e-12,
        )

    def test_bad_weights(self):
        X, y = blobs()
        with pytest.raises(ValueError, match="Negative"):
            LinearNaiveBayes().fit(X, y, sample_weight=-np.ones(y.size))
        with pytest.raises(ValueError, match="at least two classes"):
            LinearNaiveBayes().fit(X, y, sample_weight=(y == 1).astype(float))


class TestInvariances:
    @settings(max_examples=25, deadline=None)
    @given(
        hnp.arrays(float, 7, elements=st.floats(0.01, 100)),
        hnp.arrays(float, 7, elements=st.floats(-100, 100)),
    )
    def test_affine_maps_of_features_change_no_probability(self, scale, shift):
        X, y = blobs()
        plain = LinearNaiveBayes(var_smoothing=0).fit(X, y).predict_proba(X)
        moved = scale * X + shift
        assert_allclose(
            LinearNaiveBayes(var_smoothing=0).fit(moved, y).predict_proba(moved), plain, atol=1e-9
        )

    @pytest.mark.parametrize("constant", [0.0, 1 / 3, 1e6])
    def test_a_constant_column_changes_nothing(self, constant):
        X, y = blobs()
        wide = np.column_stack([X, np.full(y.size, constant)])
        probe = LinearNaiveBayes().fit(wide, y)
        assert_array_equal(probe.coef_[:, -1], 0)
        expected = LinearNaiveBayes().fit(X, y).decision_function(X)
        assert_allclose(probe.decision_function(wide), expected, rtol=1e-11)
        assert_array_equal(LinearNaiveBayes(var_smoothing=0).fit(wide, y).coef_[:, -1], 0)

    def test_duplicated_features_multiply_the_log_odds(self):
        X, y = blobs(n_classes=2)
        once = LinearNaiveBayes(var_smoothing=0).fit(X, y)
        thrice = LinearNaiveBayes(var_smoothing=0).fit(np.tile(X, 3), y)
        log_prior_ratio = np.log(once.class_prior_[1] / once.class_prior_[0])
        assert_allclose(
            thrice.decision_function(np.tile(X, 3)),
            3 * once.decision_function(X) - 2 * log_prior_ratio,
            rtol=1e-10,
            atol=1e-10,
        )

    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 10_000))
    def test_order_of_rows_and_names_of_classes_do_not_matter(self, seed):
        X, y = blobs(seed)
        order = np.random.default_rng(seed).permutation(y.size)
        renamed = np.array(["d", "c", "b", "a"])[y][order]
        a = LinearNaiveBayes().fit(X, y)
        b = LinearNaiveBayes().fit(X[order], renamed)
        assert_allclose(a.predict_proba(X), b.predict_proba(X)[:, ::-1], atol=1e-10)

    def test_temperature_divides_the_scores(self):
        X, y = blobs()
        cold, warm = LinearNaiveBayes().fit(X, y), LinearNaiveBayes(temperature=4.0).fit(X, y)
        assert_allclose(4 * warm.decision_function(X), cold.decision_function(X), rtol=1e-12)

    def test_smoothing_is_relative_to_the_largest_variance_or_absolute(self):
        X, y = blobs()
        pure = LinearNaiveBayes(var_smoothing=0).fit(X, y).var_
        relative = LinearNaiveBayes(var_smoothing=0.1).fit(X, y)
        absolute = LinearNaiveBayes(var_smoothing=0.1, smoothing="absolute").fit(X, y)
        assert_allclose(relative.var_ - pure, 0.1 * X.var(axis=0).max(), rtol=1e-10)
        assert_allclose(absolute.var_ - pure, 0.1, rtol=1e-10)


class TestLeaveOneOut:
    @pytest.mark.parametrize("n_classes", [2, 4])
    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize(
        "params",
        [
            {},
            {"shrinkage": 0.3, "temperature": 2.0},
            {"ddof": 2, "smoothing": "absolute", "var_smoothing": 0.1},
            {"priors": "uniform", "var_smoothing": 1e-2},
        ],
    )
    def test_scores_equal_brute_force_refits(self, n_classes, weighted, params):
        X, y = blobs(n_samples=30, n_classes=n_classes)
        if params.get("priors") == "uniform":
            params = params | {"priors": np.full(n_classes, 1 / n_classes)}
        weights = np.random.default_rng(0).uniform(0.5, 3, y.size) if weighted else None
        probe = LinearNaiveBayes(**params).fit(X, y, sample_weight=weights)
        scores = probe.loo_decision_function(X, y, sample_weight=weights)
        for i in range(y.size):
            rest = np.arange(y.size) != i
            refit = LinearNaiveBayes(**params).fit(
                X[rest], y[rest], sample_weight=None if weights is None else weights[rest]
            )
            assert_allclose(scores[i], refit.decision_function(X[[i]])[0], rtol=1e-9, atol=1e-9)

    def test_rows_without_companions_have_no_score(self):
        X, y = blobs(n_samples=20, n_classes=2)
        y[7] = 5
        scores = LinearNaiveBayes().fit(X, y).loo_decision_function(X, y)
        assert_array_equal(np.isnan(scores).all(axis=1), np.arange(20) == 7)

    def test_other_rows_than_those_of_fit_are_refused(self):
        X, y = blobs()
        probe = LinearNaiveBayes().fit(X, y)
        with pytest.raises(ValueError, match="fitted on"):
            probe.loo_decision_function(X + 1, y)

    def test_temperature_minimises_the_log_loss_of_the_refits(self):
        X, y = blobs(n_features=4)
        X = np.tile(X, 5)
        probe = LinearNaiveBayes(temperature="loo").fit(X, y)
        cold = LinearNaiveBayes().fit(X, y).loo_decision_function(X, y)

        def log_loss(temperature):
            return -np.log(softmax(cold / temperature, axis=1)[np.arange(y.size), y]).mean()

        grid = np.geomspace(probe.temperature_ / 3, probe.temperature_ * 3, 2001)
        losses = [log_loss(t) for t in grid]
        assert abs(np.log(grid[np.argmin(losses)] / probe.temperature_)) < 1e-3
        assert probe.temperature_ > 3  # five copies of every feature are five times overconfident
        assert_allclose(probe.loo_decision_function(X, y), cold / probe.temperature_, rtol=1e-9)

    def test_shrinkage_is_the_best_of_the_grid_at_its_best_temperature(self, digits):
        X, y = digits[0][:60], digits[1][:60]
        probe = LinearNaiveBayes(shrinkage="loo").fit(X, y)
        losses = {}
        for shrinkage in (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0):
            scores = LinearNaiveBayes(shrinkage=shrinkage).fit(X, y).loo_decision_function(X, y)
            kept = np.isfinite(scores[:, 0])
            losses[shrinkage] = min(
                -np.log(softmax(scores[kept] / t, axis=1)[np.arange(kept.sum()), y[kept]]).mean()
                for t in np.geomspace(1, 1e4, 400)
            )
        assert losses[probe.shrinkage_] <= min(losses.values()) * (1 + 1e-3)

    def test_separated_classes_keep_the_temperature_finite(self):
        X, y = blobs(n_classes=2)
        probe = LinearNaiveBayes(temperature="loo").fit(X + 1000 * y[:, None], y)
        assert np.isfinite(probe.coef_).all()
        assert 0 < probe.temperature_ <= 1

    @pytest.mark.parametrize("params", [{"shrinkage": "loo"}, {"temperature": "loo"}])
    def test_choices_take_integer_weights_for_copies_of_rows(self, params):
        X, y = blobs(n_samples=40)
        weights = np.random.default_rng(0).integers(1, 5, 40)
        copies = np.repeat(np.arange(40), weights)
        probe = LinearNaiveBayes(**params).fit(X, y, sample_weight=weights)
        repeated = LinearNaiveBayes(**params).fit(X[copies], y[copies])
        assert probe.shrinkage_ == repeated.shrinkage_
        assert_allclose(probe.temperature_, repeated.temperature_, rtol=1e-6)

    def test_loo_needs_a_class_of_two(self):
        with pytest.raises(ValueError, match="at least two samples"):
            LinearNaiveBayes(shrinkage="loo").fit([[0.0], [1.0]], [0, 1])


class TestNumbers:
    def test_large_offsets_in_single_precision(self):
        rng = np.random.default_rng(0)
        X = rng.normal(1000, 1, (50_000, 3)).astype(np.float32)
        y = rng.integers(0, 2, 50_000)
        wide = X.astype(np.float64)
        expected = sum(wide[y == k].var(axis=0) * np.mean(y == k) for k in (0, 1))
        assert_allclose(LinearNaiveBayes(var_smoothing=0).fit(X, y).var_, expected, rtol=1e-6)

    def test_half_precision_is_widened_before_squaring(self):
        X, y = blobs()
        half = (X * 1000).astype(np.float16)  # squares overflow float16
        probe = LinearNaiveBayes().fit(half, y)
        assert probe.coef_.dtype == np.float32
        assert_same_model(probe, LinearNaiveBayes().fit(half.astype(np.float64), y), rtol=1e-5)
        assert probe.predict_proba(half).dtype == np.float32

    @pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray])
    @pytest.mark.parametrize("chunk_size", [None, 1, 17])
    def test_chunks_and_memory_layout_do_not_matter(self, layout, chunk_size):
        X, y = blobs()
        probe = LinearNaiveBayes(chunk_size=chunk_size).fit(layout(X), y)
        reference = LinearNaiveBayes().fit(X, y)
        assert_same_model(probe, reference, rtol=1e-12)
        assert_array_equal(probe.predict(layout(X)), reference.predict(X))

    @pytest.mark.parametrize("scale", [1e-158, 1e-300])
    def test_scales_whose_squares_underflow_are_refused(self, scale):
        X, y = blobs()
        with pytest.raises(ValueError, match="squares underflow"):
            LinearNaiveBayes(temperature=2.0).fit(X * scale, y)
        with pytest.raises(ValueError, match="squares underflow"):
            LinearNaiveBayes(temperature="loo").fit(X * scale, y)

    @pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30])
    def test_tiny_and_huge_scales(self, scale):
        X, y = blobs()
        assert_allclose(
            LinearNaiveBayes().fit(X * scale, y).predict_proba(X * scale),
            LinearNaiveBayes().fit(X, y).predict_proba(X),
            atol=1e-7,
        )

    def test_one_sample_per_class_acts_as_nearest_class_mean(self):
        X, y = blobs()
        first = [np.flatnonzero(y == k)[0] for k in range(4)]
        for var_smoothing in (0, 1e-9):
            with pytest.warns(UserWarning, match="nearest-class-mean"):
                probe = LinearNaiveBayes(var_smoothing=var_smoothing).fit(X[first], y[first])
            expected = NearestCentroid().fit(X[first], y[first]).predict(X)
            assert_array_equal(probe.predict(X), expected)

    def test_memory_beyond_the_data_is_bounded(self):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((60_000, 512), dtype=np.float32)
        y = rng.integers(0, 50, 60_000)
        LinearNaiveBayes().fit(X[:100], y[:100])
        tracemalloc.start()
        probe = LinearNaiveBayes().fit(X, y)
        probe.predict(X)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 64 * 2**20


class TestSparse:
    @pytest.mark.parametrize("container", [sparse.csr_matrix, sparse.csr_array, sparse.csc_array])
    def test_equals_dense(self, container, digits):
        X, y = digits[0][:400], digits[1][:400]
        weights = np.random.default_rng(0).uniform(0, 2, y.size)
        weights[:50] = 0
        dense = LinearNaiveBayes(shrinkage="loo").fit(X, y, sample_weight=weights)
        thin = LinearNaiveBayes(shrinkage="loo").fit(container(X), y, sample_weight=weights)
        assert_same_model(thin, dense, rtol=1e-9)
        assert_allclose(thin.predict_proba(container(X)), dense.predict_proba(X), atol=1e-9)
        assert_array_equal(thin.predict(container(X)), dense.predict(X))

    def test_large_offset_of_stored_values_keeps_its_digits(self):
        rng = np.random.default_rng(0)
        X = rng.normal(1e6, 1, (2000, 3))
        y = rng.integers(0, 2, 2000)
        expected = sum(X[y == k].var(axis=0) * np.mean(y == k) for k in (0, 1))
        probe = LinearNaiveBayes(var_smoothing=0).fit(sparse.csr_array(X), y)
        assert_allclose(probe.var_, expected, rtol=1e-9)

    def test_is_not_densified(self):
        X = sparse.random_array((20_000, 20_000), density=1e-4, format="csr", rng=0)
        y = np.arange(20_000) % 3
        LinearNaiveBayes().fit(X[:100], y[:100])
        tracemalloc.start()
        LinearNaiveBayes().fit(X, y).predict(X)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 32 * 2**20  # dense: 3.2 GB

    def test_non_finite_values_are_refused(self):
        X, y = blobs()
        bad = sparse.csr_array(X)
        bad.data[3] = np.inf
        with pytest.raises(ValueError, match="infinity"):
            LinearNaiveBayes().fit(bad, y)
        with pytest.raises(ValueError, match="infinity"):
            LinearNaiveBayes().fit(X, y).predict(bad)


class TestBadInput:
    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_non_finite_features(self, value, dtype):
        X, y = blobs()
        X = np.column_stack([X, np.ones(y.size)]).astype(dtype)
        probe = LinearNaiveBayes().fit(X, y)
        for column in (2, 7):  # the last is constant and has weight zero
            bad = X.copy()
            bad[5, column] = value
            with pytest.raises(ValueError, match=r"NaN|infinity"):
                LinearNaiveBayes().fit(bad, y)
            with pytest.raises(ValueError, match=r"NaN|infinity"):
                probe.predict(bad)
            weights = np.ones(y.size)
            weights[5] = 0
            with pytest.raises(ValueError, match=r"NaN|infinity"):
                LinearNaiveBayes().fit(bad, y, sample_weight=weights)

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"var_smoothing": -1.0}, "var_smoothing"),
            ({"smoothing": "both"}, "smoothing"),
            ({"shrinkage": 1.5}, "shrinkage"),
            ({"shrinkage": "cv"}, "shrinkage"),
            ({"ddof": -1}, "ddof"),
            ({"ddof": 120}, "ddof=120 must be smaller"),
            ({"temperature": 0.0}, "temperature"),
            ({"chunk_size": 0}, "chunk_size"),
            ({"priors": [0.5, 0.5]}, "one entry per class"),
            ({"priors": [0.5, 0.5, 0.5, -0.5]}, "non-negative"),
            ({"priors": [0.1, 0.1, 0.1, 0.1]}, "sum of the priors"),
        ],
    )
    def test_parameters_outside_their_range(self, params, message):
        with pytest.raises(ValueError, match=message):
            LinearNaiveBayes(**params).fit(*blobs())

    def test_one_class(self):
        with pytest.raises(ValueError, match="at least two classes"):
            LinearNaiveBayes().fit(np.ones((3, 2)), [1, 1, 1])

    def test_infinite_weight_of_a_feature_without_variance(self):
        X = np.array([[0.0, 1.0], [0.0, 2.0], [1.0, 1.0], [1.0, 3.0]])
        with pytest.raises(ValueError, match="feature 0 is constant within every class"):
            LinearNaiveBayes(var_smoothing=0).fit(X, [0, 0, 1, 1])

    def test_overflow_is_named(self):
        X = np.array([[1e200], [-1e200], [3e200], [0.0]])
        with pytest.raises(ValueError, match="overflow"):
            LinearNaiveBayes().fit(X, [0, 0, 1, 1])


def test_numbers_stored_as_objects_are_labels():
    X, y = blobs()
    for labels in (y, y - 2, 2.0 * y, y > 1):
        expected = LinearNaiveBayes().fit(X, labels)
        probe = LinearNaiveBayes().fit(X, labels.astype(object))
        assert probe.classes_.dtype == expected.classes_.dtype
        assert_array_equal(probe.predict(X), expected.predict(X))
        assert_array_equal(
            LinearNaiveBayes().partial_fit(X, labels.astype(object)).predict(X),
            expected.predict(X),
        )


def test_data_frames_and_labels_of_any_kind():
    X, y = make_classification(random_state=0)
    frame = pd.DataFrame(X, columns=[f"f{j}" for j in range(X.shape[1])])
    for labels in (y.astype(bool), np.array(["no", "yes"])[y], pd.Series(y, dtype="category")):
        probe = LinearNaiveBayes().fit(frame, labels)
        assert_array_equal(probe.feature_names_in_, frame.columns)
        assert set(probe.predict(frame)) <= set(labels)
        assert_array_equal(
            probe.predict(frame) == np.asarray(labels), probe.predict(frame) == labels
        )


def test_priors_replace_the_class_frequencies():
    X, y = blobs(n_classes=2)
    plain = LinearNaiveBayes().fit(X, y)
    given = LinearNaiveBayes(priors=[0.9, 0.1]).fit(X, y)
    shift = np.log(0.1 / 0.9) - np.log(plain.class_prior_[1] / plain.class_prior_[0])
    assert_allclose(given.decision_function(X), plain.decision_function(X) + shift, rtol=1e-9)
