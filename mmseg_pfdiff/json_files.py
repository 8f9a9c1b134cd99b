"""JSON files: read though they may come from a stranger, and written whole or not at all."""

import json
import math
from pathlib import Path
from typing import Any, NoReturn

from .files import write_atomically

# The card of a generator is the largest: a row for each training tile, about 100 bytes of four classes. Half a million
# tiles fit, and reading the file takes less than a gigabyte.
MAX_BYTES = 64 * 2**20


def read_json_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Args:
        path: Of the file.

    Returns:
        Its content; all numbers are finite.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Too large, no JSON, nested too deeply, another thing than an object, or numbers that are not finite;
            the message is one line that names the file.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(f'{path} has {size / 2**20:.0f} MiB; at most {MAX_BYTES // 2**20} MiB are read.')
    try:
        content = json.loads(path.read_bytes(), parse_constant=_refuse, parse_float=_finite)
    except RecursionError as error:
        raise ValueError(f'{path} is nested too deeply.') from error
    except ValueError as error:
        raise ValueError(f'{path} is no JSON: {error}.') from error
    if not isinstance(content, dict):
        raise ValueError(f'{path} must hold a JSON object, got a {type(content).__name__}.')
    return content


def _refuse(name: str) -> NoReturn:
    raise ValueError(f'{name} stands for no number')


def _finite(text: str) -> float:
    value = float(text)
    if abs(value) == float('inf'):
        raise ValueError(f'{text[:40]} is too large a number')
    return value


def write_json(path: Path, content: object) -> None:
    """Writes a JSON file that is either whole or not there.

    Args:
        path: Where to; missing folders are made. A file there is replaced.
        content: JSON-like.

    Raises:
        OSError: Disk full, or no permission; it names the file. What stood there stays.
    """
    write_atomically(path, (json.dumps(content, indent=1) + '\n').encode())


def without_nan(value: object, digits: int = 17) -> object:
    """A value that JSON can hold: NaN and infinity become None, in dicts and lists too.

    Args:
        value: JSON-like but for these.
        digits: How many each number keeps.
    """
    if isinstance(value, dict):
        return {key: without_nan(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item, digits) for item in value]
    if not isinstance(value, float):
        return value
    return float(f'{value:.{digits}g}') if math.isfinite(value) else None
