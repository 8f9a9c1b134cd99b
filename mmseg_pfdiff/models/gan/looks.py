"""Looks of tiles: how bright each of their phases is, what texture it has, and how the brightness drifts."""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...phases.fractions import nearest_compositions
from ...phases.labels import one_hot

# Radii of the means whose differences are bands of texture, from single pixels to coarse structure.
RADII = (1, 2, 4)
MOMENTS = 3
# Numbers that tell the texture of a phase: mean, deviation and skewness of each band and of what is coarser.
TEXTURES = MOMENTS * (len(RADII) + 1)
# What differs less between tiles, in the range of images, is no difference of looks; what differs far more is an
# accident.
LEAST_SPREAD = 2e-4
MOST_SPREADS = 3.0
# Side of a cell of the shading, in pixels of low resolution: larger than most structures.
CELL = 16
# A phase of fewer pixels, in a tile, does not tell how it looks elsewhere.
LEAST_PIXELS = 4
# A label map gets the looks of one of so many tiles whose fractions are most like its own.
NEAREST = 20


class Looks(NamedTuple):
    """How tiles look, apart from where their phases are.

    Attributes:
        greys: (N, K) float in [-1, 1], mean value of each phase; NaN of one that a tile lacks.
        textures: (N, K, TEXTURES) float, see :func:`measure_textures`, likewise.
        shading: (N, 1, a, b) float, what slowly varying brightness adds, in cells.
    """

    greys: Tensor
    textures: Tensor
    shading: Tensor

    def of(self, tiles: Tensor) -> 'Looks':
        """Those of some tiles, (M,) integer."""
        return Looks(*(each[tiles] for each in self))


def phase_cover(labels: Tensor, num_classes: int, factor: int = 1) -> Tensor:
    """The part of each pixel, or of each block of pixels, that each phase covers.

    Args:
        labels: (N, h * factor, w * factor) integer, classes 0..K-1 or 255, which counts as nothing.
        num_classes: K.
        factor: Side of a block.

    Returns:
        (N, K, h, w) float32 in [0, 1].
    """
    return F.avg_pool2d(one_hot(labels, num_classes), factor)


def spread(values: Tensor, cover: Tensor) -> Tensor:
    """Numbers of phases to the places of the phases.

    Args:
        values: (N, K, C) float; NaN counts as 0.
        cover: (N, K, h, w), see :func:`phase_cover`.

    Returns:
        (N, C, h, w) float.
    """
    return torch.einsum('nkc,nkhw->nchw', values.nan_to_num(), cover)


def _means(values: Tensor, cover: Tensor) -> Tensor:
    """Means over phases, (N, C, h, w) to (N, K, C); NaN of one that is absent."""
    return torch.einsum('nchw,nkhw->nkc', values, cover) / cover.sum((2, 3))[..., None]


def bands(images: Tensor) -> Tensor:
    """Images taken apart by size of structure: differences of means over ever larger squares, and the rest.

    Args:
        images: (N, 1, H, W) float, H and W above the largest of RADII.

    Returns:
        (N, len(RADII) + 1, H, W) float; their sum is the image without its mean.
    """
    levels = [images]
    for radius in RADII:
        padded = F.pad(levels[-1], (radius,) * 4, mode='reflect')
        levels.append(F.avg_pool2d(padded, 2 * radius + 1, 1))
    fine = [level - coarser for level, coarser in pairwise(levels)]
    return torch.cat([*fine, levels[-1] - images.mean((2, 3), keepdim=True)], 1)


def measure_textures(images: Tensor, cover: Tensor) -> Tensor:
    """The texture of each phase: mean, deviation and cube root of the third moment of each band over its pixels.

    The deviations say how rough a phase is at each scale, the means and third moments whether it has bright rims or
    dark ones, and grains or pores in it.

    Args:
        images: (N, 1, H, W) float in [-1, 1].
        cover: (N, K, H, W), see :func:`phase_cover`.

    Returns:
        (N, K, TEXTURES) float; NaN of a phase that is absent.
    """
    parts = bands(images)
    means = _means(parts, cover)
    rest = torch.where(cover.sum(1, keepdim=True) > 0, parts - spread(means, cover), 0.0)
    deviations = _means(rest.square(), cover).clamp(min=1e-8).sqrt()
    third = _means(rest**3, cover)
    roots = third.sign() * (third.abs() + 1e-9) ** (1 / 3)
    return torch.cat([means, deviations, roots], -1)


def measure_looks(images: Tensor, labels: Tensor, num_classes: int, factor: int) -> Looks:
    """The looks of real tiles.

    Args:
        images: (N, 1, H, W) float in [-1, 1].
        labels: (N, H, W) integer, classes 0..K-1 or 255.
        num_classes: K.
        factor: From the high to the low resolution.

    Returns:
        Their looks; cells of the shading are smaller where the images are.
    """
    greys, shading = measure_brightness(images, labels, num_classes, factor)
    return Looks(greys, measure_textures(images, phase_cover(labels, num_classes)), shading)


def measure_brightness(images: Tensor, labels: Tensor, num_classes: int, factor: int) -> tuple[Tensor, Tensor]:
    """Grey levels and shading of :func:`measure_looks`, of which it takes the arguments, without the textures."""
    low, cover = F.avg_pool2d(images, factor), phase_cover(labels, num_classes, factor)
    greys = _means(low, cover)
    cell = tuple(min(CELL, side) for side in low.shape[-2:])
    return greys[..., 0], F.avg_pool2d(low - spread(greys, cover), cell)


def draw_sketches(cover: Tensor, looks: Looks) -> Tensor:
    """Images at the low resolution in which each phase has its grey level, and the brightness drifts.

    Args:
        cover: (N, K, h, w), see :func:`phase_cover`.
        looks: N.

    Returns:
        (N, 1, h, w) float, about in [-1, 1].
    """
    return spread(looks.greys[..., None], cover) + F.interpolate(looks.shading, size=cover.shape[-2:], mode='bilinear')


class LookBank(nn.Module):
    """The looks of real tiles, for label maps that have none.

    Args:
        num_classes: K.
        side: Of a tile at the low resolution, in pixels.
        num: R, real tiles that are measured.

    Attributes:
        fractions: (R, K) float32, phase fractions of the tiles. All zero until :meth:`fit` has measured them.
        greys: (R, K) float32, as in :class:`Looks`; of a phase that a tile hardly has, the mean over the others,
            relative to the brightness of the tile.
        textures: (R, K, TEXTURES) float32, likewise.
        shading: (R, 1, a, a) float32.
        texture_mean: (K, TEXTURES) float32, over the tiles.
        texture_spread: (K, TEXTURES) float32, deviation over the tiles.
    """

    texture_mean: Tensor
    texture_spread: Tensor
    fractions: Tensor
    greys: Tensor
    textures: Tensor
    shading: Tensor

    def __init__(self, num_classes: int, side: int, num: int = 256) -> None:
        super().__init__()
        self.num = num
        cells = max(1, side // CELL)
        self.register_buffer('fractions', torch.zeros(num, num_classes))
        self.register_buffer('greys', torch.zeros(num, num_classes))
        self.register_buffer('textures', torch.zeros(num, num_classes, TEXTURES))
        self.register_buffer('shading', torch.zeros(num, 1, cells, cells))
        self.register_buffer('texture_mean', torch.zeros(num_classes, TEXTURES))
        self.register_buffer('texture_spread', torch.ones(num_classes, TEXTURES))

    def fit(self, images: Tensor, labels: Tensor, factor: int) -> None:
        """Measures real tiles.

        Args:
            images: (R, 1, S, S) float in [-1, 1].
            labels: (R, S, S) integer, classes 0..K-1 or 255.
            factor: From the high to the low resolution.

        Raises:
            ValueError: Another number of tiles than `num`, or of another size.
        """
        looks = measure_looks(images, labels, self.greys.shape[1], factor)
        if len(images) != self.num or looks.shading.shape != self.shading.shape:
            raise ValueError(
                f'Looks are those of {self.num} tiles with {tuple(self.shading.shape[-2:])} cells of {CELL} pixels at '
                f'the low resolution; got images of {tuple(images.shape)}. Give what model.data_preprocessor.size and '
                'model.looks.num say.'
            )
        pixels = phase_cover(labels, self.greys.shape[1]).sum((2, 3))
        self.fractions.copy_(pixels / pixels.sum(1, keepdim=True))
        brightness, told = images.mean((1, 2, 3))[:, None], pixels >= LEAST_PIXELS
        self.greys.copy_(_completed(looks.greys - brightness, told) + brightness)
        self.textures.copy_(_completed(looks.textures, told[..., None]))
        self.shading.copy_(looks.shading)
        self.texture_mean.copy_(self.textures.mean(0))
        self.texture_spread.copy_(self.textures.std(0, correction=0).clamp(min=LEAST_SPREAD))

    def normalised(self, textures: Tensor) -> Tensor:
        """Textures in deviations from those of the tiles, (N, K, TEXTURES) to the same; 0 for NaN."""
        spreads = (textures - self.texture_mean) / self.texture_spread
        return spreads.clamp(-MOST_SPREADS, MOST_SPREADS).nan_to_num()

    def choose(self, fractions: Tensor, uniform: Tensor) -> Tensor:
        """The real tile whose looks each label map gets, one of those most like it.

        Args:
            fractions: (N, K) float, phase fractions of the label maps.
            uniform: (N,) float, drawn from [0, 1).

        Returns:
            (N,) int64, 0..R-1.
        """
        nearest = nearest_compositions(fractions.to(self.fractions), self.fractions, NEAREST)
        return nearest.gather(1, (uniform * nearest.shape[1]).long()[:, None])[:, 0]

    def forward(self, tiles: Tensor) -> Looks:
        """The looks of tiles, (N,) integer in 0..R-1."""
        return Looks(self.greys, self.textures, self.shading).of(tiles)


def _completed(values: Tensor, told: Tensor) -> Tensor:
    """Values with their mean over the tiles that tell them for the others; 0 where none does."""
    values = torch.where(told, values, torch.nan)
    return torch.where(told, values, values.nanmean(0).nan_to_num())
