"""Layout of a data set on disk: parts, folders, suffixes, names, places of tiles; and the error for data."""

import difflib
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..files import name_is_too_long
from ..phases.labels import IGNORE_INDEX
from ..windows import window_offsets

PARTS = ('train', 'val', 'test')
# Folders that a conversion fills; everything below them belongs to the data set.
FOLDERS = ('img_dir', 'ann_dir', 'tiles')
IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.tif', '.tiff', '.bmp')
LABEL_SUFFIXES = ('.png', '.tif', '.tiff', '.bmp')  # without JPEG, which changes class indices
TILINGS = ('cover', 'grid')
TILE_NAME = re.compile(r'(.+)_y(\d+)_x(\d+)')


class DataError(ValueError):
    """Refusal of what was given as data; the message names the file and the way out."""


def plain_name(name: str) -> str:
    """A name as it is compared and written: an accented letter is one character, however a file system stored it.

    Args:
        name: Of a file or a micrograph; macOS and some archivers write `u` and its dots as two characters.

    Returns:
        The name in Unicode's composed form (NFC).
    """
    return unicodedata.normalize('NFC', name)


def bare_name(name: str) -> str:
    """A name without what is easily confused: capital letters, stored form of accents, suffix of image files."""
    name = plain_name(name).casefold()
    return name[: name.rindex('.')] if name.endswith(IMAGE_SUFFIXES) else name


def same_but_for_case(name: str, names: Iterable[str]) -> str | None:
    """The name that one certainly meant: the same but for capital letters and a suffix of image files.

    Args:
        name: What was looked for.
        names: What is there.
    """
    return next((other for other in names if bare_name(other) == bare_name(name)), None)


def nearest_name(name: str, names: Iterable[str]) -> str | None:
    """The name that one may have meant.

    Args:
        name: What was looked for.
        names: What is there.

    Returns:
        One that is longer, such as `m0_mask.png` for `m0.png`, or else the most alike; None when none is.
    """
    wanted, bare = bare_name(name), {bare_name(other): other for other in names}
    longer = [other for other in bare if other.startswith(wanted)]
    near = longer or difflib.get_close_matches(wanted, bare, n=1, cutoff=0.7)
    return bare[near[0]] if near else None


def list_names(names: Iterable[str], most: int = 6) -> str:
    """Names for a message, the first three of many.

    Args:
        names: Any number.
        most: So many are listed in full.
    """
    names = list(names)
    return ', '.join(names) if len(names) <= most else f'{", ".join(names[:3])} and {len(names) - 3} more'


def tile_offsets(length: int, tile_size: int, tiling: str) -> list[int]:
    """First pixels of the tiles along one side.

    Args:
        length: Length of the side in pixels.
        tile_size: Side of a tile, at most `length`.
        tiling: `cover`: the fewest tiles that leave no pixel out, evenly spread, overlapping where they must.
            `grid`: as many as fit without overlap, from the first pixel on.

    Raises:
        ValueError: A tile larger than the side, or another tiling.
    """
    if not 1 <= tile_size <= length:
        raise ValueError(
            f'A tile must have 1 to {length} pixels along a side of {length}, got {tile_size}: leave the micrograph '
            'out, or give another --tile-size.'
        )
    if tiling == 'cover':
        return window_offsets(length, tile_size, tile_size, even=True)
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


def tile_place(name: str) -> tuple[str, int, int] | None:
    """Micrograph, y and x in a name that :func:`tile_name` gave; None for a name of another form."""
    match = TILE_NAME.fullmatch(name)
    return (match[1], int(match[2]), int(match[3])) if match else None


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


def natural_key(name: str) -> list:
    """Sorts `micrograph2` before `micrograph10`."""
    return [(0, int(part), '') if part.isdecimal() else (1, 0, part) for part in re.split(r'(\d+)', name) if part]
