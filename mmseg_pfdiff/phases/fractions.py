"""Phase fractions: measuring them, and jittering them as the paper does (Eq. 7)."""

from collections.abc import Sequence
from numbers import Real

import torch
from torch import Tensor

from .labels import IGNORE_INDEX, class_indices

# A hundred times a fraction is noise alone; far larger ones overflow.
MAX_JITTER = 100


def phase_fractions(labels: Tensor, num_classes: int, ignore_index: int = IGNORE_INDEX) -> Tensor:
    """Share of each class among the pixels of a label map that are not ignored.

    Args:
        labels: (..., H, W), any integer dtype, values 0..K-1 or `ignore_index`.
        num_classes: K.
        ignore_index: Label of pixels that do not count.

    Returns:
        (..., K) float64, each vector sums to 1.

    Raises:
        ValueError: A label is neither a class nor ignored, or a map holds ignored pixels only. On a GPU, where no value
            is looked at, the fractions of such a map are NaN.
    """
    maps = labels.reshape(-1, labels.shape[-2] * labels.shape[-1])
    index = class_indices(maps, num_classes, ignore_index)
    ones = torch.ones(1, 1, dtype=torch.long, device=maps.device).expand_as(index)
    counts = index.new_zeros(len(maps), num_classes + 1).scatter_add_(1, index, ones)[:, :num_classes].double()
    totals = counts.sum(1, keepdim=True)
    if labels.device.type == 'cpu' and (totals == 0).any():
        empty = (totals[:, 0] == 0).nonzero().flatten().tolist()
        raise ValueError(
            f'Label maps {empty} of the batch hold ignored pixels only: they have no phase fractions. Leave them '
            'out, or label some of their pixels.'
        )
    return (counts / totals).reshape(*labels.shape[:-2], num_classes)


def check_fractions(fractions: Tensor) -> None:
    """Sees that vectors are phase fractions.

    Args:
        fractions: (..., K) float.

    Raises:
        ValueError: Negative values, or vectors that do not sum to 1 within 1e-4.
    """
    if (fractions < 0).any() or ((fractions.double().sum(-1) - 1).abs() > 1e-4).any():
        raise ValueError(
            f'Each row of fractions must be >= 0 and sum to 1, got {fractions.tolist()}. Divide what is asked for '
            'by its sum.'
        )


def real_vectors(vectors: Tensor, classes: Sequence[str]) -> Tensor:
    """The fraction vectors of real tiles, checked against the classes.

    Args:
        vectors: (R, K), R >= 1.
        classes: K names.

    Returns:
        (R, K) float64.

    Raises:
        ValueError: Another shape.
    """
    vectors = torch.as_tensor(vectors, dtype=torch.float64)
    if vectors.ndim != 2 or vectors.shape[1] != len(classes) or not len(vectors):
        raise ValueError(
            f'vectors must be (R, {len(classes)}) for the classes {tuple(classes)}, got {tuple(vectors.shape)}: give '
            'the fractions of at least one tile, one column for each class.'
        )
    return vectors


def check_jitter(sigma: float, epsilon: float) -> None:
    """Sees that settings of Eq. 7 are a jitter.

    Args:
        sigma: The paper's sigma.
        epsilon: The paper's epsilon.

    Raises:
        ValueError: No number, negative, or beyond :data:`MAX_JITTER`.
    """
    for name, value in (('sigma', sigma), ('epsilon', epsilon)):
        if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value <= MAX_JITTER:
            raise ValueError(
                f'{name} must be a number from 0 to {MAX_JITTER}, got {str(value)[:40]}; the paper has 0.02 and 0.01 '
                'for sigma and epsilon.'
            )


def perturb_fractions(
    fractions: Tensor, sigma: float = 0.02, epsilon: float = 0.01, generator: torch.Generator | None = None
) -> Tensor:
    """Eq. 7: Gaussian jitter whose deviation grows with the component, then back onto the simplex.

    Negative components are set to zero before normalising; the printed formula lacks this, and a phase of fraction
    zero would be negative half of the time.

    Args:
        fractions: (..., K) float, c; each vector sums to 1.
        sigma: The paper's sigma.
        epsilon: The paper's epsilon; what lets an absent phase appear.
        generator: Source of the jitter, on the device of `fractions`.

    Returns:
        (..., K), c', same dtype; non-negative, each vector sums to 1.
    """
    noise = torch.randn(fractions.shape, generator=generator, dtype=fractions.dtype, device=fractions.device)
    jittered = (fractions + sigma * (fractions + epsilon) * noise).clamp(min=0)
    total = jittered.sum(-1, keepdim=True)
    # With a large sigma all components may fall below zero at once: such a vector stays as it was.
    return torch.where(total > 0, jittered / total.clamp(min=torch.finfo(total.dtype).tiny), fractions)


def nearest_compositions(fractions: Tensor, others: Tensor, number: int) -> Tensor:
    """The compositions that are most alike.

    By Hellinger's distance, that of the square roots: the presence of a rare phase counts, as it should, far more than
    by the distance of the fractions themselves.

    Args:
        fractions: (N, K) float, >= 0.
        others: (R, K) float, >= 0.
        number: How many for each; all, where there are fewer.

    Returns:
        (N, min(number, R)) int64 indices of others, the nearest first.
    """
    distances = torch.cdist(fractions.sqrt(), others.sqrt())
    return distances.topk(min(number, len(others)), largest=False).indices
