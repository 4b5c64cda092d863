"""Classes that come one task at a time: the head alone, and behind a network."""

import copy
import itertools
import math
import pickle

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn
from torch.nn import functional as F

from skreg.deep import ClassIncrementalClassifier, TaskAccuracyDisplay, VORLogisticHead
from skreg.deep.torch import (
    EnergyMarginLoss,
    OnePrompt,
    VirtualOutlierSynthesizer,
    energy,
    masked_cross_entropy,
)

matplotlib.use("Agg")

FEW = VirtualOutlierSynthesizer(n_neighbors=5, n_boundary=5, n_draws=20)
FAST = {"max_epochs": (4, 2), "synthesizer": FEW, "random_state": 0}


def problem(n=240, n_classes=6, d=8, seed=0):
    X, y = make_blobs(n, d, centers=n_classes, cluster_std=3.0, random_state=seed)
    return StandardScaler().fit_transform(X), y


def head(**params):
    return VORLogisticHead(**{**FAST, **params})


def behind(module=None, **params):
    return ClassIncrementalClassifier(
        nn.Identity() if module is None else module, **{**FAST, **params}
    )


def assert_same_head(one, other):
    np.testing.assert_array_equal(one.classes_, other.classes_)
    np.testing.assert_array_equal(one.coef_, other.coef_)
    np.testing.assert_array_equal(one.intercept_, other.intercept_)


SKLEARN = parametrize_with_checks(
    [
        VORLogisticHead(synthesizer=FEW, allow_repeated=True, random_state=0),
        ClassIncrementalClassifier(
            nn.Identity(), synthesizer=FEW, lr=0.01, allow_repeated=True, random_state=0
        ),
    ]
)


@SKLEARN
def test_scikit_learn(estimator, check):
    check(estimator)


# training, against loops by hand


def rates(lr, n):
    return [lr * math.cos(99 * math.pi * e / (200 * (n - 1))) for e in range(n)]


def by_hand(X, y, n_classes, start, stop, epochs, loss_of):
    """Full batches of a head of all classes with masked logits, as the paper has it."""
    rows = nn.Linear(X.shape[1], n_classes, dtype=torch.float64)
    for parameter in rows.parameters():
        nn.init.zeros_(parameter)
    optimizer = torch.optim.Adam(rows.parameters())
    X, y = torch.tensor(X), torch.tensor(y)
    for epoch, rate in enumerate(rates(0.05, sum(epochs))):
        optimizer.zero_grad()
        logits = rows(X)
        loss = masked_cross_entropy(logits, y, start, stop)
        if epoch >= epochs[0]:
            loss = loss + loss_of(rows, X, logits[:, start:stop])
        loss.backward()
        assert rows.weight.grad[:start].abs().sum() == 0
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
    return rows.weight.detach().numpy()[start:stop], rows.bias.detach().numpy()[start:stop]


def test_one_task_without_regularizer_is_softmax_regression():
    X, y = problem()
    model = head(regularizer=None, batch_size=len(X), lr=0.05).fit(X, y)
    coef, intercept = by_hand(X, y, 6, 0, 6, (4, 2), lambda *_: 0.0)
    np.testing.assert_allclose(model.coef_, coef, atol=1e-8)
    np.testing.assert_allclose(model.intercept_, intercept, atol=1e-8)


@pytest.mark.parametrize("outliers", ["boundary", "origin", "none"])
def test_a_later_task_is_trained_with_masked_logits_and_energies_of_its_own(outliers):
    X, y = problem()
    synthesizer = clone(FEW).set_params(outliers=outliers)
    model = head(
        synthesizer=clone(synthesizer).set_params(random_state=7), batch_size=len(X), lr=0.05
    ).fit(X, y, y // 2)
    own = y // 2 == 1
    synthesizer.set_params(random_state=np.random.RandomState(7))
    margins = EnergyMarginLoss()

    def loss_of(rows, Z, logits):
        return margins(logits, rows(synthesizer.generate(Z, 2))[:, 2:4])

    coef, intercept = by_hand(X[own], y[own], 6, 2, 4, (4, 2), loss_of)
    np.testing.assert_allclose(model.coef_[2:4], coef, atol=1e-8)
    np.testing.assert_allclose(model.intercept_[2:4], intercept, atol=1e-8)


def test_a_weight_of_zero_is_training_for_as_many_epochs():
    X, y = problem()
    zero = head(regularizer=EnergyMarginLoss(weight=0.0)).fit(X, y, y // 2)
    assert_same_head(zero, head(regularizer=None).fit(X, y, y // 2))
    assert_same_head(zero, head(regularizer=None, max_epochs=(6, 0)).fit(X, y, y // 2))


def test_batches_cover_all_samples_and_share_the_outliers():
    """Equal batches without an optimizer's memory: mean gradients over an epoch by hand."""
    X, y = problem(n=24, n_classes=2)
    seen = []

    class Spy(EnergyMarginLoss):
        def forward(self, id_logits, ood_logits=None):
            seen.append((len(id_logits), len(ood_logits)))
            return super().forward(id_logits, ood_logits)

    few = clone(FEW).set_params(per_class=9)
    head(regularizer=Spy(), synthesizer=few, batch_size=7, max_epochs=(1, 2)).fit(X, y)
    assert seen == [(7, 4), (7, 4), (7, 4), (3, 4)] * 2  # 18 outliers, 4 for each of 4 batches
    seen.clear()
    few.set_params(per_class=1)
    head(regularizer=Spy(), synthesizer=few, batch_size=7, max_epochs=(1, 1)).fit(X, y)
    assert seen == [(7, 1), (7, 1), (7, 0), (3, 0)]


@pytest.mark.parametrize("outliers", ["boundary", "origin"])
def test_outliers_are_new_in_each_epoch_and_task(outliers, monkeypatch):
    made = []
    generate = VirtualOutlierSynthesizer.generate

    def kept(self, Z, n_classes=1):
        made.append(generate(self, Z, n_classes))
        return made[-1]

    monkeypatch.setattr(VirtualOutlierSynthesizer, "generate", kept)
    X, y = problem()
    head(synthesizer=clone(FEW).set_params(outliers=outliers)).fit(X, y, y // 3)
    assert len(made) == 4
    lengths = [part.norm(dim=1).sort().values for part in made]  # in whatever order they come
    assert all(not torch.allclose(a, b) for a, b in itertools.combinations(lengths, 2))


def test_the_constant_schedule():
    X, y = problem()
    one = head(regularizer=None, batch_size=len(X), max_epochs=(1, 0), lr=0.03)
    np.testing.assert_allclose(
        np.abs(one.fit(X, y).coef_), 0.03, rtol=1e-4
    )  # Adam's first step is the learning rate
    three = clone(one).set_params(max_epochs=(3, 0))
    assert not np.allclose(
        three.fit(X, y).coef_, three.set_params(schedule="constant").fit(X, y).coef_
    )


def test_the_energies_of_features_fall_to_the_margin():
    X, y = problem()
    plain, regularized = (
        head(regularizer=r, max_epochs=(20, 60), lr=0.05, schedule="constant").fit(X, y, y // 2)
        for r in (None, EnergyMarginLoss(weight=1.0))
    )

    def energies(model):
        logits = torch.tensor(model.decision_function(X[y < 2]))[:, :2]
        return energy(logits).median()

    assert energies(plain) > -8
    assert energies(regularized) < -12


# tasks


def test_rows_of_other_tasks_stay_as_they_are():
    X, y = problem()
    model = head()
    for task in range(3):
        before = copy.deepcopy(vars(model))
        model.partial_fit(X[y // 2 == task], y[y // 2 == task])
        if task:
            np.testing.assert_array_equal(model.coef_[: 2 * task], before["coef_"])
            np.testing.assert_array_equal(model.intercept_[: 2 * task], before["intercept_"])


def test_a_constant_on_the_logits_of_a_task_decides_between_tasks_only():
    X, y = problem()
    model = head().fit(X, y, y // 3)
    before = model.predict(X)
    model.intercept_[:3] += 100.0
    after = model.predict(X)
    assert (after < 3).all()
    assert (after[before < 3] == before[before < 3]).all()
    assert (before >= 3).any()


def test_tasks_by_ids_are_tasks_one_after_the_other():
    X, y = problem()
    at_once = head().fit(X, y, task=np.array(["b", "a", "c"])[y // 2])
    in_turn = head()
    for task in (1, 0, 2):  # the order of a, b, c
        in_turn.partial_fit(X[y // 2 == task], y[y // 2 == task])
    assert_same_head(at_once, in_turn)
    assert [task.tolist() for task in at_once.tasks_] == [[2, 3], [0, 1], [4, 5]]
    np.testing.assert_array_equal(at_once.classes_, range(6))


def test_an_interrupted_stream_goes_on_from_a_pickle():
    X, y = problem()
    whole = head().fit(X, y, y // 2)
    for copied in (copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))):
        first = head().partial_fit(X[y < 2], y[y < 2])
        rest = copied(first)
        rest.partial_fit(X[(y == 2) | (y == 3)], y[(y == 2) | (y == 3)])
        rest = copied(rest).partial_fit(X[y > 3], y[y > 3])
        assert_same_head(rest, whole)


def test_fit_begins_anew():
    X, y = problem()
    model = head().fit(X[:, :5], y, y // 3, X_val=X[:, :5], y_val=y)
    again = model.fit(X, y, y // 2)
    assert_same_head(again, head().fit(X, y, y // 2))
    assert not hasattr(again, "task_accuracy_")
    assert again.n_features_in_ == 8


@pytest.mark.parametrize("names", [list("fedcba"), [True, False], [30, 20, 10, 3, 2, 1]])
def test_names_of_labels_do_not_matter(names):
    names = np.array(names)
    X, y = problem(n_classes=len(names))
    model, plain = head(), head()
    for task in np.unique(y // 2):
        own = y // 2 == task
        # within a task, columns are in the order of names
        order = np.argsort(np.argsort(names[2 * task : 2 * task + 2]))
        model.partial_fit(X[own], names[y[own]])
        plain.partial_fit(X[own], 2 * task + order[y[own] - 2 * task])
    np.testing.assert_array_equal(model.classes_, np.sort(names))
    place = {name: i for i, name in enumerate(model.classes_)}
    for task in np.unique(y // 2):
        for j, name in enumerate(np.sort(names[2 * task : 2 * task + 2])):
            np.testing.assert_allclose(model.coef_[place[name]], plain.coef_[2 * task + j])
    assert model.predict(X).dtype == names.dtype


def test_tasks_of_any_size_down_to_one_class_and_one_row():
    X, y = problem()
    model = head()
    for classes in ([0], [1, 2, 3], [4]):
        own = np.isin(y, classes)
        model.partial_fit(X[own], y[own])
    model.partial_fit(X[y == 5][:1], [5])
    assert set(model.predict(X)) <= set(range(6))
    assert np.isfinite(model.coef_).all()
    assert model.predict_proba(X).shape == (240, 6)
    np.testing.assert_allclose(model.predict_proba(X).sum(1), 1.0)


def test_classes_without_rows_belong_to_the_task():
    X, y = problem(n_classes=2)
    model = head().partial_fit(X, y, classes=[2, 1, 0])
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    with pytest.raises(ValueError, match=r"classes \[2\] were in an earlier task"):
        model.partial_fit(X[:5], np.full(5, 2))


def test_repeated_classes_go_on_from_their_rows():
    X, y = problem()
    model = head(allow_repeated=True).partial_fit(X[y < 3], y[y < 3])
    before = model.coef_.copy()
    stays = clone(model).set_params(max_epochs=(0, 0)).fit(X, y, task=y >= 3)
    assert (stays.coef_ == 0).all()
    model.set_params(max_epochs=(0, 0)).partial_fit(X[(y > 1) & (y < 5)], y[(y > 1) & (y < 5)])
    np.testing.assert_array_equal(model.coef_[:3], before)
    assert (model.coef_[3:] == 0).all()
    model.set_params(max_epochs=(1, 0)).partial_fit(X[(y > 1) & (y < 5)], y[(y > 1) & (y < 5)])
    np.testing.assert_array_equal(model.coef_[:2], before[:2])
    assert (model.coef_[2] != before[2]).all()
    assert [task.tolist() for task in model.tasks_] == [[0, 1, 2], [2, 3, 4], [2, 3, 4]]


def test_decision_values():
    X, y = problem()
    model = head().fit(X, y, y // 2)
    np.testing.assert_allclose(
        model.decision_function(X), X @ model.coef_.T + model.intercept_, rtol=1e-12
    )
    logits = torch.tensor(model.decision_function(X))
    np.testing.assert_allclose(model.predict_proba(X), F.softmax(logits, 1), rtol=1e-9)
    np.testing.assert_array_equal(model.predict(X), logits.argmax(1))
    two = head().fit(X[y < 2], y[y < 2], y[y < 2])
    assert two.decision_function(X).shape == (240,)
    np.testing.assert_array_equal(two.predict(X), two.decision_function(X) > 0)


# accuracy of tasks


def test_accuracies_of_tasks_by_hand():
    X, y = problem()
    half = np.arange(len(y)) % 2 == 0
    model = head()
    expected = np.full((3, 3), np.nan)
    for t in range(3):
        own = half & (y // 2 == t)
        model.partial_fit(X[own], y[own], X_val=X[~half], y_val=y[~half])
        for j in range(t + 1):
            test = ~half & (y // 2 == j)
            expected[t, j] = np.mean(model.predict(X[test]) == y[test])
    np.testing.assert_array_equal(model.task_accuracy_, expected)
    assert model.average_accuracy_ == pytest.approx(expected[2].mean())
    lost = np.maximum(expected[0, 0], expected[1, 0]) - expected[2, 0]
    assert model.forgetting_ == pytest.approx((lost + expected[1, 1] - expected[2, 1]) / 2)
    at_once = head().fit(X[half], y[half], y[half] // 2, X_val=X[~half], y_val=y[~half])
    np.testing.assert_array_equal(at_once.task_accuracy_, expected)


def test_what_was_not_measured_is_nan():
    X, y = problem()
    first, last = y < 3, y >= 3
    model = head().partial_fit(X[first], y[first])
    assert not hasattr(model, "task_accuracy_")
    model.partial_fit(X[last], y[last], X_val=X[first], y_val=y[first])
    accuracy = model.task_accuracy_
    assert np.isnan(accuracy[[0, 0, 1], [0, 1, 1]]).all()
    assert accuracy[1, 0] == model.score(X[first], y[first])
    assert np.isnan(model.average_accuracy_)
    assert np.isnan(model.forgetting_)


def test_the_display_shows_the_matrix():
    from matplotlib import pyplot

    X, y = problem()
    model = make_pipeline(StandardScaler(), head())
    model.fit(
        X, y, vorlogistichead__task=y // 2, vorlogistichead__X_val=X, vorlogistichead__y_val=y
    )
    _, ax = pyplot.subplots()
    display = TaskAccuracyDisplay.from_estimator(model, ax=ax)
    assert display.ax_ is ax
    inner = model[-1]
    np.testing.assert_array_equal(display.image_.get_array().filled(np.nan), inner.task_accuracy_)
    written = [text.get_text() for text in ax.texts]
    assert written[:6] == [f"{a:.2f}" for a in inner.task_accuracy_[np.tril_indices(3)]]
    assert len(written) == 8
    assert f"{inner.average_accuracy_:.3f}" in ax.get_title()
    assert f"{inner.forgetting_:.3f}" in repr(display)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0, 1", "2, 3", "4, 5"]
    pyplot.close("all")
    with pytest.raises(TypeError, match="needs an estimator with task_accuracy_"):
        TaskAccuracyDisplay.from_estimator(head().fit(X, y))


def test_the_display_of_one_task_and_of_many_classes():
    from matplotlib import pyplot

    X, y = problem()
    display = TaskAccuracyDisplay.from_estimator(head().fit(X, y, X_val=X, y_val=y), name="One")
    assert display.ax_.get_title().startswith("One\n")
    assert display.ax_.get_xticklabels()[0].get_text() == "0, …, 5"
    assert display.figure_ is display.ax_.figure
    pyplot.close("all")


# scikit-learn


def test_grid_search_over_parts():
    X, y = problem()
    grid = {
        "head__regularizer__tau_id": [-15.0, -8.0],
        "head__synthesizer__sigma": [0.1, 1.0],
        "head__regularizer": [EnergyMarginLoss()],
    }
    pipeline = make_pipeline(StandardScaler(), head(regularizer=EnergyMarginLoss()))
    pipeline.steps[-1] = ("head", pipeline[-1])
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, y, head__task=y // 2)
    assert len(search.best_estimator_[-1].tasks_) == 3
    assert FEW.sigma == 0.1
    assert cross_val_predict(head(), X, y, cv=2, params={"task": y // 2}).shape == y.shape


def test_words_and_objects_are_the_same():
    X, y = problem(n=120)
    for word in ("boundary", "origin", "none"):
        by_word = head(synthesizer=word).fit(X, y, y // 3)
        object_ = VirtualOutlierSynthesizer(outliers=word)
        assert_same_head(by_word, head(synthesizer=object_).fit(X, y, y // 3))
    assert_same_head(
        by_word, head(synthesizer=word, regularizer=EnergyMarginLoss()).fit(X, y, y // 3)
    )


def test_progress_is_shown_on_request(capsys):
    pytest.importorskip("tqdm")
    X, y = problem(n=60)
    head(verbose=1).fit(X, y, y // 3)
    shown = capsys.readouterr().err
    assert "VORLogisticHead, task 0: 100%" in shown
    assert "VORLogisticHead, task 1: 100%" in shown
    head().fit(X, y, y // 3)
    assert not capsys.readouterr().err


def test_torch_draws_the_same_before_and_after():
    X, y = problem()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    head().fit(X, y)
    assert torch.equal(torch.rand(3), expected)


def test_single_precision_frames_and_read_only_memory():
    X, y = problem()
    expected = head(lr=0.05).fit(X, y, y // 2)
    single = X.astype(np.float32)
    single.flags.writeable = False
    y.flags.writeable = False
    found = head(lr=0.05).fit(single, y, y // 2)
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-3)
    frame = pd.DataFrame(X, columns=[f"f{j}" for j in range(8)])
    named = head(lr=0.05).fit(frame, pd.Series(y), task=pd.Series(y // 2))
    assert_same_head(named, expected)
    assert named.feature_names_in_.tolist() == [*frame.columns]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"regularizer": "margin"}, "regularizer"),
        ({"synthesizer": "far"}, "synthesizer"),
        ({"synthesizer": None}, "synthesizer"),
        ({"synthesizer": VirtualOutlierSynthesizer(sigma=-1.0)}, "sigma"),
        ({"max_epochs": 5}, "max_epochs"),
        ({"max_epochs": (5,)}, r"max_epochs must be two whole numbers >= 0.*got \(5,\)"),
        ({"max_epochs": (5, -1)}, "max_epochs must be two whole numbers"),
        ({"lr": 0.0}, "lr"),
        ({"lr": 1e37}, "training of task 0 diverged with lr=1e\\+37"),
        ({"schedule": "step"}, "schedule"),
        ({"batch_size": 0}, "batch_size"),
        ({"allow_repeated": "yes"}, "allow_repeated"),
        ({"random_state": -1}, "random_state"),
        ({"verbose": "loud"}, "verbose"),
    ],
)
def test_parameters_that_cannot_be_meant(params, message):
    X, y = problem(n=60)
    with pytest.raises(ValueError, match=message):
        head(**params).fit(1e4 * X.astype(np.float32), y)


@pytest.mark.parametrize(
    ("fit", "message"),
    [
        (lambda X, y: head().fit(X, y, task=y[:5]), "inconsistent numbers of samples"),
        (lambda X, y: head().fit(X, y, task=y % 2 + (X[:, 0] > 0)), "were in an earlier task"),
        (lambda X, y: head().fit(X, y, X_val=X), "X_val and y_val belong together"),
        (lambda X, y: head().partial_fit(X, y, y_val=y), "X_val and y_val belong together"),
        (lambda X, y: head().partial_fit(X, y, classes=[0, 1]), r"y has labels \[2, 3, 4, 5\]"),
        (lambda X, y: head().fit(X, X[:, 0]), "Unknown label type"),
        (lambda X, y: head().fit(X, y).partial_fit(X, y.astype(str)), "Mix of label input types"),
        (lambda X, y: head().fit(X, y).partial_fit(X[:, :3], y + 9), "X has 3 features, but"),
    ],
)
def test_data_that_cannot_be_meant(fit, message):
    with pytest.raises(ValueError, match=message):
        fit(*problem(n=60))


def test_before_any_task():
    for model in (head(), behind(nn.Identity())):
        with pytest.raises(NotFittedError):
            model.predict(np.zeros((2, 3)))


def test_a_refused_task_leaves_the_head_as_it_is():
    X, y = problem()
    X = 1e4 * X.astype(np.float32)
    model = head().partial_fit(X[y < 3], y[y < 3])
    before = pickle.dumps(model)
    with pytest.raises(ValueError, match="earlier task"):
        model.partial_fit(X, y)
    with pytest.raises(ValueError, match="diverged"):
        model.set_params(lr=1e37).partial_fit(X[y > 2], y[y > 2])
    model.set_params(lr=0.01)
    assert pickle.dumps(model) == before


# behind a network


def extractor(d=8, n_features=12):
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(d, n_features), nn.BatchNorm1d(n_features), nn.ReLU())


def weights(module):
    return nn.utils.parameters_to_vector(module.parameters()).detach().clone()


def test_a_frozen_module_is_a_head_on_its_features():
    X, y = problem()
    module = extractor().eval()
    with torch.no_grad():
        Z = module(torch.tensor(X, dtype=torch.float32)).numpy()
    model = behind(module.train(), lr=0.01).fit(X, y, y // 2, X_val=X, y_val=y)
    expected = head(batch_size=128).fit(Z, y, y // 2, X_val=Z, y_val=y)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-5)
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(Z), atol=1e-5)
    np.testing.assert_allclose(model.task_accuracy_, expected.task_accuracy_, atol=0.02)
    assert torch.equal(weights(model.module_), weights(module))
    assert module.training
    assert not model.module_.training


def test_without_a_network_both_are_the_same():
    X, y = problem()
    assert_same_head(
        behind(nn.Identity(), lr=0.02, batch_size=32).fit(X, y, y // 2),
        head(lr=0.02, batch_size=32).fit(X, y, y // 2),
    )


def test_parameters_that_want_a_gradient_are_trained_in_the_first_phase():
    X, y = problem()
    module = extractor()
    module[0].bias.requires_grad_(False)
    frozen = behind(module, freeze_module=False, max_epochs=(0, 3)).fit(X, y, y // 2)
    assert torch.equal(weights(frozen.module_), weights(module))
    trained = behind(module, freeze_module=False, max_epochs=(3, 0), lr=0.01).fit(X, y, y // 2)
    assert torch.equal(trained.module_[0].bias, module[0].bias)
    assert not torch.equal(trained.module_[0].weight, module[0].weight)
    assert not torch.equal(trained.module_[1].running_mean, module[1].running_mean)
    assert torch.equal(weights(module), weights(extractor()))


def test_prompts_of_a_transformer_are_trained_task_by_task():
    X, y = problem(d=8)
    layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.1, batch_first=True)
    transformer = nn.Sequential(
        nn.Unflatten(1, (2, 4)),
        nn.TransformerEncoder(layer, 2, enable_nested_tensor=False),
        nn.Flatten(),
    ).requires_grad_(False)
    module = OnePrompt(4, 2, {0: 4}, n_heads=2).attach(transformer)
    model = behind(module, freeze_module=False, lr=0.01)
    whole = clone(model).fit(X, y, y // 3)
    model.partial_fit(X[y < 3], y[y < 3])
    first = model.module_
    model = pickle.loads(pickle.dumps(model)).partial_fit(X[y > 2], y[y > 2])
    assert_same_head(model, whole)
    assert torch.equal(weights(model.module_), weights(whole.module_))
    changed = {
        name
        for (name, a), b in zip(first.named_parameters(), model.module_.parameters(), strict=True)
        if not torch.equal(a, b)
    }
    assert len(changed) == 2
    assert all("prompt" in name for name in changed)


def test_a_failure_leaves_the_module_as_it_was():
    X, y = problem()
    model = behind(extractor(), freeze_module=False).partial_fit(X[y < 3], y[y < 3])
    before = weights(model.module_)
    with pytest.raises(ValueError, match="diverged"):
        model.set_params(lr=1e37).partial_fit(X[y > 2], y[y > 2])
    assert torch.equal(weights(model.module_), before)
    assert not model.module_.training


def test_images_tensors_and_modules_made_by_a_function():
    X, y = problem()
    images = X.reshape(-1, 2, 2, 2)

    def make():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(2, 5, 2), nn.Flatten(), nn.ReLU())

    model = behind(make).fit(images, y, y // 2)
    by_tensor = behind(make()).fit(torch.tensor(images), torch.tensor(y), y // 2)
    assert_same_head(model, by_tensor)
    assert model.predict(torch.tensor(images)).shape == y.shape
    assert model.coef_.shape == (6, 5)
    double = behind(make().double()).fit(images, y, y // 2)
    np.testing.assert_allclose(double.coef_, model.coef_, atol=1e-3)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Unflatten(1, (2, 4)), r"features of shape \(60, d\) for 60 samples, got .*2, 4"),
        (nn.Flatten(0), r"module must return features of shape"),
        (nn.LSTM(8, 3), "got tuple"),
        (3, "module"),
    ],
)
def test_modules_without_features(module, message):
    X, y = problem(n=60)
    with pytest.raises(ValueError, match=message):
        behind(module).fit(X.astype(np.float32), y)
