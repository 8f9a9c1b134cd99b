"""Configs as files, with errors that name them."""

from pathlib import Path

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
            raise FileNotFoundError(f'There is no config {path}.') from error
        raise FileNotFoundError(f'{path} builds on {missing}, which is not there.') from error
    except ImportError as error:
        raise ImportError(f'{path} imports a module that is not there: {error.__cause__ or error}.') from error
    except Exception as error:  # a config is a program, which may raise anything
        raise ValueError(f'{path} cannot be read as a config: {type(error).__name__}: {error}') from error
