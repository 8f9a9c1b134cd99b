"""Sketches of images: each phase of a label map as grey as in a real tile, with that tile's contrast and shading."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...phases.fractions import nearest_compositions

# Side of a cell of the shading, in pixels of low resolution: larger than most structures.
CELL = 16
# A label map is sketched after one of so many tiles whose fractions are most like its own.
NEAREST = 20
# A phase that covers less than this of a pixel tells nothing of its grey level.
LEAST_COVER = 0.5


class Looks(NamedTuple):
    """How tiles look, apart from where their phases are.

    Attributes:
        greys: (N, K) float in [-1, 1], mean value of each phase; NaN of one that a tile lacks.
        contrasts: (N, K) float, standard deviation inside each phase, likewise.
        shading: (N, 1, a, b) float, what slowly varying brightness adds, in cells.
    """

    greys: Tensor
    contrasts: Tensor
    shading: Tensor


def phase_cover(labels: Tensor, num_classes: int, factor: int) -> Tensor:
    """The part of each pixel of low resolution that each phase covers.

    Args:
        labels: (N, h * factor, w * factor) integer, classes 0..K-1 or others, which count as nothing.
        num_classes: K.
        factor: Of the enlargement.

    Returns:
        (N, K, h, w) float32 in [0, 1].
    """
    classes = torch.arange(num_classes, device=labels.device)[:, None, None]
    return F.avg_pool2d((labels[:, None] == classes).float(), factor)


def _spread(values: Tensor, cover: Tensor) -> Tensor:
    """Values of phases to their pixels, (N, K) to (N, 1, h, w); NaN counts as 0."""
    return (cover * values.nan_to_num()[:, :, None, None]).sum(1, keepdim=True)


def measure_looks(low: Tensor, cover: Tensor) -> Looks:
    """The looks of real images.

    Args:
        low: (N, 1, h, w) float in [-1, 1].
        cover: (N, K, h, w), see :func:`phase_cover`.

    Returns:
        Their looks; cells of the shading are smaller where the images are.
    """
    pixels = cover.sum((2, 3))

    def means(values: Tensor) -> Tensor:
        known = (cover * values).sum((2, 3)) / pixels.clamp(min=LEAST_COVER)
        return torch.where(pixels >= LEAST_COVER, known, torch.nan)

    greys = means(low)
    rest = low - _spread(greys, cover)
    shading = F.avg_pool2d(rest, tuple(min(CELL, side) for side in low.shape[-2:]))
    return Looks(greys, means((rest - _enlarged(shading, low)).square()).sqrt(), shading)


def _enlarged(shading: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(shading, size=like.shape[-2:], mode='bilinear')


def draw_sketches(cover: Tensor, looks: Looks, white: Tensor) -> Tensor:
    """Images that have the looks, and of structure nothing but the phases.

    The noise stands for the texture that is to be drawn in its place, as strong as it shall be.

    Args:
        cover: (N, K, h, w), see :func:`phase_cover`.
        looks: N.
        white: (N, 1, h, w) float, drawn from N(0, 1).

    Returns:
        (N, 1, h, w) float, about in [-1, 1].
    """
    return _spread(looks.greys, cover) + _enlarged(looks.shading, white) + _spread(looks.contrasts, cover) * white


class Sketcher(nn.Module):
    """The looks of real tiles, to sketch label maps after.

    Args:
        num_classes: K.
        side: Of a tile at the low resolution, in pixels.
        num: R, real tiles that are measured.

    Attributes:
        fractions: (R, K) float32, phase fractions of the tiles. All zero until :meth:`fit` has measured them.
        greys: (R, K) float32, as in :class:`Looks`; of a phase that a tile lacks, the mean over those that have it,
            relative to the brightness of the tile.
        contrasts: (R, K) float32 likewise.
        shading: (R, 1, a, a) float32.
    """

    fractions: Tensor
    greys: Tensor
    contrasts: Tensor
    shading: Tensor

    def __init__(self, num_classes: int, side: int, num: int = 256) -> None:
        super().__init__()
        self.num = num
        cells = max(1, side // CELL)
        for name in ('fractions', 'greys', 'contrasts'):
            self.register_buffer(name, torch.zeros(num, num_classes))
        self.register_buffer('shading', torch.zeros(num, 1, cells, cells))

    def fit(self, low: Tensor, cover: Tensor) -> None:
        """Measures real tiles.

        Args:
            low: (R, 1, side, side) float in [-1, 1].
            cover: (R, K, side, side), see :func:`phase_cover`.

        Raises:
            ValueError: Another number of tiles than `num`, or of another size.
        """
        looks = measure_looks(low, cover)
        if len(low) != self.num or looks.shading.shape != self.shading.shape:
            raise ValueError(
                f'A sketcher for {self.num} tiles with {tuple(self.shading.shape[-2:])} cells of {CELL} pixels got '
                f'images of {tuple(low.shape)}. Give what model.data_preprocessor.size and model.looks.num say.'
            )
        brightness = low.mean((1, 2, 3))[:, None]
        self.fractions.copy_(cover.mean((2, 3)) / cover.mean((2, 3)).sum(1, keepdim=True))
        self.greys.copy_(_completed(looks.greys - brightness) + brightness)
        self.contrasts.copy_(_completed(looks.contrasts))
        self.shading.copy_(looks.shading)

    def choose(self, fractions: Tensor, uniform: Tensor) -> Tensor:
        """The real tile after which each label map is sketched, one of those most like it.

        Args:
            fractions: (N, K) float, phase fractions of the label maps.
            uniform: (N,) float, drawn from [0, 1).

        Returns:
            (N,) int64, 0..R-1.
        """
        nearest = nearest_compositions(fractions.to(self.fractions), self.fractions, NEAREST)
        return nearest.gather(1, (uniform * nearest.shape[1]).long()[:, None])[:, 0]

    def forward(self, cover: Tensor, tiles: Tensor, white: Tensor) -> Tensor:
        """Sketches after tiles.

        Args:
            cover: (N, K, h, w), see :func:`phase_cover`.
            tiles: (N,) integer, 0..R-1.
            white: (N, 1, h, w) float, drawn from N(0, 1).

        Returns:
            (N, 1, h, w) float.
        """
        return draw_sketches(cover, Looks(self.greys[tiles], self.contrasts[tiles], self.shading[tiles]), white)


def _completed(values: Tensor) -> Tensor:
    """Values with the mean of their column for NaN; 0 in a column of NaN alone."""
    return torch.where(values.isnan(), values.nanmean(0).nan_to_num(), values)
