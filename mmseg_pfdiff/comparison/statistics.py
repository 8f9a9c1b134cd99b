"""Statistics of a comparison: means over runs, and paired differences with bootstrap intervals."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from ..metrics import confusion
from .results import TestResult

BOOTSTRAP = 2000
LEVEL = 0.95


class Interval(NamedTuple):
    """An estimate with its interval.

    Attributes:
        value: The estimate.
        low: Lower end of the interval.
        high: Upper end.
    """

    value: float
    low: float
    high: float


def class_iou(intersection: np.ndarray, predicted: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """IoU of each class over all pixels given.

    Args:
        intersection: (..., N, K) pixels of N micrographs.
        predicted: Likewise.
        labelled: Likewise.

    Returns:
        (..., K) percent; NaN for a class that is not labelled anywhere.
    """
    counts = (torch.as_tensor(pixels.sum(-2)) for pixels in (intersection, predicted, labelled))
    return 100 * confusion.class_iou(*counts).numpy()


def pixel_accuracy(result: TestResult) -> float:
    """Correct pixels among the labelled ones, percent."""
    return 100 * float(result.intersection.sum() / result.labelled.sum())


def scores(result: TestResult, chosen: np.ndarray | slice = slice(None)) -> np.ndarray:
    """Mean IoU over the classes that are labelled, then IoU of each class, over all pixels of some micrographs.

    Args:
        result: Of one run.
        chosen: (..., n) indices of the micrographs, each as often as it counts; default: all of them.

    Returns:
        (..., 1 + K) percent.
    """
    iou = class_iou(result.intersection[chosen], result.predicted[chosen], result.labelled[chosen])
    return np.concatenate([np.nanmean(iou, -1, keepdims=True), iou], -1)


def paired_differences(
    ours: Sequence[Sequence[TestResult]], theirs: Sequence[Sequence[TestResult]], seed: int = 0
) -> list[Interval]:
    """Differences of two methods, with intervals over both what was drawn by chance and what was tested on.

    A bootstrap sample draws, with replacement, seeds and, for each split, micrographs: the same for both methods, so
    that what makes a micrograph hard cancels. A draw of micrographs that lacks a class of the split is drawn again: the
    mean over fewer classes is another quantity. With few seeds and micrographs the intervals are rough, and rather too
    narrow, above all those of a class that few micrographs hold; and they hold for the generators and pairs at hand,
    which are the same for all seeds.

    Args:
        ours: Split -> seed -> result of one method.
        theirs: The same of the other, on the same micrographs.
        seed: Of the bootstrap.

    Returns:
        1 + K differences with 95 % intervals, in points: of the mean IoU, then of each class. Where all bootstrap
        samples are alike they tell nothing of the spread, as those of one seed and one micrograph: such intervals are
        NaN.

    Raises:
        ValueError: The two were not tested on the same micrographs.
    """
    for own, other in zip(ours, theirs, strict=True):
        names = {result.micrographs for result in (*own, *other)}
        if len(names) != 1:
            raise ValueError(f'Results of different test micrographs cannot be paired: {sorted(names)}.')
    number = len(ours[0])
    everything = [np.arange(len(split[0].micrographs))[None] for split in ours]
    [value] = _differences(ours, theirs, np.arange(number)[None], everything)
    rng = np.random.default_rng(seed)
    micrographs = [_draw(split[0].labelled > 0, rng) for split in ours]
    drawn = _differences(ours, theirs, rng.integers(number, size=(BOOTSTRAP, number)), micrographs)
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(drawn, [tail, 100 - tail], axis=0)
    alike = np.isclose(drawn.min(0), drawn.max(0))
    low, high = (np.where(alike, np.nan, end) for end in (low, high))
    return [Interval(*map(float, numbers)) for numbers in zip(value, low, high, strict=True)]


def _differences(
    ours: Sequence[Sequence[TestResult]],
    theirs: Sequence[Sequence[TestResult]],
    seeds: np.ndarray,
    micrographs: Sequence[np.ndarray],
) -> np.ndarray:
    """(B, 1 + K) mean differences over splits and seeds of B samples.

    Args:
        ours: As of :func:`paired_differences`.
        theirs: Likewise.
        seeds: (B, S) which seeds each sample has.
        micrographs: (B, N) of each split, which micrographs.
    """
    samples = np.arange(len(seeds))
    parts = []
    for own, other, chosen in zip(ours, theirs, micrographs, strict=True):
        gains = np.array([scores(a, chosen) - scores(b, chosen) for a, b in zip(own, other, strict=True)])
        parts.append(gains[seeds.T, samples].mean(0))
    parts = np.array(parts)
    known = ~np.isnan(parts)
    with np.errstate(invalid='ignore', divide='ignore'):
        return np.where(known, parts, 0).sum(0) / known.sum(0)


def _draw(present: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(BOOTSTRAP, N) micrographs drawn with replacement, so that no class is lost; `present` is (N, K) bool."""
    number = len(present)
    chosen = rng.integers(number, size=(BOOTSTRAP, number))
    while len(lost := np.flatnonzero((present[chosen].any(1) != present.any(0)).any(1))):
        chosen[lost] = rng.integers(number, size=(len(lost), number))
    return chosen
