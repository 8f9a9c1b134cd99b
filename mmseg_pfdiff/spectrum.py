"""Radial power spectra of images: how much they show of each size of structure, down to single pixels."""

from functools import lru_cache

import torch
from torch import Tensor

# Of spatial frequency, in which spectra are compared.
BANDS = 10
# Against logarithms of nothing; far below the power of one grey level.
LEAST = 1e-8


def radial_bands(height: int, width: int, bands: int = BANDS) -> Tensor:
    """The band of spatial frequency that each coefficient of `torch.fft.rfft2` is of.

    Args:
        height: Of the image.
        width: Likewise.
        bands: Of equal width from 0 to 1/2 cycles a pixel.

    Returns:
        (height, width // 2 + 1) int64, 0..bands-1; the mean value and frequencies above 1/2, in the corners, -1.
    """
    radius = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width))
    band = (radius * 2 * bands).ceil().long() - 1
    return torch.where(band < bands, band, -1)


def image_powers(images: Tensor) -> Tensor:
    """Mean power in bands of spatial frequency, of each image.

    Args:
        images: (N, 1, H, W) float.

    Returns:
        (N, BANDS) float32, lowest frequencies first; 0 in a band that small images have no coefficient in.
    """
    power = torch.fft.rfft2(images[:, 0].float(), norm='ortho').abs().square().flatten(1)
    # Not by a matrix product, which training in half precision would do in numbers too small and too coarse for powers.
    return (power[:, None] * _shares_of_bands(*images.shape[-2:], images.device)).sum(2)


@lru_cache(maxsize=32)
def _shares_of_bands(height: int, width: int, device: torch.device) -> Tensor:
    """(BANDS, coefficients) float32, each row a mean over a band; kept, so that no training step copies it anew."""
    band = radial_bands(height, width)
    members = torch.stack([band == k for k in range(BANDS)]).flatten(1).float()
    return (members / members.sum(1, keepdim=True).clamp(min=1)).to(device)


def radial_power(images: Tensor) -> Tensor:
    """Mean power in bands of spatial frequency, over a set of images.

    Args:
        images: (N, 1, H, W) float.

    Returns:
        (BANDS,) float32, lowest frequencies first.
    """
    return image_powers(images).mean(0)


def spectrum_distance(drawn: Tensor, real: Tensor) -> Tensor:
    """Mean absolute difference of the logarithms of both sets' radial power (after Durall et al. 2020, Section 4.2).

    Args:
        drawn: (N, 1, H, W) float.
        real: Of the same shape.

    Returns:
        Scalar.
    """
    return (_log(radial_power(drawn)) - _log(radial_power(real))).abs().mean()


def image_spectrum_distance(drawn: Tensor, real: Tensor) -> Tensor:
    """The same of each drawn image and its real one, a mean over the images.

    Args:
        drawn: (N, 1, H, W) float.
        real: Of the same shape.

    Returns:
        Scalar.
    """
    return (_log(image_powers(drawn)) - _log(image_powers(real))).abs().mean()


def _log(power: Tensor) -> Tensor:
    return power.clamp(min=LEAST).log()
