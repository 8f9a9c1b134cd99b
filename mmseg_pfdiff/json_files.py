"""JSON files that may come from a stranger."""

import json
from pathlib import Path
from typing import Any, NoReturn

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
