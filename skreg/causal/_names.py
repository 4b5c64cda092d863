"""Names of the nodes of a graph."""


def default_names(n):
    """Names x0, x1, ... of n columns."""
    return [f"x{j}" for j in range(n)]


def checked_names(feature_names, n, default):
    """Names of n nodes as a list of strings."""
    names = default if feature_names is None else [str(name) for name in feature_names]
    if len(names) != n:
        raise ValueError(f"feature_names has {len(names)} names for {n} nodes")
    return list(names)
