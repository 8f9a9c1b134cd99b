"""Record of a conversion, dataset.json, and the mark of one that is not finished."""

import json
import os
from pathlib import Path

from ..phases.labels import IGNORE_INDEX
from .layout import FOLDERS, DataError

RECORD = 'dataset.json'  # stands in the folder when everything else does
UNFINISHED = 'dataset.unfinished.json'  # stands there from the first file written to the last
# Their names before own data had them too; what was converted then stays valid.
FORMER_NAMES = {RECORD: 'metaldam.json', UNFINISHED: 'metaldam.unfinished.json'}


def check_finished(folder: str | os.PathLike) -> None:
    """Refuses a data set whose conversion was stopped; a folder that no converter wrote is taken as it is.

    Args:
        folder: The data set, or a folder in it, such as `data/metaldam/tiles/img_dir/train`.

    Raises:
        DataError: The conversion is marked as unfinished.
    """
    folder = Path(folder)
    for root in (folder, *folder.parents):
        if root != folder and folder.relative_to(root).parts[0] not in FOLDERS:
            continue  # a data set may lie in a folder that is one itself
        if mark := _find(root, UNFINISHED):
            raise DataError(
                f'{root} is a data set whose conversion was stopped before its end, so that files are missing ({mark} '
                'marks it). Run the same command of tools/dataset_converters again: it goes on.'
            )


def read_record(root: str | os.PathLike) -> dict | None:
    """Reads what a converter recorded of a data set.

    Args:
        root: The data set.

    Returns:
        Content of `dataset.json`, whose `identity` tells what the data set was made of and how; None for a folder
        that no converter wrote.

    Raises:
        DataError: The conversion is unfinished, or the record is damaged.
    """
    check_finished(root)
    return load_mark(Path(root), RECORD)


def require_record(root: str | os.PathLike) -> dict:
    """Reads the record of a data set that must have one, with its classes.

    Args:
        root: The data set.

    Returns:
        Content of `dataset.json`.

    Raises:
        FileNotFoundError: There is no such folder.
        DataError: No converter wrote it, its conversion is unfinished, or the record is damaged.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f'There is no data set {root}: convert one with tools/dataset_converters.')
    record = read_record(root)
    if record is None:
        raise DataError(
            f'{root} has no {RECORD}, which says what its classes are: give the folder that a tool of '
            'tools/dataset_converters filled (micrographs.py takes your own data), or name the classes of a data set '
            'in its `metainfo`.'
        )
    classes, palette = record.get('classes'), record.get('palette')
    if not isinstance(classes, list) or not isinstance(palette, list) or not 0 < len(classes) == len(palette):
        raise DataError(f'{root / RECORD} does not name classes with a colour for each: convert the data anew.')
    if record.get('ignore_index', IGNORE_INDEX) != IGNORE_INDEX:
        raise DataError(
            f'{root / RECORD} says that {record["ignore_index"]} is ignored; it must be {IGNORE_INDEX} here: convert '
            'the data anew.'
        )
    return record


def load_mark(root: Path, name: str) -> dict | None:
    """Reads :data:`RECORD` or :data:`UNFINISHED` of a data set; None where there is none."""
    path = _find(root, name)
    if path is None:
        return None
    try:
        mark = json.loads(path.read_text(encoding='utf-8'))
        if not all(isinstance(mark[key], dict) for key in (('identity', 'files') if name == RECORD else ('identity',))):
            raise TypeError('its fields are of another kind')
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f'{path} is not the record of a conversion ({error!r}). Convert into another folder, or move it away.'
        ) from error
    return mark


def _find(root: Path, name: str) -> Path | None:
    """The record or the mark of that name, as it is called now or was called once."""
    return next((path for path in (root / name, root / FORMER_NAMES[name]) if path.exists()), None)
