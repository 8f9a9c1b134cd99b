"""The description of a pair folder, `pair_folder.json`: read with checks, and compared."""

import json
from collections.abc import Mapping
from pathlib import Path

from ..changes import describe_changes
from ..json_files import read_json_object
from ..texts import short

FORMAT_VERSION = 1
# Recorded for the reader; a folder may be continued though they changed.
NOT_COMPARED = ('versions',)
MAX_CLASSES = 255  # label maps are uint8, and 255 is ignored
MAX_SIDE = 2**20  # pixels, what OpenCV reads
MAX_DEPTH = 40
REMEDY = 'Restore it from a copy, or generate the pairs anew in another folder.'
# A key that no model's description has since models are identified by settings and weights.
OLD_IDENTITY = 'config_sha256'


def read_description(path: Path) -> dict:
    """Reads what a file says of the pairs.

    Args:
        path: The file.

    Returns:
        Its content.

    Raises:
        ValueError: It is damaged, or of a format that this version does not know; the message says where.
        OSError: It cannot be read.
    """
    try:
        description = read_json_object(path)
    except ValueError as error:
        raise ValueError(f'{path} is damaged: {error} {REMEDY}') from error
    try:
        version = _field(description, 'format_version', int)
        if version == FORMAT_VERSION:
            check_description(description)
    except ValueError as error:
        raise ValueError(f'{path} is damaged: {error}. {REMEDY}') from error
    if version != FORMAT_VERSION:
        raise ValueError(f'{path} has format version {version}, this version of mmseg_pfdiff reads {FORMAT_VERSION}.')
    return description


def new_description(settings: Mapping) -> dict:
    """A description as it will be read back.

    Args:
        settings: JSON-like; has `classes` and `palette`.

    Returns:
        The same with the version of the format.

    Raises:
        ValueError: No description, or not JSON-like, as numbers that are not finite.
    """
    description = json.loads(json.dumps({'format_version': FORMAT_VERSION, **settings}, allow_nan=False))
    check_description(description)
    return description


def description_json(description: Mapping) -> bytes:
    """The file of a description."""
    return json.dumps(description, indent=2).encode()


def check_description(description: Mapping) -> None:
    """Refuses content that describes no pairs.

    Args:
        description: As it comes from JSON.

    Raises:
        ValueError: Classes, palette or size that cannot be, or settings nested without end.
    """
    if _depth(description) > MAX_DEPTH:  # first, as little else stands such nesting
        raise ValueError(f'its settings are nested more than {MAX_DEPTH} deep')
    classes, palette = (_field(description, name, list) for name in ('classes', 'palette'))
    if not 1 <= len(classes) <= MAX_CLASSES or not all(map(_is_name, classes)) or len(set(classes)) < len(classes):
        raise ValueError(f'classes must be 1 to {MAX_CLASSES} different names, got {short(classes)}')
    if len(palette) != len(classes) or not all(_are_whole(colour, 3, 0, 255) for colour in palette):
        raise ValueError(
            f'palette must have three whole numbers from 0 to 255 for each of the {len(classes)} classes, got '
            f'{short(palette)}'
        )
    if 'size' in description and not _are_whole(description['size'], 2, 1, MAX_SIDE):
        raise ValueError(f'size must be height and width, 1 to {MAX_SIDE}, got {short(description["size"])}')


def other_settings(folder: Mapping, command: Mapping) -> list[str]:
    """Settings that differ between two descriptions.

    Args:
        folder: That of a folder.
        command: That of a command.

    Returns:
        'name is A there and B here' for each; versions are not compared.
    """
    return describe_changes(*({name: of[name] for name in of if name not in NOT_COMPARED} for of in (folder, command)))


def how_to_go_on(folder: Mapping) -> str:
    """Advice for a folder that a command does not fit.

    Args:
        folder: Its description.

    Returns:
        A sentence or two.
    """
    if any(isinstance(part, Mapping) and OLD_IDENTITY in part for part in folder.values()):
        return (
            'It was begun by an earlier version, which told models apart by their files instead of their weights: its '
            'pairs can be used as they are, but no more be added. Give another folder.'
        )
    return 'Repeat the command that made it to continue it, or give another folder.'


def _field(description: Mapping, name: str, kind: type) -> object:
    value = description.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f'it needs {name!r}, a {kind.__name__}, got {short(value)}')
    return value


def _is_name(value: object) -> bool:
    """Whether it is a text that can be written; JSON knows halves of characters that cannot."""
    return isinstance(value, str) and bool(value.strip()) and not any('\ud800' <= sign <= '\udfff' for sign in value)


def _are_whole(values: object, number: int, low: int, high: int) -> bool:
    """Whether it is a list of so many whole numbers in a range."""
    return (
        isinstance(values, list)
        and len(values) == number
        and all(isinstance(value, int) and not isinstance(value, bool) and low <= value <= high for value in values)
    )


def _depth(value: object) -> int:
    """How deep dicts and lists lie in each other; counted level by level, as the call stack is short."""
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return depth
