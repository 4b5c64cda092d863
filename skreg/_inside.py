"""The estimators that another one holds and predicts with."""


def fitted_inside(estimator):
    """The estimator itself, then those within it that predict for it, on the same rows of X's
    features or on transformed ones.

    What Stacking, Voting and Bagging hold was fitted on encoded labels, and is not among them.
    """
    yield estimator
    if hasattr(estimator, "steps"):
        inside = [estimator.steps[-1][1]]
    elif hasattr(estimator, "calibrated_classifiers_"):
        inside = [calibrated.estimator for calibrated in estimator.calibrated_classifiers_]
    else:
        names = ("best_estimator_", "estimator_")
        inside = [getattr(estimator, name) for name in names if hasattr(estimator, name)]
    for inner in inside:
        yield from fitted_inside(inner)


def holder_of(estimator, attribute, owner):
    """The first estimator, on the way in, that has a learned attribute.

    Raises
    ------
    TypeError
        If none has it.
    """
    for inner in fitted_inside(estimator):
        if hasattr(inner, attribute):
            return inner
    raise TypeError(
        f"{owner} needs an estimator with {attribute}, such as a Pipeline or search may hold; "
        f"{type(estimator).__name__} has none. Fit one that has."
    )
