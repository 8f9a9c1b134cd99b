"""Support of the real fraction vectors: how far from them a request lies, and how far is too far."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

# Rows compared at once: (1024, R, K) differences of a large data set stay within some hundred megabytes.
CHUNK = 1024


class FractionSupport:
    """The real fraction vectors of a generator, and how far from them a request may lie.

    Args:
        vectors: (R, K) float, fractions of the real tiles.
        limit: Largest distance within the support; default: :func:`support_limit`, infinite for a single vector,
            which tells nothing of the spread.

    Attributes:
        limit: See above, in [0, 1].
    """

    def __init__(self, vectors: Tensor, limit: float | None = None) -> None:
        self.vectors = vectors
        if limit is None:
            limit = support_limit(vectors) if len(vectors) > 1 else math.inf
        self.limit = limit

    def __call__(self, fractions: Tensor) -> Tensor:
        """:func:`support_distance` to these vectors."""
        return support_distance(fractions, self.vectors)


def support_distance(fractions: Tensor, vectors: Tensor) -> Tensor:
    """Distance of fraction vectors to the nearest real one.

    The distance is the total variation, half the sum of absolute differences: the share of pixels that would have to
    change their class to turn one composition into the other. It is in [0, 1] and reads like a fraction error.

    Args:
        fractions: (..., K) float, requests; each vector sums to 1.
        vectors: (R, K) float, fractions of the real tiles.

    Returns:
        (...,) float64 in [0, 1].

    Raises:
        ValueError: No vectors, or another number of classes.
    """
    if vectors.ndim != 2 or not len(vectors) or fractions.shape[-1] != vectors.shape[1]:
        raise ValueError(
            f'Real vectors must be (R, {fractions.shape[-1]}) for requests of {fractions.shape[-1]} classes, with R '
            f'at least 1; got {tuple(vectors.shape)}.'
        )
    rows = fractions.reshape(-1, fractions.shape[-1])
    nearest = [block.amin(1) for block in _total_variation(rows, vectors)]
    return torch.cat(nearest).reshape(fractions.shape[:-1])


def support_limit(vectors: Tensor, quantile: float = 0.99) -> float:
    """How far a real vector lies from its nearest neighbour among the others: a limit for requests.

    A request farther from the real vectors than that is out of support: even the loneliest real tiles have nearer
    neighbours. Tiles that overlap have near neighbours by construction, which makes the limit stricter.

    Args:
        vectors: (R, K) float, fractions of the real tiles, R at least 2.
        quantile: Of the leave-one-out distances, in [0, 1].

    Returns:
        The limit, in [0, 1].

    Raises:
        ValueError: Fewer than two vectors, or a quantile out of range.
    """
    if vectors.ndim != 2 or len(vectors) < 2 or not 0 <= quantile <= 1:
        raise ValueError(
            f'A limit needs (R, K) vectors with R at least 2 and a quantile in [0, 1]; got {tuple(vectors.shape)} '
            f'and {quantile}. Give the limit itself for a data set as small as this.'
        )
    nearest = []
    for start, block in zip(range(0, len(vectors), CHUNK), _total_variation(vectors, vectors), strict=True):
        itself = torch.arange(len(block))
        block[itself, start + itself] = torch.inf
        nearest.append(block.amin(1))
    return torch.cat(nearest).quantile(quantile).item()


def _total_variation(rows: Tensor, vectors: Tensor) -> Iterator[Tensor]:
    """(n, R) distances of up to CHUNK rows at a time."""
    for block in rows.double().split(CHUNK):
        yield torch.cdist(block, vectors.to(block), p=1) / 2
