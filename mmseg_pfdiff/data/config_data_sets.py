"""Data sets of a config, whatever wraps them, and their classes."""

from collections.abc import Iterator, Mapping
from typing import Any

from mmseg.registry import DATASETS

from ..registry import class_of
from .dataset import MicrographDataset
from .mix import SyntheticPairMix


def data_sets(config: Any, *, synthetic: bool = True) -> Iterator[Mapping]:
    """Configs of the data sets in a config: a wrapper first, then those inside it.

    They are found by what their `type` is, not by the key they stand under, so wrappers of other packages are looked
    into as well, and data sets in lists or dicts. What a component of another kind (a transform) holds is its own, and
    a mix at ratio 0 has no synthetic data set.

    Args:
        config: Of a data set, or a list or dict of such configs.
        synthetic: Also those that a mix takes its synthetic samples from.

    Yields:
        Configs as they stand there; nothing for a `type` that is no data set.
    """
    if isinstance(config, Mapping):
        if 'type' in config:
            kind = data_set_class(config['type'])
            if kind is None:
                return
            yield config
            if kind is SyntheticPairMix and not (config.get('ratio') and synthetic):
                config = {**config, 'synthetic': None}
        for value in config.values():
            yield from data_sets(value, synthetic=synthetic)
    elif isinstance(config, list | tuple):
        for value in config:
            yield from data_sets(value, synthetic=synthetic)


def inner_data_sets(config: Any, *, synthetic: bool = True) -> list[Mapping]:
    """Configs of the data sets that hold samples of their own: those in :func:`data_sets` that wrap no other.

    Args:
        config: Of a data set, or a list or dict of such configs.
        synthetic: As of :func:`data_sets`.

    Returns:
        Configs as they stand there; one that stands there twice comes twice.
    """
    every = data_sets(config, synthetic=synthetic)
    return [dataset for dataset in every if next(data_sets(list(dataset.values())), None) is None]


def data_set_class(kind: Any) -> type | None:
    """The class that the `type` of a config stands for; None if it is not of a data set."""
    kind = class_of(kind, DATASETS)
    return kind if hasattr(kind, '__getitem__') else None


def class_names(dataset: Mapping) -> tuple[str, ...]:
    """The classes of a data set by its config, its type, or the record of its folder; empty where none names any.

    Args:
        dataset: Its config.

    Returns:
        K names.

    Raises:
        FileNotFoundError: Its record is needed, and there is no such folder.
        DataError: Its record is needed, and there is none.
    """
    kind, own = class_of(dataset['type'], DATASETS), (dataset.get('metainfo') or {}).get('classes')
    if own:
        return tuple(own)
    if kind is not None and issubclass(kind, MicrographDataset):
        return kind.known_metainfo(dataset.get('data_root'))['classes']
    return tuple(getattr(kind, 'METAINFO', {}).get('classes', ()))
