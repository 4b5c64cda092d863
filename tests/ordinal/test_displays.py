"""The pictures show the numbers."""

import warnings
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skreg.ordinal import (
    OrdinalProbabilityDisplay,
    PrestoClassifier,
    PrestoClassifierCV,
    PrestoPathDisplay,
    ProportionalOddsClassifier,
    RareReliabilityDisplay,
    out_of_fold_proba,
    presto_path,
)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_path_display_draws_the_standardised_coefficients(example):
    X, y = example
    path = presto_path(X * 10, y, tol=1e-8)
    display = PrestoPathDisplay.from_path(path, feature_names=list("abcde"), max_features=3)
    assert [ax.get_title(loc="left") for ax in display.axes_] == [
        "abcde"[j] for j in display.features_
    ]
    size = np.abs(path.coefs).max(axis=(0, 2))
    assert set(display.features_) == set(np.argsort(size)[-3:])
    for lines, j in zip(display.lines_, display.features_, strict=True):
        for k, line in enumerate(lines):
            np.testing.assert_array_equal(line.get_xdata(), path.alphas)
            np.testing.assert_allclose(line.get_ydata(), path.coefs[k, j] * (X * 10)[:, j].std())


def test_path_display_finds_where_boundaries_separate(example):
    path = presto_path(*example, tol=1e-8)
    display = PrestoPathDisplay.from_path(path)
    for k in range(3):
        for j in range(5):
            alpha = display.separation_alphas_[k, j]
            nonzero = path.coef_diffs[k, j] != 0
            assert not nonzero[path.alphas > alpha].any()
            assert np.isnan(alpha) == (not nonzero.any())
            assert np.isnan(alpha) or nonzero[path.alphas == alpha].all()


def test_path_display_marks_the_chosen_alpha(example):
    X, y = example
    model = PrestoClassifierCV(alphas=5).fit(pd.DataFrame(X, columns=list("vwxyz")), y)
    display = PrestoPathDisplay.from_estimator(model)
    assert display.alpha == model.alpha_
    assert display.axes_[0].get_title(loc="left") == "v"
    labels = [text.get_text() for text in display.legend_.get_texts()]
    assert labels[0] == "P(Y ≤ 0)"
    assert labels[-1].startswith("chosen α")


def test_path_display_names_bad_input(example):
    with pytest.raises(NotFittedError):
        PrestoPathDisplay.from_estimator(PrestoClassifierCV())
    with pytest.raises(ValueError, match=r"at least two alphas above zero.*has 1"):
        PrestoPathDisplay.from_path(presto_path(*example, alphas=1))
    with pytest.raises(ValueError, match="feature_names has 2 names for 5 features"):
        PrestoPathDisplay.from_path(presto_path(*example, alphas=2), feature_names=["a", "b"])


def test_probability_display_is_what_the_model_predicts(example):
    X, y = example
    model = PrestoClassifier(0.01).fit(X, y)
    display = OrdinalProbabilityDisplay.from_estimator(model, X, 1, n_points=7, reference=4)
    rows = np.tile(X[4], (7, 1))
    rows[:, 1] = np.linspace(X[:, 1].min(), X[:, 1].max(), 7)
    np.testing.assert_allclose(display.probabilities, model.predict_proba(rows))
    np.testing.assert_allclose(display.line_.get_ydata(), model.predict_proba(rows)[:, -1])
    assert len(display.bands_) == 4
    at_median = OrdinalProbabilityDisplay.from_estimator(model, X, 1, n_points=3)
    rows = np.tile(np.median(X, axis=0), (3, 1))
    rows[:, 1] = at_median.values
    np.testing.assert_allclose(at_median.probabilities, model.predict_proba(rows))


def test_probability_display_of_a_pipeline_on_a_frame_keeps_the_order(example):
    X, y = example
    names = np.array(["none", "click", "cart", "purchase"])
    frame = pd.DataFrame({"amount": X[:, 0], "kind": np.where(X[:, 1] > 0, "new", "known")})
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["kind"]), remainder="passthrough"),
        PrestoClassifier(0.01, class_order=names),
    ).fit(frame, names[y])
    _, axes = plt.subplots(2)
    display = OrdinalProbabilityDisplay.from_estimator(model, frame, "amount", ax=axes)
    assert display.class_order.tolist() == names.tolist()
    proba = model.predict_proba(
        pd.DataFrame({"amount": display.values, "kind": frame["kind"].mode()[0]})
    )
    rare = model.classes_.tolist().index("purchase")
    np.testing.assert_allclose(display.probabilities[:, -1], proba[:, rare])
    assert display.axes_[1].get_xlabel() == "amount"
    with pytest.raises(ValueError, match="feature='kind' must be numeric"):
        OrdinalProbabilityDisplay.from_estimator(model, frame, "kind")
    with pytest.raises(ValueError, match="feature='size' is not a column"):
        OrdinalProbabilityDisplay.from_estimator(model, frame, "size")


def rare_event(n, power=1.0, seed=0):
    """Predictions over three orders of magnitude, and events with probability prediction**power."""
    rng = np.random.default_rng(seed)
    probability = 10.0 ** rng.uniform(-3.0, -0.2, n)
    return rng.uniform(size=n) < probability**power, probability


def test_reliability_curve_is_that_of_scikit_learns_isotonic_regression():
    event, probability = rare_event(2000)
    probability = probability.round(3)  # ties
    display = RareReliabilityDisplay.from_predictions(event, probability, n_bootstraps=20)
    fit = IsotonicRegression().fit(probability, event)
    np.testing.assert_allclose(display.rate, fit.predict(display.predicted), atol=1e-12)
    np.testing.assert_array_equal(display.predicted, np.unique(probability))
    np.testing.assert_array_equal(display.line_.get_ydata(), display.rate)
    assert (display.n_events, display.n_samples) == (event.sum(), 2000)
    assert display.ax_.get_xscale() == display.ax_.get_yscale() == "log"


@pytest.mark.parametrize("band", ["consistency", "confidence"])
def test_bands_are_quantiles_of_bootstrap_curves(band):
    """Repeated with scikit-learn's fits: the same distribution, not the same draws."""
    event, probability = rare_event(300)
    display = RareReliabilityDisplay.from_predictions(
        event, probability, band=band, level=0.8, n_bootstraps=400
    )
    rng, curves = np.random.default_rng(1), []
    for _ in range(400):
        rows = np.arange(300) if band == "consistency" else rng.integers(0, 300, 300)
        drawn = rng.uniform(size=300) < probability if band == "consistency" else event[rows]
        fit = IsotonicRegression(out_of_bounds="clip").fit(probability[rows], drawn)
        curves.append(fit.predict(display.predicted))
    lower, upper = np.quantile(curves, [0.1, 0.9], axis=0)
    assert np.abs(display.lower - lower).mean() < 0.015
    assert np.abs(display.upper - upper).mean() < 0.015
    area = display.band_.get_paths()[0].vertices
    assert {tuple(point) for point in zip(display.predicted, display.upper, strict=True)} <= {
        tuple(point) for point in area
    }


def test_calibrated_curves_stay_in_the_consistency_band_at_its_level():
    inside = []
    for seed in range(40):
        display = RareReliabilityDisplay.from_predictions(
            *rare_event(500, seed=seed), level=0.9, n_bootstraps=100
        )
        plt.close("all")
        inside.append(np.mean((display.lower <= display.rate) & (display.rate <= display.upper)))
    assert 0.85 < np.mean(inside) < 0.95
    wrong = RareReliabilityDisplay.from_predictions(*rare_event(3000, power=1.5))
    assert np.mean(wrong.rate < wrong.lower) > 0.5


def test_a_curve_without_events_below_leaves_the_picture():
    event, probability = rare_event(500)
    event[probability < 0.05] = False
    display = RareReliabilityDisplay.from_predictions(event, probability)
    display.figure_.draw_without_rendering()
    lowest = display.rate[display.rate > 0].min()
    assert display.rate[0] == 0.0
    assert 0.0 < display.ax_.get_ylim()[0] < lowest
    assert np.interp(0.04, display.predicted, display.upper) > 0.0
    exact = RareReliabilityDisplay.from_predictions([0, 0, 1], [0.0, 0.5, 1.0])
    np.testing.assert_array_equal(exact.line_.get_xdata(), [0.5, 1.0])


def test_many_predictions_are_drawn_by_their_steps():
    event, probability = rare_event(20_000)
    display = RareReliabilityDisplay.from_predictions(event, probability, n_bootstraps=3)
    assert len(display.predicted) < 2500
    fit = IsotonicRegression().fit(probability, event)
    between = np.interp(probability, display.predicted, display.rate)
    np.testing.assert_allclose(between, fit.predict(probability), atol=1e-12)


def test_pictures_do_not_change_unless_asked():
    event, probability = rare_event(300)
    first, second = (RareReliabilityDisplay.from_predictions(event, probability) for _ in range(2))
    np.testing.assert_array_equal(first.upper, second.upper)
    other = RareReliabilityDisplay.from_predictions(event, probability, random_state=1)
    assert np.any(other.upper != first.upper)


def test_reliability_displays_share_an_axes(example):
    X, y = example
    _, ax = plt.subplots()
    ax.axvline(0.5)
    rare = RareReliabilityDisplay.from_estimator(PrestoClassifier().fit(X, y), X, y, ax=ax)
    ax.axhline(0.5)
    logistic = LogisticRegression().fit(X, y == 3)
    both = RareReliabilityDisplay.from_estimator(
        logistic, X, y == 3, name="logistic", band="confidence", level=0.8, ax=rare.ax_
    )
    labels = [text.get_text() for text in both.ax_.get_legend().get_texts()]
    assert labels == [
        "calibrated",
        "PrestoClassifier (shaded: 95% of curves if calibrated)",
        "logistic (shaded: 80% of curves of samples drawn again)",
    ]
    colours = [display.line_.get_color() for display in (rare, both)]
    assert colours[0] != colours[1]
    assert rare.n_events == both.n_events == 7
    other = RareReliabilityDisplay.from_estimator(PrestoClassifier().fit(X, y), X, y, label=0)
    assert other.n_events == 47
    with pytest.raises(ValueError, match="label=9 is not one of the classes"):
        RareReliabilityDisplay.from_estimator(PrestoClassifier().fit(X, y), X, y, label=9)


LEVELS = ["low", "mid", "high"]


class Stages(NamedTuple):
    """Their alphabetical order, high < low < mid, is not that of the stages."""

    X: pd.DataFrame
    y: pd.Series


@pytest.fixture(scope="module")
def stages():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.standard_normal((300, 3)), columns=list("abc"))
    code = np.digitize(X["a"] + rng.logistic(size=300), [-1, 2])
    return Stages(X, pd.Series(pd.Categorical.from_codes(code, LEVELS, ordered=True)))


def pipeline():
    return make_pipeline(StandardScaler(), PrestoClassifier())


@pytest.mark.filterwarnings("ignore:The order of the categories")
@pytest.mark.parametrize(
    "wrap",
    [
        pipeline,
        lambda: GridSearchCV(pipeline(), {"prestoclassifier__alpha": [0.01, 0.02]}, cv=2),
        lambda: HalvingGridSearchCV(pipeline(), {"prestoclassifier__alpha": [0.01, 0.02]}, cv=2),
        lambda: make_pipeline(StandardScaler(), GridSearchCV(PrestoClassifier(), {}, cv=2)),
        lambda: CalibratedClassifierCV(pipeline(), cv=2),
        lambda: make_pipeline(StandardScaler(), PrestoClassifierCV(alphas=3)),
    ],
    ids=["pipeline", "search", "halving", "search inside", "calibration", "own search"],
)
@pytest.mark.parametrize("freeze", [False, True])
def test_displays_find_the_order_in_any_wrapper(stages, wrap, freeze):
    X, y = stages
    model = wrap().fit(X, y)
    model = FrozenEstimator(model) if freeze else model
    picture = OrdinalProbabilityDisplay.from_estimator(model, X, "a")
    assert picture.class_order.tolist() == LEVELS
    high = model.classes_.tolist().index("high")
    typical = X.median().to_frame().T.loc[[0] * 200].assign(a=picture.values)
    np.testing.assert_allclose(picture.probabilities[:, -1], model.predict_proba(typical)[:, high])
    for labels in (y, y.astype(str).to_numpy(), pd.DataFrame({"stage": y})):
        reliability = RareReliabilityDisplay.from_estimator(model, X, labels)
        assert reliability.n_events == (y == "high").sum()


def test_displays_never_take_the_alphabetically_last_class_for_the_rare_one(stages):
    X, y = stages
    names = y.astype(str).to_numpy()
    ordinal = PrestoClassifier()
    for model in (LogisticRegression(), VotingClassifier([("presto", ordinal)], voting="soft")):
        model.fit(X, names)
        with pytest.raises(ValueError, match=r"order of the classes .* is not known.*class_order"):
            OrdinalProbabilityDisplay.from_estimator(model, X, "a")
        with pytest.raises(ValueError, match=r"order of the classes .* is not known"):
            RareReliabilityDisplay.from_estimator(model, X, names)
        picture = OrdinalProbabilityDisplay.from_estimator(model, X, "a", class_order=LEVELS)
        assert picture.class_order.tolist() == LEVELS
        for parameters in ({"class_order": LEVELS}, {"label": "high"}):
            reliability = RareReliabilityDisplay.from_estimator(model, X, names, **parameters)
            assert reliability.n_events == (y == "high").sum()
        ordered = RareReliabilityDisplay.from_estimator(model, X, y)
        assert ordered.n_events == (y == "high").sum()
        with pytest.raises(ValueError, match="must name each label of y once"):
            RareReliabilityDisplay.from_estimator(model, X, names, class_order=LEVELS[1:])


def test_two_classes_whose_order_was_guessed_need_a_word_too(stages):
    """With two classes the fit says nothing, as the order only sets the sign."""
    X, event = stages.X, np.where(stages.y == "high", "dead", "well")
    model = PrestoClassifier().fit(X, event)
    for options in ({}, {"cv": 2}):
        with pytest.raises(ValueError, match=r"order of the classes .* is not known"):
            RareReliabilityDisplay.from_estimator(model, X, event, **options)
        for word in ({"label": "dead"}, {"class_order": ["well", "dead"]}):
            display = RareReliabilityDisplay.from_estimator(model, X, event, **word, **options)
            assert display.n_events == (event == "dead").sum()
    given = PrestoClassifier(class_order=["well", "dead"]).fit(X, event)
    display = RareReliabilityDisplay.from_estimator(given, X, event)
    assert display.n_events == (event == "dead").sum()


def test_reliability_of_out_of_fold_probabilities(stages):
    X, y = stages
    display = RareReliabilityDisplay.from_estimator(pipeline(), X, y, cv=3, band="confidence")
    proba = out_of_fold_proba(pipeline(), X, y, cv=3)
    expected = RareReliabilityDisplay.from_predictions(
        y == "high", proba[:, sorted(LEVELS).index("high")], band="confidence"
    )
    assert display.n_events == expected.n_events
    np.testing.assert_allclose(display.rate, expected.rate)
    np.testing.assert_allclose(display.lower, expected.lower)
    np.testing.assert_allclose(display.predicted, expected.predicted)
    low = RareReliabilityDisplay.from_estimator(pipeline(), X, y, cv=3, label="low")
    assert low.n_events == (y == "low").sum()
    with pytest.raises(ValueError, match="label='none' is not one of the classes"):
        RareReliabilityDisplay.from_estimator(pipeline(), X, y, cv=3, label="none")


@pytest.mark.parametrize("reference", [None, 5])
def test_names_of_columns_may_be_integers(example, reference):
    X, y = example
    options = {"n_points": 5, "reference": reference}
    plain = OrdinalProbabilityDisplay.from_estimator(PrestoClassifier().fit(X, y), X, 1, **options)
    frame = pd.DataFrame(X, columns=[4, 0, 3, 2, 1])
    model = PrestoClassifier().fit(frame, y)
    named = OrdinalProbabilityDisplay.from_estimator(model, frame, 0, **options)
    assert named.feature_name == "0"
    np.testing.assert_allclose(named.probabilities, plain.probabilities)
    path = PrestoClassifierCV(alphas=3).fit(frame, y)
    assert len(PrestoPathDisplay.from_estimator(path).axes_) == 5


@pytest.mark.parametrize("reference", [None, 5])
def test_frames_may_be_those_of_polars(example, reference):
    polars = pytest.importorskip("polars")
    X, y = example
    options = {"n_points": 5, "reference": reference}
    plain = OrdinalProbabilityDisplay.from_estimator(PrestoClassifier().fit(X, y), X, 1, **options)
    other = polars.DataFrame(X, schema=list("edcba"))
    model = PrestoClassifier().fit(other, y)
    named = OrdinalProbabilityDisplay.from_estimator(model, other, "d", **options)
    np.testing.assert_allclose(named.probabilities, plain.probabilities)


def test_columns_keep_their_type_and_missing_values_stay_out(example):
    """A tree that takes categories from the dtype would refuse strings."""
    X, y = example
    frame = pd.DataFrame(X[:, :2], columns=["size", "age"])
    frame["kind"] = pd.Categorical(np.where(X[:, 2] > 0, "new", "known"))
    frame.loc[::9, "age"] = np.nan
    model = HistGradientBoostingClassifier(max_iter=3, categorical_features="from_dtype")
    model.fit(frame, y)
    display = OrdinalProbabilityDisplay.from_estimator(model, frame, "age", n_points=4)
    rows = pd.DataFrame({
        "size": frame["size"].median(), "age": display.values,
        "kind": pd.Categorical([frame["kind"].mode()[0]] * 4, frame["kind"].cat.categories),
    })  # fmt: skip
    np.testing.assert_allclose(display.probabilities, model.predict_proba(rows))


def test_path_display_finds_the_path_in_a_pipeline(example):
    model = make_pipeline(StandardScaler(), PrestoClassifierCV(alphas=3)).fit(*example)
    assert PrestoPathDisplay.from_estimator(model).alpha == model[-1].alpha_
    with pytest.raises(ValueError, match="holds no fitted PrestoClassifierCV"):
        PrestoPathDisplay.from_estimator(PrestoClassifier().fit(*example))


# ------------------------------------------------------------------------------------------------
# places to draw in, and texts


@pytest.fixture(scope="module")
def on_a_path(example):
    return PrestoClassifierCV(6, eps=0.5).fit(*example)


def draw_path(model, _X, ax):
    return PrestoPathDisplay.from_estimator(model, ax=ax, max_features=4)


def draw_probabilities(model, X, ax):
    return OrdinalProbabilityDisplay.from_estimator(model, X, 1, ax=ax)


PANELS = pytest.mark.parametrize(
    ("draw", "n_panels"), [(draw_path, 4), (draw_probabilities, 2)], ids=["path", "probabilities"]
)


@pytest.mark.filterwarnings("ignore:PrestoClassifierCV chose")
@PANELS
@pytest.mark.parametrize("layout", [None, "constrained"])
def test_panels_stay_within_the_axes_that_is_given(example, on_a_path, draw, n_panels, layout):
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5), layout=layout)
    left.plot([0, 1])
    display = draw(on_a_path, example.X, right)
    figure.draw_without_rendering()
    assert display.figure_ is figure
    assert len(display.axes_) == n_panels
    assert not right.axison
    assert left.axison
    place = right.get_subplotspec().get_position(figure) if layout is None else None
    for panel in display.axes_:
        box = panel.get_position()
        assert box.x0 > left.get_position().x1
        if place is not None:
            assert place.x0 - 1e-9 <= box.x0 < box.x1 <= place.x1 + 1e-9
            assert place.y0 - 1e-9 <= box.y0 < box.y1 <= place.y1 + 1e-9


@PANELS
def test_panels_divide_an_axes_that_stands_free_or_in_a_subfigure(
    example, on_a_path, draw, n_panels
):
    figure = plt.figure()
    free = figure.add_axes((0.1, 0.5, 0.8, 0.4))
    for panel in draw(on_a_path, example.X, free).axes_:
        box = panel.get_position()
        assert 0.1 - 1e-9 <= box.x0 < box.x1 <= 0.9 + 1e-9
        assert 0.5 - 1e-9 <= box.y0 < box.y1 <= 0.9 + 1e-9
    lower = plt.figure().subfigures(2)[1]
    assert len(draw(on_a_path, example.X, lower.subplots()).axes_) == n_panels
    assert len(lower.axes) >= n_panels


@PANELS
def test_panels_may_be_given_one_by_one(example, on_a_path, draw, n_panels):
    _, axes = plt.subplots(2, n_panels // 2)
    display = draw(on_a_path, example.X, axes)
    assert display.axes_.tolist() == axes.ravel().tolist()
    with pytest.raises(ValueError, match=f"holds 3 Axes, but .* draws {n_panels} panels"):
        draw(on_a_path, example.X, plt.subplots(3)[1])


def test_a_choice_at_the_edge_shows(on_a_path):
    """The line is in another colour, inside of the axis, and the legend says why."""
    edge = PrestoPathDisplay.from_estimator(on_a_path)
    inside = PrestoPathDisplay.from_path(
        on_a_path.path_, alpha=on_a_path.alphas_[2], feature_names=list("abcde")
    )
    texts = [display.legend_.get_texts()[-1].get_text() for display in (edge, inside)]
    assert texts[0].endswith("at the edge of the grid")
    assert "edge" not in texts[1]
    marks = [
        next(line for line in display.axes_[0].lines if line.get_xdata() == [alpha] * 2)
        for display, alpha in ((edge, on_a_path.alpha_), (inside, on_a_path.alphas_[2]))
    ]
    assert marks[0].get_color() != marks[1].get_color()
    largest, smallest = edge.axes_[0].get_xlim()
    assert smallest < on_a_path.alpha_ < largest


def test_a_path_down_to_zero_is_drawn_on_a_logarithmic_axis(example):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        display = PrestoPathDisplay.from_path(presto_path(*example, alphas=[0.1, 0.01, 0.0]))
        display.figure_.draw_without_rendering()
    largest, smallest = display.axes_[0].get_xlim()
    assert 0.1 < largest < 0.2
    assert 0.005 < smallest < 0.01


def test_texts_of_displays_are_short(example, on_a_path):
    X, y = example
    displays = [
        PrestoPathDisplay.from_estimator(on_a_path),
        OrdinalProbabilityDisplay.from_estimator(on_a_path, X, 1, n_points=9),
        RareReliabilityDisplay.from_estimator(on_a_path, X, y),
    ]
    assert [repr(display) for display in displays] == [
        f"PrestoPathDisplay(5 features, 6 alphas, alpha={on_a_path.alpha_:.3g} at the edge)",
        "OrdinalProbabilityDisplay(0 < 1 < 2 < 3 along 'x1', 9 points)",
        "RareReliabilityDisplay('PrestoClassifierCV', 7 events among 100 samples)",
    ]


def test_labels_that_the_estimator_does_not_know_are_no_absent_events(example):
    X, y = example
    model = ProportionalOddsClassifier().fit(X, y)
    with pytest.raises(ValueError, match=r"labels such as \['\d', .*fitted to \[0, 1, 2, 3\]"):
        RareReliabilityDisplay.from_estimator(model, X, y.astype(str))


def test_a_feature_that_does_not_vary_is_refused(example):
    X, y = example
    X = np.column_stack([X, np.ones(100)])
    model = ProportionalOddsClassifier().fit(X, y)
    with pytest.raises(ValueError, match=r"feature=5 is 1\.0 in all rows of X"):
        OrdinalProbabilityDisplay.from_estimator(model, X, 5)
