"""Where the tiles of a micrograph lie, what they are called, and how a command line asks for them."""

import argparse
from pathlib import Path

import numpy as np

from ..files import name_is_too_long
from ..phases import IGNORE_INDEX
from .layout import DataError

TILINGS = ('cover', 'grid')


def tile_offsets(length: int, tile_size: int, tiling: str) -> list[int]:
    """First pixels of the tiles along one side.

    Args:
        length: Length of the side in pixels.
        tile_size: Side of a tile, at most `length`.
        tiling: `cover`: the fewest tiles that leave no pixel out, evenly spread, overlapping where they must.
            `grid`: as many as fit without overlap, from the first pixel on.
    """
    if not 1 <= tile_size <= length:
        raise ValueError(
            f'A tile must have 1 to {length} pixels along a side of {length}, got {tile_size}: leave the micrograph '
            'out, or give another --tile-size.'
        )
    if tiling == 'cover':
        number = -(-length // tile_size)
        return [i * (length - tile_size) // max(number - 1, 1) for i in range(number)]
    if tiling == 'grid':
        return list(range(0, length - tile_size + 1, tile_size))
    raise ValueError(f'Tiling must be one of {", ".join(TILINGS)}, got {tiling!r}.')


def tile_positions(height: int, width: int, tile_size: int, tiling: str) -> list[tuple[int, int]]:
    """Upper left corners (y, x) of the tiles of a micrograph, row by row."""
    columns = tile_offsets(width, tile_size, tiling)
    return [(y, x) for y in tile_offsets(height, tile_size, tiling) for x in columns]


def labelled_positions(label: np.ndarray, tile_size: int, tiling: str) -> list[tuple[int, int]]:
    """The positions of the tiles that hold a labelled pixel.

    Args:
        label: (H, W) uint8, class indices or 255.
        tile_size: Side of the tiles in pixels.
        tiling: See :func:`tile_offsets`.
    """
    positions = tile_positions(*label.shape, tile_size, tiling)
    return [(y, x) for y, x in positions if (label[y : y + tile_size, x : x + tile_size] != IGNORE_INDEX).any()]


def tile_name(micrograph: str, y: int, x: int) -> str:
    """`micrograph0_y0000_x0256`."""
    return f'{micrograph}_y{y:04d}_x{x:04d}'


def refuse_long_name(micrograph: str, part: str, source: str | Path) -> None:
    """Refuses a micrograph whose files could not be written for the length of their names.

    Args:
        micrograph: Its name.
        part: In which it stands; tiles, whose names are longer, are made of 'train'.
        source: Where it comes from, for the message.

    Raises:
        DataError: It has such a name.
    """
    longest = tile_name(micrograph, 99999, 99999) if part == 'train' else micrograph
    if name_is_too_long(f'{longest}.png'):
        raise DataError(
            f'{source} has a name of {len(micrograph)} characters, too many for the names of the files that are made '
            'of it, as tiles with their places: rename it.'
        )


def add_tiling_arguments(parser: argparse.ArgumentParser) -> None:
    """`--tile-size` and `--tiling` of the converters."""
    parser.add_argument('--tile-size', type=int, default=256, help='side of the tiles in pixels (%(default)s)')
    parser.add_argument(
        '--tiling',
        choices=TILINGS,
        default='cover',
        help='cover: no pixel left out, last tiles overlap; grid: no overlap, the rest left out (%(default)s)',
    )
