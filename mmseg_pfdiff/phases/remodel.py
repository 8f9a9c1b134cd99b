"""Remodelled label maps: turned, bent, and with borders moved until the phase fractions are those asked for."""

import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor
from torch.nn import functional as F

from .borders import move_borders
from .labels import IGNORE_INDEX, one_hot

# Bends have about so many waves along a side.
KNOTS = 5
# Displacement of the knots, as a part of the side: the deviation of both coordinates.
BEND = 0.03


def remodel(labels: Tensor, target: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A new label map after an old one, with other fractions.

    Args:
        labels: (S, S) integer, classes 0..K-1 or 255; a square, so that it can be turned.
        target: (K,) float, phase fractions, >= 0 and of sum 1. A phase that the map lacks stays absent, and the others
            share what was asked of it.
        generator: Of the CPU; decides how the map is turned and bent.

    Returns:
        The label map, (S, S) uint8 in 0..K-1, with the fractions in whole pixels; and what it was before its borders
        were moved.
    """
    turns, flip = torch.randint(4, (), generator=generator), torch.rand((), generator=generator)
    turned = torch.rot90(labels, int(turns))
    turned = turned.flip(1) if flip < 0.5 else turned
    bent = bend(turned, BEND * len(labels) * torch.randn(2, KNOTS, KNOTS, generator=generator), len(target))
    return move_borders(bent, target), bent


def bend(labels: Tensor, shifts: Tensor, num_classes: int) -> Tensor:
    """A label map smoothly deformed; beyond its sides lies its mirror image.

    Args:
        labels: (H, W) integer, classes 0..K-1 or 255.
        shifts: (2, a, b) float, displacements down and to the right at evenly spread knots, in pixels.
        num_classes: K.

    Returns:
        (H, W) uint8 in 0..K-1; each pixel has the class that covers most of its place. Ignored pixels have taken that
        of the pixel next to them.
    """
    height, width = labels.shape
    cover = one_hot(known_everywhere(labels)[None], num_classes)
    field = F.interpolate(shifts[None].float(), size=(height, width), mode='bicubic', align_corners=True)[0]
    rows = torch.arange(height)[:, None] + field[0]
    columns = torch.arange(width) + field[1]
    # From pixels to the range of grid_sample, where the outer sides of the border pixels are -1 and 1.
    places = torch.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], -1)[None]
    moved = F.grid_sample(cover, places, padding_mode='reflection', align_corners=False)
    return moved[0].argmax(0).to(torch.uint8)


def known_everywhere(labels: Tensor) -> Tensor:
    """A label map whose ignored pixels have the class of the pixel next to them.

    Args:
        labels: (H, W) integer, with at least one pixel that is not ignored.

    Returns:
        Of the same shape and dtype.
    """
    ignored = (labels == IGNORE_INDEX).numpy()
    if not ignored.any():
        return labels
    rows, columns = distance_transform_edt(ignored, return_distances=False, return_indices=True)
    return labels[torch.as_tensor(rows), torch.as_tensor(columns)]
