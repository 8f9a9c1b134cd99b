"""A scan of all label maps of a run before it starts: each must be there, hold classes, and be of its image's size."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmcv.transforms import LoadImageFromFile
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS, TRANSFORMS
from torch import Tensor

from ..phases.labels import IGNORE_INDEX
from ..progress import progress
from ..registry import class_of
from .class_shares import count_values
from .config_data_sets import data_set_class, inner_data_sets
from .fraction_scan import label_key, loads_labels, read_label
from .images import image_size
from .layout import DataError, list_names
from .transforms import check_same_size

# More than this take longer to read (about 2 ms each) than one waits for a check.
MAX_LABEL_MAPS = 20_000
SHOWN_VALUES = 8


class LabelScan(NamedTuple):
    """Findings of a scan of label maps without faults.

    Attributes:
        number: Of label maps that were read.
        fractions: :func:`label_key` -> (K,) float64 phase fractions, None for a map that is wholly ignored. Those of
            data sets without classes are left out.
    """

    number: int
    fractions: dict[tuple[str, str], Tensor | None]


class _Pair(NamedTuple):
    """An image and its label map: where they stand, what is expected of them, and what the label map is known by."""

    dataset: Any
    index: int
    image: str
    label: str
    image_is_read: bool
    key: tuple[str, str]


def check_label_maps(datasets: Sequence[Any], most: int = MAX_LABEL_MAPS) -> LabelScan:
    """Reads the label maps of data sets and the headers of their images, each once, and refuses what does not fit.

    Looked at are mmseg's data sets, whatever wraps them, with the step of their own pipeline that loads label maps;
    those of another kind, on another machine, or whose pipeline loads no label map pass. So do more than `most` files,
    with a note.

    Args:
        datasets: Configs of data sets.
        most: Number of label maps that are read at most.

    Returns:
        The number of label maps that were read, and their phase fractions.

    Raises:
        DataError: Label maps are missing, cannot be read, hold values that are no class, or differ in size from their
            images. The message names the first of them.
        FileNotFoundError: A data set is not there.
        ValueError: A data set cannot be opened.
    """
    pairs = {}
    for config in inner_data_sets(datasets):
        for pair in _pairs(config):
            pairs.setdefault((os.path.realpath(pair.image), os.path.realpath(pair.label)), pair)
    if len(pairs) > most:
        print(f'The {len(pairs)} label maps are not read beforehand, as they are more than {most}.')
        return LabelScan(0, {})
    fractions = {}
    looked_at = (
        _problem(pair, fractions) for pair in progress(pairs.values(), 'label maps', unit='file', disable=not pairs)
    )
    problems = [problem for problem in looked_at if problem]
    if problems:
        raise DataError(
            f'{len(problems)} of {len(pairs)} label maps cannot be used: {list_names(problems)}. Take label maps that '
            'belong to the images and hold one class index a pixel, or convert the data or generate the pairs anew.'
        )
    return LabelScan(len(pairs), fractions)


def _pairs(config: Mapping) -> Iterator[_Pair]:
    """The images and label maps of a data set."""
    kind = data_set_class(config['type'])
    pipeline = config.get('pipeline') or ()
    loading = [step for step in pipeline if loads_labels(step)]
    if not issubclass(kind, BaseSegDataset) or not loading or '://' in str(config.get('data_root')):
        return
    dataset = DATASETS.build({**config, 'pipeline': loading, 'lazy_init': True})
    dataset.serialize_data = False  # it packs the list for worker processes, of which there are none
    dataset.full_init()
    image_is_read = any(map(_loads_images, pipeline))
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        if info.get('seg_map_path') and '://' not in info['seg_map_path']:
            path = info['seg_map_path']
            yield _Pair(dataset, index, info['img_path'], path, image_is_read, label_key(config, path))


def _loads_images(step: Any) -> bool:
    """Whether a step of a pipeline is the one that reads images of usual formats, and not of its own ones."""
    return isinstance(step, Mapping) and class_of(step.get('type'), TRANSFORMS) in (
        LoadImageFromFile,
        TRANSFORMS.get('LoadImageFromFile'),
    )


def _problem(pair: _Pair, fractions: dict[tuple[str, str], Tensor | None]) -> str | None:
    """The fault of a label map, or of its image's size; the phase fractions of one without are put to the others'."""
    for path, what in ((pair.label, 'label map'), (pair.image, 'image')):
        if not Path(path).is_file():
            return f'the {what} {path} is missing'
    try:
        label = read_label(pair.dataset, pair.index, pair.label).numpy()
        size = image_size(pair.image) if pair.image_is_read else None
        if size is not None:
            check_same_size(label.shape, pair.label, size, pair.image)
    except ValueError as error:
        return str(error).rstrip('.')
    values, pixels = _amounts(label)
    strange = _strange_values(values, pair)
    if strange is None and (classes := pair.dataset.metainfo.get('classes')):
        fractions[pair.key] = _fractions(values, pixels, len(classes))
    return strange


def _amounts(label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values of a label map and their numbers of pixels; those of a mosaic are counted without a copy of it."""
    if label.dtype != np.uint8:
        return np.unique(label, return_counts=True)
    counts = count_values(label)
    values = np.flatnonzero(counts)
    return values, counts[values]


def _fractions(values: np.ndarray, pixels: np.ndarray, num_classes: int) -> Tensor | None:
    """Phase fractions from numbers of pixels; None for a map that is wholly ignored."""
    counts = torch.zeros(num_classes, dtype=torch.float64)
    known = values != IGNORE_INDEX
    counts[torch.from_numpy(values[known].astype(np.int64))] = torch.from_numpy(pixels[known]).double()
    return counts / counts.sum() if known.any() else None


def _strange_values(values: np.ndarray, pair: _Pair) -> str | None:
    """The fault of a label map with values that are neither a class nor ignored; None without."""
    classes = pair.dataset.metainfo.get('classes')
    strange = values[(values < 0) | (values >= len(classes))] if classes else values[:0]
    strange = [str(value) for value in strange.tolist() if value != IGNORE_INDEX]
    if not strange:
        return None
    more = f' and {len(strange) - SHOWN_VALUES} more' if len(strange) > SHOWN_VALUES else ''
    return (
        f'{pair.label} holds the values {", ".join(strange[:SHOWN_VALUES])}{more}, the {len(classes)} classes are '
        f'0..{len(classes) - 1} and {IGNORE_INDEX} is ignored'
    )
