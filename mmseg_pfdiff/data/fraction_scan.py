"""Classes of the training tiles of a generator, and the phase fractions of each tile."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, NamedTuple

import torch
from mmcv.transforms import LoadAnnotations
from mmseg.registry import DATASETS, TRANSFORMS
from torch import Tensor

from ..phases.fractions import phase_fractions
from ..phases.labels import IGNORE_INDEX
from ..progress import progress
from ..registry import class_of
from .config_data_sets import inner_data_sets
from .layout import DataError
from .record import check_finished
from .transforms import LoadLabelMap

# How to go on where a data set is missing.
ADVICE = (
    'The phase fractions are those of the training tiles: convert the data set, or say where it is with --data FOLDER. '
    'An exported generator (tools/export_generator.py) needs no data.'
)


class TileClasses(NamedTuple):
    """Classes that all data sets of a config share.

    Attributes:
        classes: K names.
        palette: K RGB colours.
    """

    classes: tuple[str, ...]
    palette: list[list[int]]


class TileFractions(NamedTuple):
    """The training tiles.

    Attributes:
        classes: K names.
        palette: K RGB colours.
        vectors: (R, K) float64 fractions, a row for each label map that is not wholly ignored.
        kinds: The types of the data sets, each once.
    """

    classes: tuple[str, ...]
    palette: list[list[int]]
    vectors: Tensor
    kinds: tuple[str, ...]


class _Source(NamedTuple):
    """A data set that reads label maps alone, and the config it was built from."""

    config: Mapping
    dataset: Any


class _Sample(NamedTuple):
    """A label map: its data set, its index there, its path, and its key, see :func:`label_key`."""

    dataset: Any
    index: int
    path: str
    key: tuple[str, str]


def label_key(config: Mapping, path: str) -> tuple[str, str]:
    """The key of a label map that is read as a config of a data set says."""
    return str(config), os.path.realpath(path)


def dataset_classes(config: Mapping) -> TileClasses:
    """Classes and palette of the data sets in a config, whatever wraps them; no tile is read.

    Args:
        config: Of an mmseg data set, or of wrappers around several.

    Returns:
        Classes and palette, which all of them share.

    Raises:
        FileNotFoundError: A data set that must be opened for its classes, such as a pair folder, is not there.
        ValueError: No data set, one without classes, or several whose classes or colours differ.
    """
    return TrainingTiles(config).classes


def dataset_fractions(config: Mapping) -> TileFractions:
    """Measures the label maps of the data sets in a config; images are not read and nothing is augmented.

    Each label map counts once, however often wrappers repeat it and though several data sets hold it: the fractions
    say what the material looks like, while repeats say how often a tile is shown in training. What shall be drawn
    more often than it occurs is asked for with groups or a `target_mean`.

    Args:
        config: Of an mmseg data set, or of wrappers around several.

    Returns:
        Classes, palette and fractions.

    Raises:
        FileNotFoundError: A data set is not there.
        ValueError: No label map, one that cannot be read (the message names the file), or data sets that differ in
            classes or colours.
    """
    return TrainingTiles(config).fractions()


class TrainingTiles:
    """The label maps of the data sets in a config, unread as yet.

    Args:
        config: As of :func:`dataset_classes`, with the same errors.

    Attributes:
        classes: Classes and palette that all data sets share.
    """

    def __init__(self, config: Mapping) -> None:
        self._sources = _sources(config)
        self.classes = _common_classes(self._sources)

    @cached_property
    def samples(self) -> list[_Sample]:
        """The label maps, each once."""
        return _samples(self._sources)

    def fractions(self, known: Mapping[tuple[str, str], Tensor | None] | None = None) -> TileFractions:
        """Reads and measures the label maps, as :func:`dataset_fractions` does.

        Args:
            known: :func:`label_key` -> :func:`label_fractions` of label maps that need not be read again.

        Returns:
            Classes, palette and fractions.

        Raises:
            FileNotFoundError, ValueError: As :func:`dataset_fractions`.
        """
        known, measured = known or {}, []
        for sample in progress(self.samples, 'phase fractions of the training tiles', unit='tile'):
            if sample.key in known:
                measured.append(known[sample.key])
            else:
                label = read_label(sample.dataset, sample.index, sample.path)
                measured.append(label_fractions(label, len(self.classes.classes), sample.path))
        vectors = [vector for vector in measured if vector is not None]
        if not vectors:
            names = ', '.join(_name(source.config) for source in self._sources)
            raise ValueError(f'{names}: there is no label map with a pixel that is not ignored to take fractions from.')
        kinds = dict.fromkeys(type(source.dataset).__name__ for source in self._sources)
        return TileFractions(*self.classes, torch.stack(vectors), tuple(kinds))


def _sources(config: Mapping) -> list[_Source]:
    """The data sets in a config, unread as yet."""
    inner = inner_data_sets(config)
    if not inner:
        raise ValueError(f'There is no data set in train_dataloader.dataset, {str(config)[:200]}.')
    sources = []
    for dataset in inner:
        loading = [step for step in dataset.get('pipeline', ()) if loads_labels(step)] or [dict(type='LoadLabelMap')]
        with _errors_named(dataset):
            built = DATASETS.build({**dataset, 'pipeline': loading, 'lazy_init': True})
        sources.append(_Source(dataset, built))
    return sources


def loads_labels(transform: Any) -> bool:
    """Whether a transform of a pipeline is the one that reads label maps."""
    kind = class_of(transform.get('type'), TRANSFORMS) if isinstance(transform, Mapping) else None
    return kind is not None and issubclass(kind, LoadAnnotations | LoadLabelMap)


def _name(config: Mapping) -> str:
    """A data set as messages call it."""
    kind = config['type'] if isinstance(config['type'], str) else config['type'].__name__
    root = config.get('data_root')
    return f'{kind} of {root}' if root else kind


@contextmanager
def _errors_named(config: Mapping) -> Iterator[None]:
    """Errors of building or reading a data set name it."""
    try:
        yield
    except FileNotFoundError as error:
        missing = f'{error.filename} is not there.' if error.filename else str(error)
        raise FileNotFoundError(f'{_name(config)}: {missing} {ADVICE}') from error
    except (AssertionError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(
            f'{_name(config)} could not be opened for its label maps alone, as mmseg data sets can: {error!r}. It '
            'must be one with `pipeline`, `lazy_init` and `metainfo`, of arguments that it takes.'
        ) from error


def _common_classes(sources: Sequence[_Source]) -> TileClasses:
    """Classes and palette, which all data sets must share."""
    first = None
    for config, dataset in sources:
        with _errors_named(config):
            palette = [[int(value) for value in colour] for colour in dataset.metainfo['palette']]
            classes = TileClasses(tuple(dataset.metainfo['classes']), palette)
        first = first or classes
        differing = [key for key in TileClasses._fields if getattr(classes, key) != getattr(first, key)]
        if differing:
            raise ValueError(
                f'All data sets of a generator must have the same {differing[0]} in the same order: '
                f'{_name(sources[0].config)} has {getattr(first, differing[0])}, {_name(config)} has '
                f'{getattr(classes, differing[0])}. Set `metainfo` of one of them.'
            )
    return first


def _samples(sources: Sequence[_Source]) -> list[_Sample]:
    """The label maps of data sets, without those that an earlier data set holds too."""
    samples, seen = [], set()
    for config, dataset in sources:
        if config.get('data_root'):
            check_finished(config['data_root'])
        with _errors_named(config):
            dataset.serialize_data = False  # it packs the list for worker processes, of which there are none
            dataset.full_init()
            paths = [dataset.get_data_info(index)['seg_map_path'] for index in range(len(dataset))]
        own = [_Sample(dataset, n, path, label_key(config, path)) for n, path in enumerate(paths)]
        samples += [sample for sample in own if sample.key[1] not in seen]
        seen.update(sample.key[1] for sample in own)
    return samples


def read_label(dataset: Any, index: int, path: str) -> Tensor:
    """A label map.

    Args:
        dataset: Whose pipeline loads it.
        index: Of the sample.
        path: Of its file, for messages.

    Returns:
        (H, W), class indices or 255.

    Raises:
        DataError: The file is damaged.
        FileNotFoundError: It is not there.
        ValueError: It cannot be read, or has several channels.
    """
    try:
        label = torch.as_tensor(dataset[index]['gt_seg_map'])
    except (FileNotFoundError, DataError):
        raise
    except Exception as error:  # what decoders raise of a damaged file is anything, and names no file
        raise ValueError(f'{path} cannot be read as a label map: {type(error).__name__}: {error}') from error
    if label.ndim != 2:
        raise ValueError(f'{path} must be a label map of one channel, got shape {tuple(label.shape)}.')
    return label


def label_fractions(label: Tensor, num_classes: int, path: str) -> Tensor | None:
    """The phase fractions of a label map.

    Args:
        label: (H, W), any integer dtype, values 0..K-1 or 255.
        num_classes: K.
        path: Of its file, for messages.

    Returns:
        (K,) float64; None if all of it is ignored.

    Raises:
        ValueError: A value that is neither a class nor ignored.
    """
    if not (label != IGNORE_INDEX).any():
        return None
    try:
        return phase_fractions(label, num_classes)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
