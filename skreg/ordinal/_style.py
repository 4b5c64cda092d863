"""What the pictures of this package have in common."""

import numpy as np


def pyplot(display):
    """`matplotlib.pyplot`, or an ImportError that says how to get it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{display} draws with matplotlib, which is not installed: pip install skreg[plot]"
        ) from error
    return plt


def boundary_colours(n):
    """Colours of n ordered things, light for common to dark for rare."""
    from matplotlib import colormaps

    return [colormaps["viridis_r"](position) for position in np.linspace(0.12, 0.95, n)]
