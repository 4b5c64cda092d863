"""Scores on held-out domains, against scikit-learn's loops."""

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import LeaveOneGroupOut, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg.domain import DomainSpecificClassifier, leave_one_domain_out_score


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    domains = np.array(["c", "a", "b", "d"])[np.arange(120) % 4]
    X = rng.normal(size=(120, 3)) + (domains == "b")[:, None]
    return X, (X[:, 0] + rng.normal(size=120) > 0.3).astype(int), domains


def test_scores_of_a_pooled_model_are_those_of_scikit_learn(data):
    X, y, domains = data
    for scoring in (None, "roc_auc", "neg_log_loss"):
        got = leave_one_domain_out_score(GaussianNB(), X, y, domains=domains, scoring=scoring)
        wanted = cross_val_score(
            GaussianNB(), X, y, groups=domains, cv=LeaveOneGroupOut(), scoring=scoring
        )
        np.testing.assert_allclose(got.scores, wanted)
    assert list(got.domains) == ["a", "b", "c", "d"]
    assert list(got.n_samples) == [30] * 4
    assert got.mean == pytest.approx(wanted.mean())
    assert got.worst == (got.domains[wanted.argmin()], wanted.min())
    assert got.as_dict()["c"] == got.scores[2]
    assert "n_domains=4" in repr(got)


def test_domains_reach_the_estimator_and_the_held_out_one_does_not(data):
    X, y, domains = data
    model = DomainSpecificClassifier(GaussianNB(), combine="soft")
    got = leave_one_domain_out_score(model, X, y, sample_domain=domains, scoring="neg_log_loss")
    for name, score in got.as_dict().items():
        rest = domains != name
        alone = clone(model).fit(X[rest], y[rest], domains=domains[rest])
        assert list(alone.domains_) == [other for other in "abcd" if other != name]
        p = alone.predict_proba(X[~rest])[np.arange((~rest).sum()), y[~rest]]
        assert score == pytest.approx(np.log(p).mean())


def test_weights_go_to_fits_and_scores(data):
    X, y, domains = data
    weight = np.random.default_rng(1).uniform(0.0, 2.0, size=len(y))
    model = DomainSpecificClassifier(GaussianNB())
    got = leave_one_domain_out_score(model, X, y, domains=domains, sample_weight=weight)
    for name, score in got.as_dict().items():
        rest = domains != name
        alone = clone(model).fit(
            X[rest], y[rest], domains=domains[rest], sample_weight=weight[rest]
        )
        wanted = accuracy_score(y[~rest], alone.predict(X[~rest]), sample_weight=weight[~rest])
        assert score == pytest.approx(wanted)
    with pytest.raises(ValueError, match=r"KNeighborsClassifier.fit takes none"):
        leave_one_domain_out_score(
            KNeighborsClassifier(), X, y, domains=domains, sample_weight=weight
        )
    with pytest.raises(ValueError, match="no row of domain 'b' has a positive sample_weight"):
        leave_one_domain_out_score(
            model, X, y, domains=domains, sample_weight=weight * (domains != "b")
        )


def test_routing(data):
    X, y, domains = data
    weight = np.random.default_rng(1).uniform(0.1, 2.0, size=len(y))
    pipeline = make_pipeline(StandardScaler(), DomainSpecificClassifier(GaussianNB()))
    wanted = leave_one_domain_out_score(
        pipeline, X, y, domains=domains, params={"domainspecificclassifier__domains": domains}
    )
    with config_context(enable_metadata_routing=True):
        got = leave_one_domain_out_score(pipeline, X, y, domains=domains)
        np.testing.assert_array_equal(got.scores, wanted.scores)
        model = DomainSpecificClassifier(GaussianNB()).set_fit_request(sample_weight=True)
        scorer = make_scorer(accuracy_score).set_score_request(sample_weight=True)
        weighted = leave_one_domain_out_score(
            model, X, y, domains=domains, scoring=scorer, sample_weight=weight
        )
    plain = leave_one_domain_out_score(
        DomainSpecificClassifier(GaussianNB()), X, y, domains=domains, scoring="accuracy",
        sample_weight=weight,
    )  # fmt: skip
    np.testing.assert_allclose(weighted.scores, plain.scores)


def test_metadata_of_fits_are_cut(data):
    X, y, domains = data

    class Recording(ClassifierMixin, BaseEstimator):
        def fit(self, X, y, tag=None):
            assert len(tag) == len(X)
            assert (tag == X[:, 0]).all()
            self.classes_ = np.unique(y)
            return self

        def predict(self, X):
            return np.zeros(len(X), dtype=int)

    leave_one_domain_out_score(Recording(), X, y, domains=domains, params={"tag": X[:, 0]})


def test_jobs_frames_and_numbers(data):
    X, y, domains = data
    wanted = leave_one_domain_out_score(LogisticRegression(), X, y, domains=domains)
    several = leave_one_domain_out_score(LogisticRegression(), X, y, domains=domains, n_jobs=2)
    np.testing.assert_array_equal(several.scores, wanted.scores)
    frame = pd.DataFrame(X, columns=list("xyz"), index=np.arange(len(y))[::-1])
    of_frame = leave_one_domain_out_score(
        LogisticRegression(), frame, pd.Series(y), domains=pd.Series(domains, dtype="category")
    )
    np.testing.assert_array_equal(of_frame.scores, wanted.scores)
    of_numbers = leave_one_domain_out_score(Ridge(), X, X[:, 0], domains=domains)
    assert of_numbers.mean > 0.9


def test_progress_is_shown_on_demand(data, capsys):
    pytest.importorskip("tqdm")
    X, y, domains = data
    leave_one_domain_out_score(GaussianNB(), X, y, domains=domains)
    assert capsys.readouterr().err == ""
    leave_one_domain_out_score(GaussianNB(), X, y, domains=domains, verbose=1)
    assert "leave_one_domain_out_score" in capsys.readouterr().err


def test_bad_arguments(data):
    X, y, domains = data
    model = GaussianNB()
    with pytest.raises(ValueError, match="give domains"):
        leave_one_domain_out_score(model, X, y)
    with pytest.raises(ValueError, match="two names of one argument"):
        leave_one_domain_out_score(model, X, y, domains=domains, sample_domain=domains)
    with pytest.raises(ValueError, match="needs two domains or more; all rows are of 'z'"):
        leave_one_domain_out_score(model, X, y, domains=["z"] * len(y))
    with pytest.raises(ValueError, match=r"shape \(120,\); got shape \(2,\)"):
        leave_one_domain_out_score(model, X, y, domains=["a", "b"])
    with pytest.raises(ValueError, match="inconsistent"):
        leave_one_domain_out_score(model, X, y[:5], domains=domains)
    with pytest.raises(ValueError, match="scoring"):
        leave_one_domain_out_score(model, X, y, domains=domains, scoring="best")
