"""Microstructure of real and synthetic masks: descriptors of whole sets, and how far these lie apart."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..phases.descriptors import DIRECTIONS, chord_lengths, component_sizes, interface_density, two_point_correlation
from ..phases.labels import IGNORE_INDEX
from .resampling import RESAMPLES, resampled_weights

BATCH = 32
QUANTILE = 0.95
# Areas are counted by half octaves: 1, 1.4, 2, 2.8, ... pixels.
AREA_STEP = 0.5


class TileStructure(NamedTuple):
    """Descriptors of N tiles, K phases, directions as in `DIRECTIONS`.

    Attributes:
        correlation: (N, K, 2, R + 1) float64, S2 by distance; NaN where no segment lies in known pixels.
        chords: (N, K, 2, L) int64, number of chords by length.
        interface: (N, K) float64, boundary per area, per pixel.
        components: (N, K, B) int64, number of components by area, in bins of half an octave.
        known: (N,) int64, known pixels.
    """

    correlation: np.ndarray
    chords: np.ndarray
    interface: np.ndarray
    components: np.ndarray
    known: np.ndarray


class SetStructure(NamedTuple):
    """Descriptors of a set of tiles; NaN for what a phase that the set lacks has none of.

    Attributes:
        correlation: (K, 2, R + 1) float64, mean S2 of the tiles.
        scaled: (K, 2, R + 1) float64, (mean S2 - mean f^2) / (mean f - mean f^2) for the fraction f of each tile: 1 at
            distance 0, about 0 where the ends of a segment know nothing of each other. Other than S2 it hardly depends
            on how much of the phase there is.
        chords: (K, 2, L) float64, share of the chords up to each length.
        mean_chord: (K, 2) float64, pixels.
        interface: (K,) float64, mean boundary per area, per pixel.
        components: (K, B) float64, share of the components up to each bin of areas.
        density: (K,) float64, components in 10,000 known pixels.
        mean_area: (K,) float64, pixels.
    """

    correlation: np.ndarray
    scaled: np.ndarray
    chords: np.ndarray
    mean_chord: np.ndarray
    interface: np.ndarray
    components: np.ndarray
    density: np.ndarray
    mean_area: np.ndarray


def describe_tiles(labels: np.ndarray, num_classes: int, progress: Callable = iter) -> TileStructure:
    """Descriptors of label maps.

    Args:
        labels: (N, S, S) uint8, 0..K-1 or 255.
        num_classes: K.
        progress: Wraps the starts of the batches to show progress.

    Returns:
        Descriptors of each.
    """
    bins = int(np.log2(labels[0].size) / AREA_STEP) + 1
    parts = []
    for start in progress(range(0, len(labels), BATCH)):
        part = labels[start : start + BATCH]
        sizes = component_sizes(part, num_classes)
        areas = (np.log2(sizes.area) / AREA_STEP).astype(np.int64)
        places = (sizes.tile * num_classes + sizes.phase) * bins + areas
        counts = np.bincount(places, minlength=len(part) * num_classes * bins).reshape(len(part), num_classes, bins)
        parts.append(
            TileStructure(
                two_point_correlation(part, num_classes),
                chord_lengths(part, num_classes),
                interface_density(part, num_classes),
                counts,
                (part != IGNORE_INDEX).sum((1, 2)),
            )
        )
    return TileStructure(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def set_structure(tiles: TileStructure, weights: np.ndarray | None = None) -> SetStructure:
    """Descriptors of a set from those of its tiles.

    Args:
        tiles: Of N tiles.
        weights: (N,) how often each tile counts; default: once.

    Returns:
        Descriptors of the set.
    """
    weights = np.ones(len(tiles.known)) if weights is None else weights
    fractions = tiles.correlation[..., :1]
    # Each distance has its own squares: a tile without segments of a length has no part in it.
    squares = np.where(np.isnan(tiles.correlation), np.nan, fractions**2)
    shares = np.where(np.isnan(tiles.correlation), np.nan, fractions)
    correlation, squares, shares = (_mean(values, weights) for values in (tiles.correlation, squares, shares))
    chords, components = (_total(counts, weights) for counts in (tiles.chords, tiles.components))
    pixels = _total(np.nan_to_num(fractions[:, :, 0, 0]) * tiles.known[:, None], weights)
    number = components.sum(1)
    return SetStructure(
        correlation,
        _ratio(correlation - squares, shares - squares),
        _ratio(chords.cumsum(-1), chords.sum(-1, keepdims=True)),
        _ratio((chords * np.arange(chords.shape[-1])).sum(-1), chords.sum(-1)),
        _mean(tiles.interface, weights),
        _ratio(components.cumsum(-1), number[:, None]),
        1e4 * number / _total(tiles.known, weights),
        _ratio(pixels, number),
    )


def _total(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.tensordot(weights.astype(np.float64), values.astype(np.float64), 1)


def _mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Over the tiles that have the value."""
    return _ratio(_total(np.nan_to_num(values), weights), _total(~np.isnan(values), weights))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    above, below = np.broadcast_arrays(above, below)
    # Rounding leaves differences of equal numbers a little off zero.
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 1e-12)


def resampled_structures(
    tiles: TileStructure, owners: Sequence[str], resamples: int = RESAMPLES, seed: int = 0
) -> list[SetStructure]:
    """Bootstrap: what a set of as many other micrographs of the same material might look like.

    Args:
        tiles: Of N tiles.
        owners: N names of micrographs; with a single one, tiles are drawn.
        resamples: How many sets.
        seed: Of the drawing.

    Returns:
        Descriptors of each set.
    """
    return [set_structure(tiles, weights) for weights in resampled_weights(owners, resamples, seed)]


def structure_differences(structure: SetStructure, reference: SetStructure) -> dict[str, np.ndarray]:
    """How far two sets lie apart in each descriptor.

    Args:
        structure: Of tiles of some size.
        reference: Of tiles of the same size.

    Returns:
        Name of the measure -> (K,) float64, NaN for a phase that a set lacks:
        the mean absolute difference of S2 over distances and directions, in points; the same of the scaled
        autocovariance, times 100; the distance (Wasserstein-1) of chord lengths, in pixels, mean of both directions;
        the difference of the interface density in percent of `reference`; the distance of component areas in octaves.
    """
    correlation, scaled = (
        100 * np.abs(x - y).mean((1, 2))
        for x, y in ((structure.correlation, reference.correlation), (structure.scaled, reference.scaled))
    )
    return {
        'two-point correlation, points': correlation,
        'scaled autocovariance, x 100': scaled,
        'chord lengths, pixels': np.abs(structure.chords - reference.chords).sum(-1).mean(1),
        'interface density, %': 100 * _ratio(np.abs(structure.interface - reference.interface), reference.interface),
        'component areas, octaves': AREA_STEP * np.abs(structure.components - reference.components).sum(-1),
    }


def difference_records(
    sets: Mapping[str, SetStructure],
    reference: str,
    judged: str,
    resampled: Sequence[SetStructure],
    titles: Mapping[str, str],
    classes: Sequence[str],
) -> list[dict]:
    """Differences of sets from a reference, held against its own spread.

    Args:
        sets: Name -> descriptors.
        reference: Name of the set that the others are compared with.
        judged: Name of the set that shall be no farther from it than the others are.
        resampled: Of the reference.
        titles: Name -> title for the reader.
        classes: K names.

    Returns:
        A record for each measure and phase: the difference of each set, the 95 % quantile of those between two
        resamples of the reference, and whether that of the judged set is beyond all of these ('-' where that cannot be
        said).
    """
    base = sets[reference]
    measured = {name: structure_differences(structure, base) for name, structure in sets.items() if name != reference}
    # Two resamples, not one and the set itself: two sets of micrographs differ by the luck of both.
    drawn = [structure_differences(*pair) for pair in itertools.pairwise(resampled)]
    records = []
    for measure in drawn[0]:
        for k, phase in enumerate(classes):
            values = {titles[name]: float(differences[measure][k]) for name, differences in measured.items()}
            values[f'{titles[reference]}, resampled, 95 %'] = _quantile(
                [differences[measure][k] for differences in drawn]
            )
            synthetic = values[titles[judged]]
            others = [value for title, value in values.items() if title != titles[judged] and not math.isnan(value)]
            beyond = '-' if math.isnan(synthetic) or not others else 'yes' if synthetic > max(others) else 'no'
            records.append({'difference of': measure, 'phase': phase, **values, 'beyond': beyond})
    return records


def _quantile(values: Sequence[float]) -> float:
    values = np.asarray(values)[~np.isnan(values)]
    return float(np.quantile(values, QUANTILE)) if len(values) else float('nan')


def value_records(sets: Mapping[str, SetStructure], titles: Mapping[str, str], classes: Sequence[str]) -> list[dict]:
    """Plain values of each set and phase.

    Args:
        sets: Name -> descriptors.
        titles: Name -> title for the reader.
        classes: K names.

    Returns:
        A record for each phase and set: mean chord lengths, interface density, components and their mean area.
    """
    return [
        {'phase': phase, 'set': titles[name]}
        | {f'mean chord, {way}, px': float(structure.mean_chord[k, n]) for n, way in enumerate(DIRECTIONS)}
        | {
            'interface, px/px²': float(structure.interface[k]),
            'components in 10⁴ px': float(structure.density[k]),
            'mean area, px': float(structure.mean_area[k]),
        }
        for k, phase in enumerate(classes)
        for name, structure in sets.items()
    ]
