"""Power spectra of sets of images: how much these show of each size of structure, beside the same of real tiles."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..spectrum import BANDS, image_powers, radial_bands
from .resampling import RESAMPLES, resampled_weights

BATCH = 32
# What 95 % of the resampled sets lie between.
QUANTILES = (0.025, 0.975)


class ImageSpectra(NamedTuple):
    """Power of N images in bands of spatial frequency.

    Attributes:
        powers: (N, BANDS) float64, squared grey levels; NaN in a band that images of this size have no coefficient in.
        owners: N names; tiles of one micrograph, or windows of one pair, have the same one.
    """

    powers: np.ndarray
    owners: list[str]


def band_edges() -> np.ndarray:
    """Limits of the bands: (BANDS + 1,) float64, cycles a pixel."""
    return np.linspace(0, 0.5, BANDS + 1)


def image_spectra(images: Tensor, owners: Sequence[str]) -> ImageSpectra:
    """Spectra of grey images. The mean of an image has no part in them.

    Args:
        images: (N, S, S) uint8.
        owners: N names.

    Returns:
        Of each image.
    """
    powers = torch.cat([image_powers(part[:, None].float()) for part in images.split(BATCH)]).double()
    band = radial_bands(*images.shape[1:])
    for k in range(BANDS):
        if not (band == k).any():
            powers[:, k] = torch.nan
    return ImageSpectra(powers.numpy(), list(owners))


def set_power(spectra: ImageSpectra, weights: np.ndarray | None = None) -> np.ndarray:
    """Mean power of a set.

    Args:
        spectra: Of N images.
        weights: (N,) how often each image counts; default: once.

    Returns:
        (BANDS,) float64.
    """
    return np.average(spectra.powers, 0, weights)


def resampled_powers(spectra: ImageSpectra, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """Bootstrap over whole micrographs: the mean power of sets of as many other micrographs of the same material.

    Args:
        spectra: Of the tiles.
        resamples: How many sets, R.
        seed: Of the drawing.

    Returns:
        (R, BANDS) float64.
    """
    return np.stack([set_power(spectra, weights) for weights in resampled_weights(spectra.owners, resamples, seed)])


def power_ratio(power: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Power relative to another, (BANDS,) float64 each; NaN in a band in which that has none."""
    return np.divide(power, reference, out=np.full(BANDS, np.nan), where=reference > 0)


def ratio_records(
    powers: Mapping[str, np.ndarray],
    reference: str,
    judged: str,
    limits: np.ndarray,
    titles: Mapping[str, str],
) -> list[dict]:
    """Power of sets relative to that of a reference, held against its own spread.

    Args:
        powers: Name of the set -> (BANDS,).
        reference: Name of the set that the others are compared with.
        judged: Name of the set that shall be within the spread of the reference.
        limits: (2, BANDS) least and largest power of resamples of the reference.
        titles: Name -> title for the reader.

    Returns:
        A record for each band: its limits, the ratio of each set, the range of the resamples, and whether the judged
        set is beyond it ('-' where that cannot be said: without power in the reference, or without a spread).
    """
    ratios = {name: power_ratio(power, powers[reference]) for name, power in powers.items() if name != reference}
    low, high = (power_ratio(limit, powers[reference]) for limit in limits)
    edges = band_edges()
    records = []
    for k in range(BANDS):
        value = ratios[judged][k]
        beyond = 'no' if low[k] <= value <= high[k] else 'yes'
        known = low[k] < high[k] and not np.isnan(value)
        records.append(
            {
                'cycles/px': f'{edges[k]:.2f} to {edges[k + 1]:.2f}',
                'wavelength, px': f'{1 / edges[k + 1]:.1f} ' + (f'to {1 / edges[k]:.1f}' if k else 'and more'),
            }
            | {titles[name]: float(ratio[k]) for name, ratio in ratios.items()}
            | {
                f'{titles[reference]}, resampled, 2.5 %': float(low[k]),
                '97.5 %': float(high[k]),
                'beyond': beyond if known else '-',
            }
        )
    return records
