"""What a task is made with, as a digest that stays the same wherever files lie and however their paths are typed."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path


def data_identity(root: str) -> str:
    """What a converted data set was made of and how.

    Args:
        root: Of the data set.

    Returns:
        JSON of what its converter recorded; the full path of a data set without a record.
    """
    record = Path(root) / 'metaldam.json'
    return json.dumps(json.loads(record.read_text())['identity']) if record.is_file() else str(Path(root).resolve())


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
        return {str(key): _replaced(one, stand_ins) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_replaced(one, stand_ins) for one in value]
    return stand_ins.get(value, value) if isinstance(value, str) else value
