"""What a data set on disk consists of: parts, folders, suffixes and names; and the error for what does not fit."""

import difflib
import os
import unicodedata
from collections.abc import Iterable

from ..files import resolved

PARTS = ('train', 'val', 'test')
# Folders that a conversion fills; everything below them belongs to the data set.
FOLDERS = ('img_dir', 'ann_dir', 'tiles')
IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.tif', '.tiff', '.bmp')
# What stands in a folder whose files belong together: a data set, also an unfinished one, or a folder of pairs.
MARKS = ('dataset.json', 'dataset.unfinished.json', 'metaldam.json', 'metaldam.unfinished.json', 'pair_folder.json')
LABEL_SUFFIXES = ('.png', '.tif', '.tiff', '.bmp')  # without JPEG, which changes class indices


class DataError(ValueError):
    """What was given as data cannot be used; the message names the file and the way out."""


def refuse_among_data(path: str | os.PathLike) -> None:
    """Refuses a place for new files inside a data set or a folder of pairs, whose files they could replace.

    Args:
        path: Where something is to be written; a data set's own folder is not refused.

    Raises:
        DataError: It lies in one; the message names it.
    """
    for folder in resolved(path).parents:
        if any((folder / mark).is_file() for mark in MARKS):
            raise DataError(f'{path} lies in {folder}, whose files belong together: give a place of its own.')


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
    return next((one for one in names if bare_name(one) == bare_name(name)), None)


def nearest_name(name: str, names: Iterable[str]) -> str | None:
    """The name that one may have meant.

    Args:
        name: What was looked for.
        names: What is there.

    Returns:
        One that is longer, such as `m0_mask.png` for `m0.png`, or else the most alike; None when none is.
    """
    wanted, bare = bare_name(name), {bare_name(one): one for one in names}
    longer = [one for one in bare if one.startswith(wanted)]
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
