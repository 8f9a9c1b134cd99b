"""Configs as files and settings over them, with errors that name them."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config


def read_config(path: str | Path) -> Config:
    """Reads a config of MMEngine, with those it builds on and the modules that it imports.

    Args:
        path: Python, JSON or YAML.

    Returns:
        The config.

    Raises:
        FileNotFoundError: It is not there, or one that it builds on is not.
        ImportError: A module that it imports is missing.
        ValueError: It is no config; the message names it.
    """
    try:
        return Config.fromfile(path)
    except FileNotFoundError as error:
        missing = error.filename or str(path)
        if Path(missing).name == Path(path).name:
            raise FileNotFoundError(f'There is no config {path}.{_near_names(Path(path))}') from error
        raise FileNotFoundError(f'{path} builds on {missing}, which is not there.') from error
    except ImportError as error:
        raise ImportError(f'{path} imports a module that is not there: {error.__cause__ or error}.') from error
    except Exception as error:  # a config is a program, which may raise anything
        raise ValueError(f'{path} cannot be read as a config: {type(error).__name__}: {error}') from error


def _near_names(path: Path) -> str:
    """Configs of the same folder with names like that of one which is not there; else that the folder is not there."""
    if not path.parent.is_dir():
        return f' There is no folder {path.parent} either.'
    near = difflib.get_close_matches(path.name, [each.name for each in path.parent.glob('*.py')])
    return f' Near it: {", ".join(near)}.' if near else ''


def check_first_keys(
    config: Config, options: Mapping[str, Any] | None, place: str | Path, also: Sequence[str] = ()
) -> None:
    """Refuses options that nothing would look at, as their first key is misspelt.

    Args:
        config: The config.
        options: Values by dotted key.
        place: Of the config, for messages.
        also: First keys that take effect though the config lacks them.

    Raises:
        ValueError: An option whose first key the config lacks.
    """
    for key in options or {}:
        if key.split('.')[0] not in (*config.keys(), *also):
            raise ValueError(f'Option {key}: {place} has no {key.split(".")[0]!r}; it has {", ".join(config.keys())}.')


def merge_options(config: Config, options: Mapping[str, Any] | None, place: str | Path) -> Config:
    """A config with options merged into it.

    Args:
        config: Is changed.
        options: Values by dotted key.
        place: Of the config, for messages.

    Returns:
        The config.

    Raises:
        ValueError: An option that goes below a setting which is no dict.
    """
    try:
        config.merge_from_dict(dict(options or {}))
    except (AssertionError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(f'Options {", ".join(options)} do not fit {place}: {error}') from error
    return config
