"""Where the contract does not hold, and why it cannot: one line each.

A reason is one of mathematics or of another library's contract; "not yet" is none. What is known
to be wrong stands apart, in `KNOWN_FAULTS`, and the suite fails as soon as such a line is outdated.
"""

NO_CASE = {
    "DeepSegmenter": "images and masks, which the tables and labels of the cases are not",
    "RegularizedNetClassifier": "skorch's net, whose contract is skorch's: **kwargs, tensors",
    "RegularizedNetRegressor": "skorch's net, whose contract is skorch's: **kwargs, tensors",
    "RegularizedNetSegmenter": "skorch's net, whose contract is skorch's: **kwargs, tensors",
}

# (class, case or display; check, with "-parameter" where it has one): reason
NOT_CONVEX = "the objective is not convex: where the path begins decides where it ends"
GOES_ON = "a warm start of a network goes on with its training, so that it ends elsewhere"
PLACES = "a network's random initial weights belong to places: of columns and of outputs"
NOISE = "draws of noise belong to places: another order of columns is another draw"
MOVES = "what is moved or restored lies where X lies, and moves with it"
ONE_DOMAIN = "without domains all rows are of one, which has to be said"
WEIGHTS = "random weights belong to columns: in another order they make other features"
ORIGIN = "kernels of inner products have an origin, as networks without bias have"
STEPS = "directions of neighbours have an origin, and steps of Adam a unit"
TWO_ROWS = "a covariance needs two rows: with one there is no map yet, and no answer"
STREAM = "rows are a stream: what is learned of one depends on those before it"
ONE_ROUND = "a row of weight two is one round of twice the loss, two rows are two rounds"
IN_THE_BALL = "the intercept lies in the ball with the coefficients, or there is none"
ONLINE = (
    "DriftAdaptiveEnsemble",
    "OnlineSimplexAggregator",
    "OptimisticOMDClassifier",
    "OptimisticOMDRegressor",
)
OF_STREAMS = {
    "test_the_order_of_rows_does_not_matter": STREAM,
    "test_a_weight_is_that_many_copies_of_a_row": ONE_ROUND,
    "test_an_offset_of_the_columns_moves_an_intercept_only": IN_THE_BALL,
    "test_an_offset_of_the_target_is_an_offset_of_the_predictions": IN_THE_BALL,
}
EXEMPT: dict[tuple[str, str], str] = {
    ("DomainSpecificClassifier", "test_an_easy_problem_is_solved_without_a_word"): ONE_DOMAIN,
    ("DomainSpecificRegressor", "test_an_easy_problem_is_solved_without_a_word"): ONE_DOMAIN,
    (
        "DriftAdaptiveEnsemble",
        "test_only_ratios_of_weights_matter",
    ): "steps are in the unit of the rows, so that a unit of the losses is one of the gradients",
    (
        "OptimisticOMDRegressor-whole vectors",
        "test_only_ratios_of_weights_matter",
    ): "penalties of a round have their strength, whatever its weight",
    **{(name, check): why for name in ONLINE for check, why in OF_STREAMS.items()},
    ("GaussianTransport", "test_batches_of_one_row"): TWO_ROWS,
    ("LinearTransportRestorer", "test_an_offset_of_the_columns_moves_an_intercept_only"): MOVES,
    ("SparseTransportTransformer", "test_an_offset_of_the_columns_moves_an_intercept_only"): MOVES,
    ("RandomizedSmoothingClassifier", "test_the_order_of_columns_does_not_matter"): NOISE,
    ("BalancedAssignment", "test_the_order_of_columns_does_not_matter"): "columns are the labels",
    ("RandomFeatures", "test_the_order_of_columns_does_not_matter"): WEIGHTS,
    ("RandomFeatureRidge", "test_the_order_of_columns_does_not_matter"): WEIGHTS,
    ("RandomFeatureRidgeClassifier", "test_the_order_of_columns_does_not_matter"): WEIGHTS,
    ("RandomFeatures", "test_an_offset_of_the_columns_moves_an_intercept_only"): ORIGIN,
    ("RandomFeatureRidge", "test_an_offset_of_the_columns_moves_an_intercept_only"): ORIGIN,
    (
        "RandomFeatureRidgeClassifier",
        "test_an_offset_of_the_columns_moves_an_intercept_only",
    ): ORIGIN,
    (
        "RandomFeatureRidge-batches",
        "test_partial_fit_returns_after_any_size_was_lowered",
    ): "the rows are gone, so that other features cannot get their moments: refused",
    (
        "CoresetEstimator-transformer",
        "test_degenerate_weights",
    ): "the sums of StandardScaler overflow, whatever rows it is given",
    (
        "ClassIncrementalClassifier",
        "test_an_offset_of_the_columns_moves_an_intercept_only",
    ): STEPS,
    ("VORLogisticHead", "test_an_offset_of_the_columns_moves_an_intercept_only"): STEPS,
    ("DeepClassifier", "test_labels_that_bring_their_own_order"): PLACES,
    ("DeepClassifier", "test_labels_without_order"): PLACES,
    ("StagedTraining", "test_labels_that_bring_their_own_order"): PLACES,
    ("StagedTraining", "test_labels_without_order"): PLACES,
    (
        "StructuralVAR",
        "test_the_order_of_rows_does_not_matter",
    ): "rows are in the order of time, which lags are about",
    ("CoLiDE", "test_a_changed_parameter_acts_on_a_warm_start"): NOT_CONVEX,
    ("CoLiDE", "test_a_warm_start_ends_where_a_cold_one_does_on_other_data"): NOT_CONVEX,
    ("DeepAutoencoder", "test_a_changed_parameter_acts_on_a_warm_start"): GOES_ON,
    ("DeepAutoencoder", "test_a_warm_start_ends_where_a_cold_one_does_on_other_data"): GOES_ON,
    ("DeepClassifier", "test_a_changed_parameter_acts_on_a_warm_start"): GOES_ON,
    ("DeepClassifier", "test_a_warm_start_ends_where_a_cold_one_does_on_other_data"): GOES_ON,
    ("DeepRegressor", "test_a_changed_parameter_acts_on_a_warm_start"): GOES_ON,
    ("DeepRegressor", "test_a_warm_start_ends_where_a_cold_one_does_on_other_data"): GOES_ON,
}

# (class, case or display; check, with "-parameter" where it has one): what is wrong
KNOWN_FAULTS: dict[tuple[str, str], str] = {}


def names_of(subject):
    """Names by which a case or a display can stand in a table."""
    names = (getattr(subject, name, None) for name in ("name", "cls", "__name__"))
    return [name for name in names if name is not None]


def reason(table, subject, checks):
    """Why a case or display is in a table for one of the names of a check, None if it is not."""
    keys = [(name, check) for name in names_of(subject) for check in checks]
    return next((table[key] for key in keys if key in table), None)
