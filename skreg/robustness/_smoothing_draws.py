"""Tallies of many inputs under noise: shared by all inputs, or of each input's own."""

from collections.abc import Iterator, Sequence
from typing import Any

from skreg.robustness._noise import noise_blocks, stream
from skreg.robustness._smoothing_scores import Scores
from skreg.robustness._smoothing_votes import Tally

LARGEST_KEPT = 256e6  # bytes of noise that are kept for all inputs
ROWS_TOGETHER = 8  # inputs for which noise that is not kept is drawn once


class Draws:
    """n draws of noise for a purpose, in blocks, as a model's `Scores` need them.

    Parameters
    ----------
    scores : Scores
        The model.
    seed : int
        Seed of the noise.
    purpose : int
        Selection or estimation.
    n : int
        Number of draws.
    width : int
        Number of features.
    batch_size : int
        Draws in a block; the draws do not depend on it.
    shared : bool
        Whether all inputs see the same draws, or each those of its position.
    """

    def __init__(
        self, scores: Scores, seed: int, purpose: int, n: int, width: int, batch_size: int,
        shared: bool,
    ) -> None:  # fmt: skip
        self.scores = scores
        self.shared = shared
        self._key = (seed, purpose)
        self._shape = (n, width, batch_size)
        self._kept: list[Any] | None = None

    def _blocks(self, *row: int) -> Iterator[Any]:
        rng = stream(*self._key, *row)
        for draws in noise_blocks(rng, *self._shape):
            yield self.scores.noise(draws)

    def prepare(self) -> None:
        """Draw what all rows share, if it is small enough to be kept."""
        if not self.shared:
            return
        blocks = self._blocks()
        kept = [next(blocks)]
        n, _, batch_size = self._shape
        if kept[0].nbytes * -(-n // batch_size) <= LARGEST_KEPT:
            kept.extend(blocks)
            self._kept = kept

    def add(self, places: Sequence[Any], rows: Sequence[int], tallies: Sequence[Tally]) -> None:
        """Count the scores of some rows in."""
        wanted = list(zip(places, rows, tallies, strict=True))
        for some in [wanted] if self.shared and wanted else [[one] for one in wanted]:
            row = () if self.shared else (some[0][1],)
            for noise in self._blocks(*row) if self._kept is None else self._kept:
                for place, _, tally in some:
                    tally.add(self.scores.scores(place, noise))


def chunks_of_rows(n_rows: int) -> list[range]:
    """Rows that are worked on together."""
    return [
        range(start, min(start + ROWS_TOGETHER, n_rows))
        for start in range(0, n_rows, ROWS_TOGETHER)
    ]
