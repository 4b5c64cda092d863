"""First fits that compile the kernels of this folder ahead, for `skreg warmup`."""

import numpy as np

from skreg.coreset import online_leverage_scores


def online_scores() -> None:
    """The only compiled loop of this folder."""
    online_leverage_scores(np.eye(3), ridge=1.0)


FITS = (online_scores,)
