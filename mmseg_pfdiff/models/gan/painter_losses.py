"""Losses of the painter and its judge."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ...phases.labels import IGNORE_INDEX


def class_balanced_loss(logits: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Cross-entropy in which every phase of the batch weighs the same, however rare (Schonfeld et al. 2021, Eq. 1).

    Args:
        logits: (N, K+1, H, W).
        labels: (N, H, W) int64, classes 0..K-1 or 255.
        num_classes: K.

    Returns:
        Scalar, a mean over the phases present.
    """
    index = torch.where(labels == IGNORE_INDEX, num_classes, labels)
    # Not by bincount, which a GPU would have to be waited for.
    pixels = (index.flatten() == torch.arange(num_classes, device=index.device)[:, None]).sum(1)
    weights = torch.where(pixels > 0, 1 / pixels.clamp(min=1), 0.0) / (pixels > 0).sum()
    losses = F.cross_entropy(logits.float(), labels, reduction='none', ignore_index=IGNORE_INDEX)
    return (losses * F.pad(weights, (0, 1))[index]).sum()


def statistics_distance(features: Tensor, others: Tensor) -> Tensor:
    """Distance between mean and deviation of each feature over an image, (N, C, H, W) both, to (N,)."""
    own, other = ((each.mean((2, 3)), each.std((2, 3))) for each in (features, others))
    return sum((a - b).abs().mean(1) for a, b in zip(own, other, strict=True))
