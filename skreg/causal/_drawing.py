"""What the pictures of this package have in common."""

COLOURS = "RdBu_r"
INK, GREY, BLUE, RED = "#26292e", "#8b9097", "#0072B2", "#D55E00"


def pyplot(display):
    """`matplotlib.pyplot`, or an ImportError that says how to get it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{display} draws with matplotlib, which is not installed: pip install skreg[plot]"
        ) from error
    return plt


def checked_names(feature_names, n, default):
    """Names of n nodes as a list of strings."""
    names = default if feature_names is None else [str(name) for name in feature_names]
    if len(names) != n:
        raise ValueError(f"feature_names has {len(names)} names for {n} nodes")
    return list(names)
