"""Grain: the noise of the instrument, measured on micrographs and drawn anew, as no small network learns to draw it."""

import torch
from torch import Tensor, nn

GREY_LEVELS = 3
# Median of the absolute value of N(0, 1).
MEDIAN = 0.6745
# An image gets the grain of one of so many tiles that look most like it.
NEAREST = 5


def diagonal_details(image: Tensor) -> tuple[Tensor, Tensor]:
    """One step of the orthonormal Haar transform.

    White noise keeps its deviation in the details; edges along the rows or the columns do not show in them, others
    little.

    Args:
        image: (H, W) float; an odd last row or column is left out.

    Returns:
        Diagonal details and means of 2x2 pixels, (H // 2, W // 2) each.
    """
    height, width = (side // 2 * 2 for side in image.shape)
    a, b, c, d = (image[y:height:2, x:width:2] for y in (0, 1) for x in (0, 1))
    return (a - b - c + d) / 2, (a + b + c + d) / 4


def measure_noise(image: Tensor) -> tuple[Tensor, Tensor]:
    """The noise of a tile at three grey levels.

    Args:
        image: (H, W), grey values 0..255, H and W at least 8.

    Returns:
        Mean grey level of the darkest, middle and brightest third of the tile, (GREY_LEVELS,) float32; and standard
        deviation of the noise there, (GREY_LEVELS,) float32 in grey levels, from the median of the details, which those
        of structure hardly move (Donoho and Johnstone 1994).
    """
    details, means = (each.flatten() for each in diagonal_details(image.float()))
    parts = means.argsort().tensor_split(GREY_LEVELS)
    deviations = [details[part].abs().median() / MEDIAN for part in parts]
    return torch.stack([means[part].mean() for part in parts]), torch.stack(deviations)


def brightness_and_contrast(low: Tensor) -> Tensor:
    """Mean and standard deviation of each image, (N, 1, h, w) to (N, 2)."""
    return torch.stack([low.mean((1, 2, 3)), low.std((1, 2, 3))], 1)


class Grain(nn.Module):
    """White noise as real tiles have it: in level and in dependence on the grey level.

    An image gets the noise of a real tile of about its brightness and contrast, as if from the same micrograph. Noise
    of coarser scales cannot be told from structure, and is left to the networks.

    Args:
        num: R, real tiles that are measured.

    Attributes:
        greys: (R, GREY_LEVELS) float32, grey levels.
        deviations: (R, GREY_LEVELS) float32, deviation of the noise at each of them, in grey levels. All zero, no
            grain, until :meth:`fit` has measured them.
        looks: (R, 2) float32, brightness and contrast of the reduced tiles.
    """

    greys: Tensor
    deviations: Tensor
    looks: Tensor

    def __init__(self, num: int = 64) -> None:
        super().__init__()
        self.num = num
        self.register_buffer('greys', torch.arange(GREY_LEVELS).float().expand(num, -1).clone())
        self.register_buffer('deviations', torch.zeros(num, GREY_LEVELS))
        self.register_buffer('looks', torch.zeros(num, 2))

    def fit(self, images: Tensor, low: Tensor) -> None:
        """Measures the noise of real tiles.

        Args:
            images: (R, H, W), grey values 0..255.
            low: (R, 1, h, w) float in [-1, 1], the same tiles reduced as the images are that will get grain.

        Raises:
            ValueError: Another number of tiles than `num`, or tiles too small.
        """
        if len(images) != self.num or min(images.shape[1:]) < 8:
            raise ValueError(
                f'Grain is measured on {self.num} tiles of at least 8x8 pixels, got {tuple(images.shape)}. '
                'Give as many, or set model.grain.num; larger ones, or another model.data_preprocessor.size.'
            )
        measured = zip(*map(measure_noise, images.cpu()), strict=True)
        for buffer, values in zip((self.greys, self.deviations), measured, strict=True):
            buffer.copy_(torch.stack(values))
        self.looks.copy_(brightness_and_contrast(low))

    def choose(self, low: Tensor, uniform: Tensor) -> Tensor:
        """The real tile whose grain each image gets, one of those that look most like it.

        Args:
            low: (N, 1, h, w) float in [-1, 1], reduced images.
            uniform: (N,) float, drawn from [0, 1).

        Returns:
            (N,) int64, 0..R-1.
        """
        distances = torch.cdist(brightness_and_contrast(low.float()), self.looks)
        nearest = distances.topk(min(NEAREST, self.num), largest=False).indices
        return nearest.gather(1, (uniform * nearest.shape[1]).long()[:, None])[:, 0]

    def forward(self, images: Tensor, white: Tensor, tiles: Tensor) -> Tensor:
        """Adds grain to images.

        Args:
            images: (N, 1, H, W) float in [-1, 1].
            white: (N, 1, H, W) float, noise drawn from N(0, 1).
            tiles: (N,) integer in 0..R-1, the real tile whose grain each image gets.

        Returns:
            Images with grain, of the same shape; not clipped.
        """
        # From grey levels to the range of pair tensors.
        return images + self._deviation(images.detach(), tiles) * white / 127.5

    def _deviation(self, images: Tensor, tiles: Tensor) -> Tensor:
        """(N, 1, H, W): straight lines between the grey levels that were measured, the last value beyond them."""
        values = (images + 1) * 127.5
        greys, deviations = (each[tiles][:, :, None, None].split(1, 1) for each in (self.greys, self.deviations))
        result = deviations[0].expand_as(values)
        for place in range(1, GREY_LEVELS):
            step = (greys[place] - greys[place - 1]).clamp(min=1e-3)
            part = ((values - greys[place - 1]) / step).clamp(0, 1)
            result = result + part * (deviations[place] - deviations[place - 1])
        return result
