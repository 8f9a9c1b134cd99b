"""The data sets that a config names, whatever wraps them."""

from collections.abc import Iterator, Mapping
from typing import Any

from mmseg.registry import DATASETS


def data_sets(config: Any) -> Iterator[Mapping]:
    """Configs of the data sets in a config: a wrapper first, then those inside it.

    They are found by what their `type` is, not by the key they stand under, so wrappers of other packages are looked
    into as well, and data sets in lists or dicts. What a component of another kind (a transform) holds is its own.

    Args:
        config: Of a data set, or a list or dict of such configs.

    Yields:
        Configs as they stand there; nothing for a `type` that is no data set.
    """
    if isinstance(config, Mapping):
        if 'type' in config:
            if not is_data_set(config['type']):
                return
            yield config
        for value in config.values():
            yield from data_sets(value)
    elif isinstance(config, list | tuple):
        for value in config:
            yield from data_sets(value)


def inner_data_sets(config: Any) -> list[Mapping]:
    """Configs of the data sets that hold samples of their own: those in :func:`data_sets` that wrap no other.

    Args:
        config: Of a data set, or a list or dict of such configs.

    Returns:
        Configs as they stand there; one that stands there twice comes twice.
    """
    return [found for found in data_sets(config) if next(data_sets(list(found.values())), None) is None]


def is_data_set(kind: Any) -> bool:
    """Whether the `type` of a config, a name or a class, is that of a data set."""
    if isinstance(kind, str):
        try:
            kind = DATASETS.get(kind)
        except RuntimeError:  # mmengine's word for a name it does not find
            return False
    return hasattr(kind, '__getitem__')
