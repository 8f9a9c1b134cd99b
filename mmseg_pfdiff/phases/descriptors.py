"""Microstructure descriptors of label maps: two-point correlation, chord lengths, interfaces, component sizes.

All are of single tiles, so nothing is periodic: no line is taken across a border of the map, and none across an ignored
pixel. Directions come in the order `DIRECTIONS`; lengths are in pixels of the map. See S. Torquato, Random
Heterogeneous Materials (2002), chapter 2, for the definitions.
"""

from typing import NamedTuple

import numpy as np

from .components import label_components
from .labels import IGNORE_INDEX, check_labels

DIRECTIONS = ('horizontal', 'vertical')
# Tiles transformed at once: some ten megabytes for 256x256.
BATCH = 16


class ComponentSizes(NamedTuple):
    """The C connected components of N label maps.

    Attributes:
        tile: (C,) int64, index of the map.
        phase: (C,) int64, class.
        area: (C,) int64, pixels; what the border of a map cuts off is missing.
    """

    tile: np.ndarray
    phase: np.ndarray
    area: np.ndarray


def two_point_correlation(labels: np.ndarray, num_classes: int, max_distance: int | None = None) -> np.ndarray:
    """S2: the probability that both ends of a segment lie in a phase, by the length of the segment.

    The map is not repeated beyond its borders. Segments are counted by autocorrelation of the zero-padded indicator of
    the phase, and divided by the number of segments that fit, which is the autocorrelation of the indicator of known
    pixels; so neither the border nor ignored pixels bias the estimate.

    Args:
        labels: (N, H, W) integer, 0..K-1 or 255.
        num_classes: K.
        max_distance: Longest segment R in pixels, less than H and W. Default: half of the shorter side.

    Returns:
        (N, K, 2, R + 1) float64 in [0, 1], by direction and distance 0..R. At distance 0 it is the phase fraction; NaN
        where no segment lies in known pixels.

    Raises:
        ValueError: Labels of another shape or range, or a distance that does not fit the map.
    """
    check_maps(labels, num_classes)
    shortest = min(labels.shape[1:])
    distance = shortest // 2 if max_distance is None else max_distance
    if not 0 <= distance < shortest:
        raise ValueError(f'max_distance must be 0..{shortest - 1} for maps of {labels.shape[1:]}, got {max_distance}.')
    result = np.empty((len(labels), num_classes, 2, distance + 1))
    for start in range(0, len(labels), BATCH):
        part = labels[start : start + BATCH]
        for axis, lines in enumerate((part, part.swapaxes(1, 2))):
            segments = _segments(lines != IGNORE_INDEX, distance)
            for k in range(num_classes):
                within = _segments(lines == k, distance)
                share = np.divide(within, segments, out=np.full(within.shape, np.nan), where=segments > 0)
                result[start : start + BATCH, k, axis] = share
    return result


def _segments(inside: np.ndarray, distance: int) -> np.ndarray:
    """(N, L, W) bool to (N, R + 1): how many segments along the rows have both ends inside, by their length."""
    length = 1 << (inside.shape[2] + distance - 1).bit_length()  # a power of two is fast and leaves room for the zeros
    spectrum = np.fft.rfft(inside.astype(np.float32), length, axis=2)
    # The lines of a map add up, so one inverse transform serves them all.
    power = (spectrum.real**2 + spectrum.imag**2).sum(1, dtype=np.float64)
    return np.fft.irfft(power, length, axis=1)[:, : distance + 1].round()


def chord_lengths(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts chords: runs of a phase along the rows and the columns, ended by another phase on both sides.

    Runs that the border of the map or an ignored pixel cuts are left out, as their length is not known. Long chords are
    cut more often, so the distribution is biased to short ones where chords are not small against the map: compare maps
    of one size only.

    Args:
        labels: (N, H, W) integer, 0..K-1 or 255.
        num_classes: K.

    Returns:
        (N, K, 2, L) int64, number of chords by direction and length 0..L-1, L the longer of H and W.

    Raises:
        ValueError: Labels of another shape or range.
    """
    check_maps(labels, num_classes)
    number, length = len(labels), max(labels.shape[1:])
    counts = np.zeros((2, number * num_classes * length), np.int64)
    for axis, lines in enumerate((labels, labels.swapaxes(1, 2))):
        # An ignored pixel at both ends of each line keeps lines apart and cuts the runs at the border.
        padded = np.pad(lines, ((0, 0), (0, 0), (1, 1)), constant_values=IGNORE_INDEX)
        flat = padded.ravel()
        starts = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        phases, lengths = flat[starts[:-1]].astype(np.int64), np.diff(starts)
        before, after = flat[starts[:-1] - 1], flat[starts[1:]]
        whole = (phases != IGNORE_INDEX) & (before != IGNORE_INDEX) & (after != IGNORE_INDEX)
        tiles = starts[:-1] // (padded.shape[1] * padded.shape[2])
        places = (tiles * num_classes + phases) * length + lengths
        counts[axis] = np.bincount(places[whole], minlength=counts.shape[1])
    return counts.reshape(2, number, num_classes, length).transpose(1, 2, 0, 3)


def interface_density(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Length of the boundary of each phase per area, counted along pixel edges.

    The density is the share of neighbouring pixels that the boundary separates, of horizontal neighbours plus of
    vertical ones; pairs with an ignored pixel do not count. A smooth boundary of random direction is pi/4 as long as
    the pixel edges along it.

    Args:
        labels: (N, H, W) integer, 0..K-1 or 255; H and W at least 2.
        num_classes: K.

    Returns:
        (N, K) float64 in [0, 2], per pixel: pixel edges between the phase and another for each pixel of area. A
        boundary belongs to two phases, so the density of all boundaries is half the sum. NaN for a map without known
        neighbours.

    Raises:
        ValueError: Labels of another shape or range.
    """
    check_maps(labels, num_classes)
    density = np.zeros((len(labels), num_classes))
    for first, second in ((labels[:, :, 1:], labels[:, :, :-1]), (labels[:, 1:], labels[:, :-1])):
        known = (first != IGNORE_INDEX) & (second != IGNORE_INDEX)
        apart = known & (first != second)
        pairs = known.sum((1, 2))
        for k in range(num_classes):
            edges = (apart & ((first == k) | (second == k))).sum((1, 2))
            density[:, k] += np.divide(edges, pairs, out=np.full(len(labels), np.nan), where=pairs > 0)
    return density


def component_sizes(labels: np.ndarray, num_classes: int) -> ComponentSizes:
    """Areas of the 8-connected components of each phase.

    Args:
        labels: (N, H, W) integer, 0..K-1 or 255.
        num_classes: K.

    Returns:
        Components of all maps, those of a map together. A component that touches the border counts with the part that
        is seen.

    Raises:
        ValueError: Labels of another shape or range.
    """
    check_maps(labels, num_classes)
    sizes = [np.empty((3, 0), np.int64)]
    for tile, label in enumerate(labels):
        numbers, areas = label_components(label)
        phases = np.empty(len(areas), np.int64)
        phases[numbers.ravel()] = label.ravel()
        sizes.append(np.stack([np.full(len(areas) - 1, tile), phases[1:], areas[1:]]))
    return ComponentSizes(*np.concatenate(sizes, 1))


def check_maps(labels: np.ndarray, num_classes: int) -> None:
    """Sees that arrays are label maps.

    Args:
        labels: Should be (N, H, W) integer, 0..K-1 or 255.
        num_classes: K.

    Raises:
        ValueError: Another shape, dtype or range.
    """
    if labels.ndim != 3 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f'labels must be (N, H, W) integers, got {labels.shape} {labels.dtype}.')
    check_labels(labels, num_classes)
