"""Radial power spectra of the images of real and synthetic sets: table, plot and numbers."""

from collections.abc import Mapping

import numpy as np

from ..metrics.resampling import RESAMPLES
from ..metrics.spectra import (
    QUANTILES,
    ImageSpectra,
    band_edges,
    power_ratio,
    ratio_records,
    resampled_powers,
    set_power,
)
from .html import Section, panels, paragraph, plot, record_table, shared_legend
from .tile_sets import COLOURS, PAIRS, TITLES, TRAIN

TITLE = 'Radial power spectrum of the images'


def spectrum_section(spectra: Mapping[str, ImageSpectra], side: int, scale: int, seed: int = 0) -> Section:
    """Mean power by band of spatial frequency of training tiles, held-out tiles and pairs.

    Args:
        spectra: Set -> spectra of its images: 'train', the held-out part, 'pairs'.
        side: Of the images, in pixels.
        scale: Pixels of a micrograph in a pixel of the images.
        seed: Of the bootstrap.

    Returns:
        Table, plot, and their numbers.
    """
    powers = {name: set_power(part) for name, part in spectra.items()}
    limits = np.quantile(resampled_powers(spectra[TRAIN], seed=seed), QUANTILES, axis=0)
    records = ratio_records(powers, TRAIN, PAIRS, limits, TITLES)
    counts = ', '.join(f'{len(part.owners)} {TITLES[name]}' for name, part in spectra.items())
    text = (
        'Mean power of the images by spatial frequency, and relative to the training tiles; grey: these resampled, 95 %'
    )
    body = [
        paragraph(
            f'How much the images show of each size of structure, from the whole tile to single pixels, as tiles of '
            f'{side} pixels a side; a pixel is {scale} of the micrograph. Images: {counts}. White noise has the same '
            'power in every band: its variance. Tiles are taken as periodic, so the step from one border to the '
            'opposite one adds some power, in all sets alike; ignored pixels count.'
        ),
        paragraph(
            'Power relative to the training tiles: below 1, images are smoother than these, above 1, rougher. '
            f'Resampled are {RESAMPLES} sets of as many training micrographs, drawn from them with repetition; 95 % of '
            'them lie between the two limits, and "beyond" tells where the synthetic images do not. Held-out tiles '
            'come from few micrographs, so they may lie beyond as well: where they do, the limits say little.'
        ),
        record_table(records),
        paragraph(f'{text}:'),
        plot(_figure(powers, limits), text),
    ]
    numbers = {
        'scale': scale,
        'images': {name: len(part.owners) for name, part in spectra.items()},
        'edges': band_edges().tolist(),
        'power': {name: power.tolist() for name, power in powers.items()},
        'training_resampled_95': limits.tolist(),
        'ratios': records,
    }
    return Section('spectrum', TITLE, body, numbers)


def _figure(powers: Mapping[str, np.ndarray], limits: np.ndarray):
    """The power itself, over decades; beside it that relative to the training tiles, where their spread shows."""
    figure, axes = panels(1, 2, 4.4, 3.2)
    edges = band_edges()
    middles = (edges[1:] + edges[:-1]) / 2
    relative = {name: power_ratio(power, powers[TRAIN]) for name, power in powers.items()}
    spread = [power_ratio(limit, powers[TRAIN]) for limit in limits]
    labels = ('power, grey levels²', 'power relative to the training tiles')
    for axis, curves, bounds, label in zip(axes[0], (powers, relative), (limits, spread), labels, strict=True):
        axis.fill_between(middles, *bounds, color='#ddd', label='training, resampled')
        for name, curve in curves.items():
            axis.plot(middles, curve, color=COLOURS[name], label=TITLES[name], linewidth=1.2, marker='o', markersize=3)
        axis.set_yscale('log')
        axis.yaxis.set_tick_params(which='minor', labelsize=7)
        axis.set_xlim(0, 0.5)
        axis.set_xlabel('spatial frequency, cycles/px', fontsize=8)
        axis.set_ylabel(label, fontsize=8)
    shared_legend(figure, axes[0, 0])
    return figure
