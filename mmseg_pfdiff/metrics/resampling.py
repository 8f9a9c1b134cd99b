"""Resampling of whole micrographs: what another set of as many micrographs of the same material might be."""

from collections.abc import Iterator, Sequence

import numpy as np

RESAMPLES = 200


def resampled_weights(owners: Sequence[str], resamples: int = RESAMPLES, seed: int = 0) -> Iterator[np.ndarray]:
    """Bootstrap: how often each tile counts in sets of as many micrographs.

    Whole micrographs are drawn with repetition, not tiles: tiles of one micrograph resemble each other, and some
    overlap, so tiles drawn one by one would make the spread look too small.

    Args:
        owners: N names of micrographs; with a single one, tiles are drawn.
        resamples: How many sets.
        seed: Of the drawing.

    Yields:
        (N,) int64 weights of the tiles, for each set.
    """
    names, group = np.unique(owners, return_inverse=True)
    if len(names) < 2:
        group = np.arange(len(owners))
    number, rng = group.max() + 1, np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.bincount(rng.integers(0, number, number), minlength=number)[group]
