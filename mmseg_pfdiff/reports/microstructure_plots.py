"""Plots of the microstructure of real and synthetic masks."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..metrics.microstructure import (
    AREA_STEP,
    SetStructure,
    describe_tiles,
    difference_records,
    resampled_structures,
    set_structure,
    value_records,
)
from ..metrics.resampling import RESAMPLES
from ..phases.descriptors import DIRECTIONS
from .html import Section, panels, paragraph, plain_label, plot, record_table, shared_legend
from .tile_sets import PAIRS, TRAIN, TileSet

# More tiles hardly move the curves any more.
MAX_TILES = 2000
PAIR_MEASURES = ('correlation', 'scaled', 'chords')


def microstructure_section(
    sets: Mapping[str, TileSet], classes: Sequence[str], scale: int, progress: Callable, seed: int = 0
) -> Section:
    """Two-point correlations, chords, interfaces and components of real and synthetic masks.

    Args:
        sets: Of :func:`tile_sets`.
        classes: K names.
        scale: Pixels of a micrograph in a pixel of the tiles.
        progress: Wraps an iterable to show progress, as the default does.
        seed: Of the bootstrap, and of the choice of tiles where a set has more than 2000.

    Returns:
        Tables, plots, and their numbers.
    """
    tiles, owners = {}, {}
    for name, tile_set in sets.items():
        chosen = np.sort(np.random.default_rng(seed).permutation(len(tile_set.labels))[:MAX_TILES])
        owners[name] = [tile_set.owners[n] for n in chosen]

        def show(starts: range, title: str = tile_set.title):
            return progress(starts, desc=f'microstructure, {title}', unit='batch')

        tiles[name] = describe_tiles(tile_set.labels.numpy()[chosen], len(classes), show)
    structures = {name: set_structure(part) for name, part in tiles.items()}
    drawn = resampled_structures(tiles[TRAIN], owners[TRAIN], seed=seed)
    band = {field: _band([getattr(structure, field) for structure in drawn]) for field in SetStructure._fields}
    titles = {name: tile_set.title for name, tile_set in sets.items()}
    differences = difference_records(structures, TRAIN, PAIRS, drawn, titles, classes)
    values = value_records(structures, titles, classes)
    counts = ', '.join(
        f'{len(tiles[name].known)} of {len(tile_set.labels)} {tile_set.title}' for name, tile_set in sets.items()
    )
    side = sets[TRAIN].labels.shape[-1]
    body = [
        paragraph(
            f'Masks as tiles of {side} pixels a side; a pixel is {scale} of the micrograph. Tiles: '
            f'{counts}. Nothing is taken as periodic; ignored pixels and what a border cuts do not count. Grey bands: '
            f'95 % of {RESAMPLES} sets of as many training micrographs, drawn from them with repetition.'
        ),
        paragraph(
            'Differences from the training tiles. A synthetic set is as real ones are where its difference does not '
            'exceed those of held-out tiles and of resampled training micrographs; "beyond" tells where it exceeds '
            'both. S2 and interfaces follow the amount of a phase, so they differ by intention where more of a rare '
            'phase was asked for; the scaled autocovariance, (S2 - f²) / (f - f²) with the fraction f of each tile, '
            'hardly does:'
        ),
        record_table(differences),
        paragraph('Values:'),
        record_table(values),
        *_plots(sets, structures, band, classes),
    ]
    numbers = {
        'scale': scale,
        'tiles': {name: len(part.known) for name, part in tiles.items()},
        'directions': list(DIRECTIONS),
        'differences': differences,
        'values': values,
        'curves': {name: _lists(structure) for name, structure in structures.items()},
        'training_resampled_95': {field: [part.tolist() for part in bounds] for field, bounds in band.items()},
    }
    return Section('microstructure', 'Microstructure of the masks', body, numbers)


def _lists(structure: SetStructure) -> dict[str, list]:
    return {field: values.tolist() for field, values in structure._asdict().items()}


def _band(drawn: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Pointwise 2.5 % and 97.5 % quantiles; NaN where no resample has a value."""
    stacked = np.stack(drawn)
    missing = np.isnan(stacked).all(0)
    low, high = np.nanquantile(np.where(missing, 0, stacked), [0.025, 0.975], axis=0)
    return np.where(missing, np.nan, low), np.where(missing, np.nan, high)


def _plots(sets: Mapping[str, TileSet], structures: Mapping[str, SetStructure], band: Mapping, classes: Sequence[str]):
    """Text and picture of each descriptor."""
    some = structures[TRAIN]
    distances, lengths = (np.arange(getattr(some, field).shape[-1]) for field in ('correlation', 'chords'))
    areas = 2 ** (AREA_STEP * (np.arange(some.components.shape[-1]) + 1))
    drawings = {
        'Two-point correlation S2: probability that both ends of a segment lie in the phase, by its length':
            _curves(sets, structures, band, classes, 'correlation', distances, 'distance, px'),
        'Scaled autocovariance: 1 at distance 0, about 0 where the ends of a segment know nothing of each other':
            _curves(sets, structures, band, classes, 'scaled', distances, 'distance, px'),
        'Share of chords up to a length':
            _curves(sets, structures, band, classes, 'chords', lengths, 'length, px', logarithmic=True),
        'Share of components up to an area (8-connected)':
            _curves(sets, structures, band, classes, 'components', areas, 'area, px', logarithmic=True),
        'Boundary of each phase per area':
            _bars(sets, structures, band, classes),
    }  # fmt: skip
    for text, figure in drawings.items():
        yield paragraph(f'{text}:')
        yield plot(figure, text)


def _curves(
    sets: Mapping[str, TileSet],
    structures: Mapping[str, SetStructure],
    band: Mapping,
    classes: Sequence[str],
    field: str,
    x: np.ndarray,
    label: str,
    logarithmic: bool = False,
):
    """A panel for each phase, and, where the descriptor has directions, a row for each of these."""
    rows = DIRECTIONS if field in PAIR_MEASURES else ('',)
    figure, axes = panels(len(rows), len(classes), height=2.3)
    for n, direction in enumerate(rows):
        for k, name in enumerate(classes):
            axis, place = axes[n, k], (k, n) if len(rows) > 1 else (k,)
            axis.fill_between(x, *(bound[place] for bound in band[field]), color='#ddd', label='training, resampled')
            for who, tile_set in sets.items():
                axis.plot(
                    x,
                    getattr(structures[who], field)[place],
                    color=tile_set.colour,
                    label=tile_set.title,
                    linewidth=1.2,
                )
            if logarithmic:
                axis.set_xscale('log')
            axis.set_ylim(bottom=None if field == 'scaled' else 0)
            axis.set_title(plain_label(name), fontsize=9)
            axis.set_xlabel(label, fontsize=8)
        axes[n, 0].set_ylabel(direction, fontsize=9)
    shared_legend(figure, axes[0, 0])
    return figure


def _bars(sets: Mapping[str, TileSet], structures: Mapping[str, SetStructure], band: Mapping, classes: Sequence[str]):
    figure, axes = panels(1, 1, 7, 2.8)
    axis, width = axes[0, 0], 0.8 / len(sets)
    for n, (who, tile_set) in enumerate(sets.items()):
        places = np.arange(len(classes)) + (n - (len(sets) - 1) / 2) * width
        axis.bar(places, structures[who].interface, width, color=tile_set.colour, label=tile_set.title)
        if who == TRAIN:
            low, high = band['interface']
            axis.vlines(places, low, high, color='black', linewidth=1)
    axis.set_xticks(range(len(classes)), list(map(plain_label, classes)), fontsize=9)
    axis.set_ylabel('px/px²', fontsize=8)
    shared_legend(figure, axis)
    return figure
