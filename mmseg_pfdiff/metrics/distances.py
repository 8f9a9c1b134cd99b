"""Distances between two sets of images, from their features: KID and the Frechet distance.

Libraries compute them from pictures, with networks of their own, anew for each measure. Here features of any network
are computed once, for distances, coverage and maps alike; torch-fidelity is a reference of the tests.
"""

from typing import NamedTuple

import torch
from torch import Tensor

MAX_SUBSET = 100


class KernelDistance(NamedTuple):
    """Kernel distance (KID) of two sets.

    Attributes:
        mean: Mean over the subsets. Its expectation is 0 for two sets from one source, whatever their sizes; so it
            may be negative.
        std: Standard deviation over the subsets: of a subset's value, not the error of the mean.
        counts: Numbers of images in the two sets.
        subset_size: Images drawn from each set for a subset.
        subsets: Number of subsets.
        extractor: Name of the features.
    """

    mean: float
    std: float
    counts: tuple[int, int]
    subset_size: int
    subsets: int
    extractor: str


class FrechetDistance(NamedTuple):
    """Frechet distance of two sets, as if their features were Gaussian.

    Attributes:
        value: >= 0. Biased: the fewer images, the larger. Compare values of equal counts only.
        counts: Numbers of images in the two sets.
        extractor: Name of the features.
    """

    value: float
    counts: tuple[int, int]
    extractor: str


def kid(
    x: Tensor, y: Tensor, extractor: str, subset_size: int | None = None, subsets: int = 100, seed: int = 0
) -> KernelDistance:
    """Unbiased squared maximum mean discrepancy with the kernel (a . b / D + 1)^3 (Binkowski et al., 2018).

    Args:
        x: (N, D) features of one set.
        y: (M, D) features of the other.
        extractor: What the features are, for the reader of the result.
        subset_size: Images of each set in a subset, 2 to the size of the smaller set. Default: half of the smaller
            set, so that subsets differ, and 100 at most.
        subsets: How often subsets are drawn, without repetition inside one.
        seed: Of the drawing.

    Returns:
        Mean and deviation over the subsets, with what they are made of.

    Raises:
        ValueError: Features that do not fit, or a subset larger than a set.
    """
    _check(x, y)
    counts = (len(x), len(y))
    size = subset_size if subset_size is not None else min(MAX_SUBSET, max(2, min(counts) // 2))
    if not 2 <= size <= min(counts) or subsets < 1:
        raise ValueError(
            f'subset_size must be 2..{min(counts)}, the size of the smaller set, and subsets at least 1; '
            f'got {size} and {subsets}.'
        )
    generator = torch.Generator().manual_seed(seed)
    x, y = x.double().cpu(), y.double().cpu()
    values = torch.stack(
        [squared_mmd(*(z[torch.randperm(len(z), generator=generator)[:size]] for z in (x, y))) for _ in range(subsets)]
    )
    return KernelDistance(values.mean().item(), values.std(correction=0).item(), counts, size, subsets, extractor)


def squared_mmd(x: Tensor, y: Tensor) -> Tensor:
    """Unbiased squared MMD of two sets of equal size with the cubic kernel.

    Args:
        x: (S, D) float64.
        y: (S, D) float64.

    Returns:
        Scalar.
    """
    size, width = x.shape
    within = sum((kernel.sum() - kernel.trace()) for kernel in ((z @ z.T / width + 1) ** 3 for z in (x, y)))
    across = ((x @ y.T / width + 1) ** 3).mean()
    return within / (size * (size - 1)) - 2 * across


def frechet_distance(x: Tensor, y: Tensor, extractor: str) -> FrechetDistance:
    """|m_x - m_y|^2 + trace(C_x + C_y - 2 (C_x C_y)^(1/2)) of the means and covariances of two sets.

    No matrix root is taken: with the centred features A and B, scaled so that C_x = A'A and C_y = B'B, the trace of
    (C_x C_y)^(1/2) is the sum of the singular values of A B'. That holds for fewer images than features too.

    Args:
        x: (N, D) features of one set.
        y: (M, D) features of the other.
        extractor: What the features are, for the reader of the result.

    Returns:
        The distance, with what it is made of.

    Raises:
        ValueError: Features that do not fit.
    """
    _check(x, y)
    x, y = x.double().cpu(), y.double().cpu()
    a, b = (_covariance_factor(z) for z in (x, y))
    squares = (x.mean(0) - y.mean(0)).square().sum() + a.square().sum() + b.square().sum()
    value = squares - 2 * torch.linalg.svdvals(a @ b.T).sum()
    return FrechetDistance(max(value.item(), 0.0), (len(x), len(y)), extractor)


def _covariance_factor(features: Tensor) -> Tensor:
    """(R, D) factor A of the covariance A'A, R at most D."""
    centred = (features - features.mean(0)) / (len(features) - 1) ** 0.5
    return centred if len(centred) <= centred.shape[1] else torch.linalg.qr(centred, mode='r').R


def _check(x: Tensor, y: Tensor) -> None:
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < 2:
        raise ValueError(f'Features must be (N >= 2, D) and (M >= 2, D), got {tuple(x.shape)} and {tuple(y.shape)}.')
