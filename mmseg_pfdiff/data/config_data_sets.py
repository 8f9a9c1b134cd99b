"""The data sets that a config names, whatever wraps them."""

from collections.abc import Iterator, Mapping
from typing import Any

from mmseg.registry import DATASETS

from ..registry import class_of
from .mix import SyntheticPairMix


def data_sets(config: Any) -> Iterator[Mapping]:
    """Configs of the data sets in a config: a wrapper first, then those inside it.

    They are found by what their `type` is, not by the key they stand under, so wrappers of other packages are looked
    into as well, and data sets in lists or dicts. What a component of another kind (a transform) holds is its own, and
    a mix at ratio 0 has no synthetic data set.

    Args:
        config: Of a data set, or a list or dict of such configs.

    Yields:
        Configs as they stand there; nothing for a `type` that is no data set.
    """
    if isinstance(config, Mapping):
        if 'type' in config:
            kind = data_set_class(config['type'])
            if kind is None:
                return
            yield config
            if kind is SyntheticPairMix and not config.get('ratio'):
                config = {**config, 'synthetic': None}
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


def data_set_class(kind: Any) -> type | None:
    """The class that the `type` of a config stands for; None if it is not of a data set."""
    found = class_of(kind, DATASETS)
    return found if hasattr(found, '__getitem__') else None
