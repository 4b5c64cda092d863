"""Choice of a penalty strength along a path, by its scores on held-out folds."""
