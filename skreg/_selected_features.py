"""What scikit-learn takes for a selected feature of a sparse model."""

import numpy as np


class SelectsFeatures:
    """Mixin of estimators whose penalty sets coefficients to exactly zero.

    `sklearn.feature_selection.SelectFromModel` keeps the nonzero coefficients of a model that it
    knows to have an L1 penalty, and those above the mean of any other. It knows by the name of the
    class ("Lasso") or by an attribute `penalty` that equals "l1"; this mixin is the latter.

    As for scikit-learn's own Lasso, SelectFromModel then takes coefficients below 1e-5 for zero;
    pass it ``threshold=np.finfo(float).tiny`` where the unit of a column makes them smaller.
    """

    @property
    def penalty(self):
        """Kind of the penalty: "l1" if it sets coefficients to zero, "l2" if it only shrinks."""
        ratio = getattr(self, "l1_ratio_", getattr(self, "l1_ratio", 1.0))
        return "l1" if np.max(ratio) > 0.0 else "l2"
