"""The report on residuals: statistics against statsmodels and scipy, false alarms, and power."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.diagnostic import het_breuschpagan
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.stattools import jarque_bera

from skreg.causal import SortNRegress
from skreg.causal._noise_tests import (
    constant_variance,
    correlations,
    equal_variances,
    holm,
    residuals,
    shape_of,
)
from skreg.datasets import make_linear_sem

GRAPH = np.array([[0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]], dtype=bool)
ALL = ["normal noise", "constant noise level", "uncorrelated noises", "equal noise variances"]


def rows(n=300, seed=0, noise="gaussian", **settings):
    return make_linear_sem(n, adjacency=GRAPH * 1.0, noise=noise, random_state=seed, **settings).X


@pytest.fixture(scope="module")
def model():
    model = SortNRegress().fit(rows(500))
    model.adjacency_matrix_ = GRAPH * 1.0
    return model


def test_statistics_are_those_of_statsmodels_and_scipy():
    X = rows(noise="laplace") + 50.0
    R = residuals(X, GRAPH)
    skewness, kurtosis, p_normal = shape_of(R)
    p_constant = constant_variance(X, R, GRAPH)
    correlation, p_uncorrelated = correlations(R)
    for j in range(4):
        design = sm.add_constant(X[:, GRAPH[:, j]]) if GRAPH[:, j].any() else np.ones((len(X), 1))
        fit = sm.OLS(X[:, j], design).fit()
        np.testing.assert_allclose(R[:, j], fit.resid, atol=1e-9)
        _, p, skew, kurt = jarque_bera(fit.resid)
        assert [p_normal[j], skewness[j], kurtosis[j] + 3] == pytest.approx([p, skew, kurt])
        if GRAPH[:, j].any():
            expected = het_breuschpagan(fit.resid, design)[1]
            assert p_constant[j] == pytest.approx(expected, rel=1e-6)
    assert np.isnan(p_constant[0])
    r, p = stats.pearsonr(R[:, 0], R[:, 3])
    assert (correlation[0, 3], p_uncorrelated[0, 3]) == pytest.approx((r, p))
    assert equal_variances(R) == pytest.approx(stats.levene(*R.T).pvalue)


def test_holm_is_that_of_statsmodels():
    p = np.random.default_rng(0).random(20) ** 4
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])
    with_nothing = np.array([np.nan, 0.01, np.nan, 0.04])
    np.testing.assert_allclose(holm(with_nothing), [np.nan, 0.02, np.nan, 0.04])


def test_false_alarms_are_as_rare_as_the_level_says(model):
    n_data = 300
    alarms = dict.fromkeys(ALL, 0)
    for seed in range(n_data):
        for name in model.noise_report(rows(seed=seed)).failed:
            alarms[name] += 1
    for name, count in alarms.items():
        assert count / n_data <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / n_data), name


def test_heavy_tails_are_seen(model):
    report = model.noise_report(rows(1000, noise="laplace"))
    assert report.failed == ["normal noise"]
    assert np.all(report.excess_kurtosis > 1)


def test_a_noise_level_that_depends_on_a_parent_is_seen(model):
    rng = np.random.default_rng(0)
    X = rows(500)
    X[:, 3] = X[:, 2] + np.exp(0.3 * X[:, 2]) * rng.normal(size=len(X))
    report = model.noise_report(X)
    assert "constant noise level" in report.failed
    assert np.nanargmin(report.p_constant) == 3


def test_a_hidden_cause_is_seen(model):
    X = rows(500)
    hidden = np.random.default_rng(5).normal(size=len(X))
    X[:, 0] += hidden
    X[:, 3] += hidden
    report = model.noise_report(X)
    assert "uncorrelated noises" in report.failed
    assert np.unravel_index(np.nanargmin(report.p_uncorrelated), (4, 4)) == (0, 3)
    assert "(x0 and x3: " in str(report)


def test_unequal_variances_are_seen(model):
    X = rows(400, noise_variance=(0.2, 10.0))
    report = model.noise_report(X)
    assert report.failed == ["equal noise variances"]
    assert "levels differ by a factor of" in str(report)


def test_offsets_and_a_common_unit_change_nothing(model):
    X = rows(noise="laplace")
    here, there = model.noise_report(X), model.noise_report(1e3 * X + 1e5)
    for name, p in here.smallest_p.items():
        assert there.smallest_p[name] == pytest.approx(p, rel=1e-6), name
    np.testing.assert_allclose(there.scale, 1e3 * here.scale)


def test_the_text_says_what_follows(model):
    text = str(model.noise_report(rows(1000, noise="laplace")))
    assert "normal noise: FAILS" in text
    assert "uncorrelated noises: not contradicted" in text
    assert "- normal noise: `score` and `sample` take the noise for normal" in text
    assert "Effects are biased" not in text
    assert repr(model.noise_report(rows())) == "NoiseReport(4 nodes, 300 rows, failed: none)"


def test_many_nodes_print_in_few_lines():
    X = make_linear_sem(200, 40, edges_per_node=1, random_state=0).X
    text = str(SortNRegress(threshold=0.3).fit(X).noise_report(X))
    assert "... and 28 nodes with larger p-values" in text
    assert len(text.splitlines()) < 25


def test_a_node_without_noise_is_left_out(model):
    X = rows()
    X[:, 3] = 2 * X[:, 2]
    report = model.noise_report(X)
    assert report.scale[3] == 0.0
    assert np.isnan(report.p_normal[3])
    assert np.isnan(report.correlation[3, 0])
    assert report.failed == []
    with pytest.raises(ValueError, match="X has no noise"):
        model.noise_report(np.ones((50, 4)))


def test_names_of_a_frame(model):
    frame = pd.DataFrame(rows(), columns=list("abcd"))
    report = SortNRegress().fit(frame).noise_report(frame)
    assert report.names == list("abcd")
    assert "\na  " in str(report)


def test_what_cannot_be_reported_is_refused(model):
    with pytest.raises(ValueError, match=r"level=0 must lie between 0 and 1"):
        model.noise_report(rows(), level=0)
    with pytest.raises(ValueError, match=r"X has 4 rows; a report on a node with 2 parents needs"):
        model.noise_report(rows()[:4])
    with pytest.raises(ValueError, match="NaN"):
        model.noise_report(np.full((20, 4), np.nan))
