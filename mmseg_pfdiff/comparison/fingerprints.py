"""Digests of the settings and data of a task: the same wherever files lie and however their paths are typed."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from ..data.layout import FOLDERS, IMAGE_SUFFIXES, plain_name
from ..data.record import read_record
from ..files import file_sha256


def data_identity(root: str) -> str:
    """The origin of a data set: the files it was made of, and how.

    Args:
        root: Of the data set.

    Returns:
        JSON of what its converter recorded. Of a data set without a record, JSON of the names and checksums of its
        images and label maps: copying them changes their times but not what they are, and a corrected label map
        may be as large as before.

    Raises:
        DataError: Its conversion was stopped before its end, or its record is damaged.
    """
    record = read_record(root)
    return json.dumps(record['identity'] if record else dict(sorted(_checksums(Path(root)))))


def _checksums(root: Path) -> Iterator[tuple[str, str]]:
    """Name and checksum of each image and label map of a data set."""
    places = [folder for name in FOLDERS if (folder := root / name).is_dir()] or [root]
    for place in places:
        for folder, _, names in os.walk(place, followlinks=True):
            for path in (Path(folder, name) for name in names if name.lower().endswith(IMAGE_SUFFIXES)):
                state = path.stat()
                name = plain_name(path.relative_to(root).as_posix())
                yield name, _checksum(path.absolute(), state.st_size, state.st_mtime_ns)


@cache
def _checksum(path: Path, size: int, time: int) -> str:
    """The checksum of a file, computed once as long as its size and time stay."""
    return file_sha256(path)


def fingerprint(settings: Mapping, stand_ins: Mapping[str, str]) -> str:
    """A digest of settings.

    Args:
        settings: Of what JSON can hold, tuples, and objects with a lasting `repr`.
        stand_ins: String -> what it counts as wherever it is a whole value, such as a path.

    Returns:
        SHA-256 in hexadecimal digits.
    """
    text = json.dumps(_replaced(settings, stand_ins), sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


def _replaced(value: object, stand_ins: Mapping[str, str]) -> object:
    if isinstance(value, Mapping):
        return {str(key): _replaced(inner, stand_ins) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_replaced(inner, stand_ins) for inner in value]
    return stand_ins.get(value, value) if isinstance(value, str) else value
