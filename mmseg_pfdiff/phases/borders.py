"""Label maps with exact phase fractions: phases grow and shrink where they are, and none appears out of nothing."""

import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from .fractions import check_fractions
from .quota import assign_with_quota, largest_remainder


def move_borders(labels: Tensor, target: Tensor, scores: Tensor | None = None, cost: float = 1.0) -> Tensor:
    """Lets phases grow and shrink at their borders, to exact fractions.

    Of all label maps with these fractions this is the best one: each pixel has a score for each phase, and pays for a
    phase other than its own by the distance to where that is. Without scores, a phase grows or shrinks everywhere by
    about the same width. A phase that is not there stays absent, where the least decided pixels, scattered over the
    map, would have to make it up; the others share what was asked of it.

    Args:
        labels: (H, W) integer in 0..K-1.
        target: (K,) float, phase fractions, >= 0 and of sum 1.
        scores: (K, H, W) float, how well each phase fits each pixel; None where all fit alike.
        cost: Of a pixel of distance, in units of the scores, > 0.

    Returns:
        (H, W) uint8 in 0..K-1: the fractions asked for in whole pixels, rounded by largest remainder. The labels as
        they are, where nothing is asked of any phase that is there.

    Raises:
        ValueError: A target that is no composition.
    """
    check_fractions(target)
    here = labels.unique().long()
    wanted = target.double()[here]
    if len(here) == 1 or not wanted.sum() > 0:
        return labels.to(torch.uint8)
    value = -cost * torch.stack([distance_to(labels == k) for k in here])
    if scores is not None:
        value = value + scores[here]
    counts = largest_remainder((wanted / wanted.sum())[None], labels.numel())
    return here.to(torch.uint8)[assign_with_quota(value.flatten(1)[None], counts)[0]].reshape(labels.shape)


def distance_to(region: Tensor) -> Tensor:
    """Distance of each pixel to the next one of a region, (H, W) bool to (H, W) float64 in pixels, 0 inside it."""
    return torch.as_tensor(distance_transform_edt(~region.numpy()))
