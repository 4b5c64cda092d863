"""`LinearProbe`: its members in the limits that others know, its options, and what it refuses."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestCentroid

from skreg.probe import LinearNaiveBayes, LinearProbe

WINE = load_wine(return_X_y=True)
FIXED = {"scaling": 1.0, "shrinkage": 0.2, "sharpness": 0.5, "logistic": False}


def few_of_wine(n=30, seed=0):
    return train_test_split(*WINE, train_size=n, stratify=WINE[1], random_state=seed)


def log_loss(probe, X, y):
    return -np.mean(
        np.log(probe.predict_proba(X)[np.arange(len(y)), np.searchsorted(probe.classes_, y)])
    )


def test_no_shrinkage_is_linear_discriminant_analysis():
    X, y = WINE
    probe = LinearProbe(scaling=0.0, shrinkage=0.0, sharpness=1.0, logistic=False).fit(X, y)
    scatter = np.cov((X - probe_means(X, y)).T, ddof=0)
    # the common scale of the columns changes nothing without shrinkage
    lda = LinearDiscriminantAnalysis(solver="lsqr").fit(X, y)
    np.testing.assert_allclose(lda.covariance_, scatter, rtol=1e-8)
    np.testing.assert_allclose(
        probe.predict_log_proba(X), lda.predict_log_proba(X), rtol=1e-6, atol=1e-9
    )


def probe_means(X, y):
    return np.array([X[y == k].mean(axis=0) for k in np.unique(y)])[y]


def test_full_shrinkage_without_scaling_is_nearest_centroid():
    X, y = WINE
    probe = LinearProbe(scaling=0.0, shrinkage=1.0, sharpness=1.0, logistic=False).fit(X, y)
    prior = np.log(np.bincount(y) / len(y))
    distances = ((X[:, None] - NearestCentroid().fit(X, y).centroids_) ** 2).sum(axis=2)
    variance = ((X - probe_means(X, y)) ** 2).mean()
    np.testing.assert_allclose(
        probe.predict_log_proba(X), log_softmax(prior - distances / (2 * variance), axis=1),
        rtol=1e-9, atol=1e-9,
    )  # fmt: skip


def test_full_shrinkage_of_standardised_columns_is_naive_bayes_up_to_the_row_in_the_scale():
    X, y = np.vstack([WINE[0]] * 40), np.tile(WINE[1], 40)
    probe = LinearProbe(scaling=1.0, shrinkage=1.0, sharpness=1.0, logistic=False).fit(X, y)
    naive = LinearNaiveBayes(var_smoothing=0).fit(X, y)
    np.testing.assert_allclose(
        probe.predict_proba(WINE[0]), naive.predict_proba(WINE[0]), atol=3e-4
    )


@pytest.mark.parametrize("logistic", [False, True])
def test_loo_log_loss_of_one_closed_form_is_that_of_refits(logistic):
    X, _, y, _ = few_of_wine(25)
    probe = LinearProbe(scaling=0.0, average=False, logistic=False).fit(X, y)
    params = {"shrinkage": probe.shrinkage_, "sharpness": probe.sharpness_}
    losses = []
    for i in range(25):
        kept = np.arange(25) != i
        # the common scale is kept when a row is left out: give it to the refit as a sharpness
        own = ((X[kept] - probe_means(X[kept], y[kept])) ** 2).mean()
        whole = ((X - probe_means(X, y)) ** 2).mean()
        eta, rho = own / whole, params["shrinkage"]
        shrinkage = rho / ((1 - rho) * eta + rho)
        sharpness = params["sharpness"] * eta / ((1 - rho) * eta + rho)
        refit = LinearProbe(scaling=0.0, shrinkage=shrinkage, sharpness=sharpness, logistic=False)
        losses.append(log_loss(refit.fit(X[kept], y[kept]), X[[i]], y[[i]]))
    assert probe.loo_log_loss_ == pytest.approx(np.mean(losses), rel=1e-8)
    both = LinearProbe(scaling=0.0, average=False, logistic=logistic).fit(X, y)
    assert both.loo_log_loss_ <= probe.loo_log_loss_


def test_average_is_the_weighted_sum_of_its_members():
    X, X_test, y, _ = few_of_wine()
    probe = LinearProbe(logistic=False).fit(X, y)
    weights = probe.closed_form_weights_
    total = np.zeros((len(X_test), 3))
    for a, scaling in enumerate((1.0, 0.5, 0.0)):
        for b, shrinkage in enumerate((1.0, 0.8, 0.5, 0.25, 0.1, 0.03, 0.01, 0.001)):
            for c, sharpness in enumerate(2.0 ** np.arange(-5, 3)):
                if weights[a, b, c] > 0:
                    member = LinearProbe(
                        scaling=scaling, shrinkage=shrinkage, sharpness=sharpness, logistic=False
                    )
                    total += weights[a, b, c] * member.fit(X, y).predict_proba(X_test)
    total += (1 - weights.sum()) * probe.class_prior_
    np.testing.assert_allclose(probe.predict_proba(X_test), total, atol=1e-9)


def test_weights_of_all_members_sum_to_at_most_one_and_name_the_head():
    probe = LinearProbe().fit(*WINE)
    closed, logistic = probe.closed_form_weights_.sum(), probe.logistic_weight_
    assert 0.8 < closed + logistic <= 1 + 1e-12
    assert probe.head_ == ("logistic" if logistic > closed else "closed form")
    assert LinearProbe(logistic=False).fit(*WINE).logistic_weight_ == 0.0


@pytest.mark.parametrize("logistic", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_single_member_is_linear(logistic, n_classes):
    X, y = (part[WINE[1] < n_classes] for part in WINE)
    probe = LinearProbe(average=False, logistic=logistic).fit(X, y)
    scores = X @ probe.coef_.T + probe.intercept_
    assert probe.coef_.shape == (n_classes if n_classes > 2 else 1, 13)
    if n_classes == 2:
        scores = np.column_stack([np.zeros(len(X)), scores[:, 0]])
    expected = np.exp(log_softmax(scores, axis=1))
    np.testing.assert_allclose(probe.predict_proba(X), expected, atol=1e-9)
    assert not hasattr(LinearProbe(logistic=logistic).fit(X, y), "coef_")


def test_single_member_after_an_average_and_back():
    probe = LinearProbe(average=False).fit(*WINE)
    probe.set_params(average=True).fit(*WINE)
    assert not hasattr(probe, "coef_")
    np.testing.assert_array_equal(
        probe.predict_proba(WINE[0]), LinearProbe().fit(*WINE).predict_proba(WINE[0])
    )


def test_few_columns_or_many_are_the_same_mathematics():
    X, _, y, _ = few_of_wine()
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.normal(size=(60, 60)))[0][:13]
    narrow = LinearProbe(scaling=0.0, shrinkage=1.0, sharpness=0.1).fit(X, y)
    wide = LinearProbe(scaling=0.0, shrinkage=1.0, sharpness=0.1 * 13 / 60)
    wide.fit(X @ rotation, y)  # the mean variance is over 60 columns, not 13
    np.testing.assert_allclose(narrow.closed_form_weights_, wide.closed_form_weights_, atol=1e-6)


@pytest.mark.parametrize("factor", [1e-150, 1e-3, 1e6, 1e150])
def test_a_common_scale_and_shift_change_nothing(factor):
    X, X_test, y, _ = few_of_wine()
    base = LinearProbe().fit(X, y).predict_proba(X_test)
    moved = LinearProbe().fit(factor * X, y).predict_proba(factor * X_test)
    np.testing.assert_allclose(moved, base, atol=1e-6)
    shifted = LinearProbe().fit(X - 1e4, y).predict_proba(X_test - 1e4)
    np.testing.assert_allclose(shifted, base, atol=1e-5)


def test_integer_weights_are_copies_of_rows_and_zero_weights_none():
    X, X_test, y, _ = few_of_wine()
    weights = np.random.default_rng(0).integers(0, 3, size=30).astype(float)
    copies = np.repeat(np.arange(30), weights.astype(int))
    ours = LinearProbe(logistic=False).fit(X, y, weights)
    theirs = LinearProbe(logistic=False).fit(X[copies], y[copies])
    np.testing.assert_allclose(ours.predict_proba(X_test), theirs.predict_proba(X_test), atol=1e-8)


@pytest.mark.parametrize("change", [{}, {"average": False}, {"quadratic": True}])
def test_a_row_of_little_weight_changes_little(change):
    X, X_test, y, _ = few_of_wine()
    X, X_test = (part[:, [0, 1, 4, 10]] for part in (X, X_test))
    without = LinearProbe(**change).fit(X[1:], y[1:])
    light = LinearProbe(**change).fit(X, y, np.where(np.arange(30) == 0, 1e-4, 1.0))
    np.testing.assert_allclose(
        light.predict_proba(X_test), without.predict_proba(X_test), atol=3e-3
    )
    assert light.loo_log_loss_ == pytest.approx(without.loo_log_loss_, rel=1e-2)


@pytest.mark.parametrize("params", [{}, FIXED])
def test_weights_that_are_shares_of_one_row_are_told(params):
    X, _, y, _ = few_of_wine()
    with pytest.warns(UserWarning, match=r"sample_weight sums to 1, less than one row a class"):
        LinearProbe(**params).fit(X, y, np.full(30, 1 / 30))


@pytest.mark.parametrize("n_batches", [1, 4, 30])
def test_batches_are_one_fit(n_batches):
    X, X_test, y, _ = few_of_wine()
    whole, parts = LinearProbe(**FIXED).fit(X, y), LinearProbe(**FIXED)
    for rows in np.array_split(np.arange(30), n_batches):
        parts.partial_fit(X[rows], y[rows])
    np.testing.assert_allclose(
        parts.predict_proba(X_test), whole.predict_proba(X_test), rtol=1e-8, atol=1e-12
    )
    np.testing.assert_allclose(parts.coef_, whole.coef_, rtol=1e-7, atol=1e-10)


def test_declared_classes_may_lack_rows():
    X, X_test, y, _ = few_of_wine()
    probe = LinearProbe(**FIXED).partial_fit(X[y < 2], y[y < 2], classes=[0, 1, 2])
    assert (probe.predict_proba(X_test)[:, 2] == 0).all()
    probe.partial_fit(X[y == 2], y[y == 2])
    expected = LinearProbe(**FIXED).fit(X, y).predict_proba(X_test)
    np.testing.assert_allclose(probe.predict_proba(X_test), expected, rtol=1e-8, atol=1e-12)


def test_batches_only_where_nothing_is_chosen():
    assert hasattr(LinearProbe(**FIXED), "partial_fit")
    assert not hasattr(LinearProbe(), "partial_fit")
    assert not hasattr(LinearProbe(**{**FIXED, "logistic": True}), "partial_fit")
    with pytest.raises(ValueError, match=r"labels \[2\] that are not in classes"):
        LinearProbe(**FIXED).partial_fit(*WINE, classes=[0, 1])


def test_dask_arrays_are_one_fit_where_nothing_is_chosen():
    da = pytest.importorskip("dask.array")
    X, y = WINE
    blocks = da.from_array(X, chunks=(50, 13)), da.from_array(y, chunks=50)
    probe = LinearProbe(**FIXED).fit(*blocks)
    whole = LinearProbe(**FIXED).fit(X, y)
    np.testing.assert_allclose(
        probe.predict_proba(blocks[0]).compute(), whole.predict_proba(X), atol=1e-9
    )
    np.testing.assert_array_equal(probe.predict(blocks[0]).compute(), whole.predict(X))
    assert probe.decision_function(blocks[0]).compute().shape == (178, 3)
    with pytest.raises(ValueError, match="all rows at once, not a dask array"):
        LinearProbe().fit(*blocks)


def test_kinds_of_input_agree():
    X, y = load_digits(return_X_y=True)
    X, X_test, y = X[:60], X[60:90], y[:60]
    base = LinearProbe().fit(X, y)
    expected = base.predict_proba(X_test)
    csr = LinearProbe().fit(sparse.csr_array(X), y).predict_proba(sparse.csr_array(X_test))
    np.testing.assert_allclose(csr, expected, atol=1e-12)
    single = LinearProbe().fit(X.astype(np.float32), y).predict_proba(X_test.astype(np.float32))
    np.testing.assert_allclose(single, expected, atol=1e-9)
    frame = pd.DataFrame(X, columns=[f"p{j}" for j in range(64)])
    named = LinearProbe().fit(frame, np.array(list("abcdefghij"))[y])
    assert named.feature_names_in_[1] == "p1"
    test_frame = pd.DataFrame(X_test, columns=frame.columns)
    np.testing.assert_array_equal(named.classes_[expected.argmax(1)], named.predict(test_frame))
    for copy in (pickle.loads(pickle.dumps(base)), clone(base).fit(X, y)):
        np.testing.assert_array_equal(copy.predict_proba(X_test), expected)


def test_classes_of_one_row_are_told_and_do_not_decide():
    X, X_test, y, _ = few_of_wine()
    kept = (y < 2) | (np.arange(30) == np.flatnonzero(y == 2)[0])
    with pytest.warns(UserWarning, match=r"the classes \[2\] have a single row"):
        probe = LinearProbe().fit(X[kept], y[kept])
    assert np.isfinite(probe.loo_log_loss_)
    assert np.isfinite(probe.predict_proba(X_test)).all()


@pytest.mark.parametrize("average", [True, False])
def test_one_row_per_class_keeps_the_prior_weights(average):
    X, y = WINE[0][[0, 70, 140]], WINE[1][[0, 70, 140]]
    with pytest.warns(UserWarning, match="single row"):
        probe = LinearProbe(average=average).fit(X, y)
    assert np.isnan(probe.loo_log_loss_)
    np.testing.assert_array_equal(probe.predict(X), y)


@pytest.mark.filterwarnings("ignore:the classes")
@pytest.mark.parametrize("shape", [(12, 1), (12, 3), (2, 1), (3, 50)])
def test_constant_columns_leave_the_class_frequencies(shape):
    X, y = np.full(shape, 7.0), np.arange(shape[0]) % 2
    probe = LinearProbe().fit(X, y)
    expected = np.tile(np.bincount(y) / len(y), (shape[0], 1))
    np.testing.assert_allclose(probe.predict_proba(X), expected, atol=1e-4)


@pytest.mark.parametrize("params", [{}, FIXED])
def test_a_constant_column_has_no_coefficient(params):
    X, _, y, _ = few_of_wine(31)
    wide = np.column_stack([X, np.full(31, 0.1)])  # the mean differs from 0.1 in its last digit
    probe = LinearProbe(average=False, **params).fit(wide, y)
    np.testing.assert_array_equal(probe.coef_[:, -1], 0.0)


def test_many_rows_are_thinned_evenly():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [100, 900, 3000])
    X = rng.normal(size=(4000, 2)) + y[:, None]
    probe = LinearProbe().fit(X, y)
    assert probe.loo_log_loss_ == pytest.approx(log_loss(probe, X, y), abs=0.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scaling": 2.0}, "'scaling' parameter"),
        ({"shrinkage": -0.1}, "'shrinkage' parameter"),
        ({"sharpness": 0.0}, "'sharpness' parameter"),
        ({"sharpness": "auto"}, "'sharpness' parameter"),
        ({"logistic": "no"}, "'logistic' parameter"),
        ({"average": 3}, "'average' parameter"),
    ],
)
def test_parameters_out_of_range_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        LinearProbe(**change).fit(*WINE)


@pytest.mark.parametrize("fixed", [{}, FIXED])
def test_bad_data_are_refused(fixed):
    X, y = WINE
    with pytest.raises(ValueError, match="one class"):
        LinearProbe(**fixed).fit(X, np.zeros(178))
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        LinearProbe(**fixed).fit(np.where(X > 1000, np.inf, X), y)
    with pytest.raises(ValueError, match="Negative"):
        LinearProbe(**fixed).fit(X, y, np.full(178, -1.0))
    with pytest.raises(ValueError, match=r"sum of sample_weight|samples|weight"):
        LinearProbe(**fixed).fit(X, y, np.zeros(178))


@pytest.mark.parametrize("params", [{**FIXED, "shrinkage": 0.0}, {"shrinkage": 0.0}])
def test_no_shrinkage_takes_repeated_columns_and_refuses_what_is_singular(params):
    X, X_test, y, _ = few_of_wine(60)
    probe, twice = LinearProbe(**params).fit(X, y), np.hstack([X, X[:, :2], np.ones((60, 1))])
    wide = LinearProbe(**params).fit(twice, y)
    again = np.hstack([X_test, X_test[:, :2], np.ones((118, 1))])
    assert np.isfinite(wide.predict_proba(again)).all()
    if "sharpness" in params:  # up to the common scale, which is a mean over columns
        scores = wide.decision_function(again) - np.log(wide.class_prior_)
        base = probe.decision_function(X_test) - np.log(probe.class_prior_)
        ratio = np.diff(scores, axis=1) / np.diff(base, axis=1)
        np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-6)
    for singular in (np.column_stack([X, y]), np.hstack([X] * 5) + np.eye(60, 65)):
        with pytest.raises(ValueError, match="give shrinkage > 0"):
            LinearProbe(**params).fit(singular, y)


@pytest.mark.parametrize("factor", [1e-160, 1e-300, 1e155, 1e300])
def test_units_whose_squares_leave_the_floats_are_refused_where_sums_are_kept(factor):
    X, y = WINE
    with pytest.raises(ValueError, match=r"squares (over|under)flow"):
        LinearProbe(**FIXED).fit(factor * X, y)
    with pytest.raises(ValueError, match=r"squares (over|under)flow"):
        LinearProbe(**FIXED).partial_fit(factor * X, y)


@pytest.mark.filterwarnings("ignore:the classes")
def test_the_whole_range_of_floats_is_taken():
    X = np.array([[-1.7e308], [1.7e308]])
    np.testing.assert_array_equal(LinearProbe().fit(X, [0, 1]).predict(X), [0, 1])


def test_methods_of_an_unfitted_probe_say_so():
    da = pytest.importorskip("dask.array")
    X = da.from_array(WINE[0])
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        with pytest.raises(NotFittedError):
            getattr(LinearProbe(), method)(X)


@pytest.mark.parametrize("params", [{}, {"average": False}, {"quadratic": True}, FIXED])
def test_constant_columns_change_nothing(params):
    X, X_test, y, _ = few_of_wine(40)
    base = LinearProbe(**params).fit(X, y).predict_proba(X_test)
    wide, wide_test = (
        np.hstack([part, np.full((len(part), 3), [0.1, 1e9, 0.0])]) for part in (X, X_test)
    )
    ours = LinearProbe(**params).fit(wide, y).predict_proba(wide_test)
    np.testing.assert_allclose(ours, base, atol=1e-6)


def test_left_out_rows_without_which_the_covariance_is_singular():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(15, 13)), np.arange(15) % 2
    probe = LinearProbe(shrinkage=0.0, logistic=False).fit(X, y)
    assert np.isfinite(probe.loo_log_loss_)
    assert np.isfinite(probe.predict_proba(X)).all()


@pytest.mark.parametrize("params", [{}, {"quadratic": True}, {"average": False}, FIXED])
def test_a_class_without_weight_changes_no_other(params):
    X, X_test, y, _ = few_of_wine(60)
    ours = LinearProbe(**params).fit(X, y, np.where(y == 1, 0.0, 1.0)).predict_proba(X_test)
    theirs = LinearProbe(**params).fit(X[y != 1], y[y != 1]).predict_proba(X_test)
    np.testing.assert_array_equal(ours[:, 1], 0.0)
    np.testing.assert_allclose(ours[:, [0, 2]], theirs, atol=1e-12)
