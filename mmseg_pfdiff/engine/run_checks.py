"""Checks of a config before its run: whatever would stop it late or unclearly."""

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.device import get_device
from mmseg.registry import DATASETS

from ..data.config_data_sets import class_names, data_sets
from ..data.record import check_finished
from ..models.own_data import class_counts

WITHOUT_VALIDATION = 'To train without validation: --cfg-options val_cfg=None val_dataloader=None val_evaluator=None'


def check_run(config: Config, parts: Sequence[str]) -> None:
    """Refuses a run whose data are not there, that cannot be trained as its config says, or whose classes do not fit.

    Args:
        config: Of the run.
        parts: Parts of the run that will be used, of 'train', 'val' and 'test'.

    Raises:
        FileNotFoundError: The folder of a data set is missing, or holds no image.
        ValueError: The length of training, the precision or the classes do not fit.
    """
    if 'train' in parts:
        check_length(config.get('train_cfg') or {})
        check_precision(config.get('optim_wrapper') or {})
    heads = class_counts(config.get('model', {}))
    for part in parts:
        loader = config.get(f'{part}_dataloader') or {}
        for dataset in data_sets(loader.get('dataset')):
            check_folders(dataset, part)
            check_classes(dataset, part, heads)


def check_length(loop: Mapping) -> None:
    """Sees that training has an end, and validation an interval.

    Raises:
        ValueError: A number below 1, or no whole number.
    """
    for name in ('max_epochs', 'max_iters', 'val_interval'):
        number = loop.get(name)
        if number is not None and (not isinstance(number, int | float) or number < 1 or number != int(number)):
            raise ValueError(f'train_cfg.{name} must be at least 1, got {number!r}.')


def check_precision(optimizer: Mapping) -> None:
    """Sees that mixed precision is asked for on a GPU only.

    Raises:
        ValueError: It is not.
    """
    if 'AmpOptimWrapper' in str(optimizer.get('type')) and get_device() == 'cpu':
        raise ValueError(
            'Mixed precision (--amp, or optim_wrapper.type=AmpOptimWrapper) needs a GPU, and there is none: train '
            'without it.'
        )


def check_folders(dataset: Mapping, part: str) -> None:
    """Sees that the files of a data set are there.

    Args:
        dataset: Its config.
        part: What it is for: 'train', 'val' or 'test'.

    Raises:
        FileNotFoundError: They are not.
        DataError: Their conversion was stopped before its end.
    """
    where = f'{part}_dataloader: {type_name(dataset)}'
    if dataset.get('indices') in (0, [], ()):
        raise ValueError(f'{where}: indices={dataset["indices"]} leaves no sample. Set another number, or None.')
    advice = f' {WITHOUT_VALIDATION}' if part == 'val' else ''
    if part == 'test':
        advice = ' Data converted without a test part have none: convert them again with it.'
    root = dataset.get('data_root')
    folders = [data_folder(dataset, kind) for kind in ('img_path', 'seg_map_path')]
    if '://' in str(root or folders[0]):  # not on this machine
        return
    for folder in filter(None, [root, *folders]):
        check_finished(folder)
        if not Path(folder).is_dir():
            raise FileNotFoundError(
                f'{where}: no folder {folder}. Convert the data set or generate the pairs first, or say where they '
                f'are: --data FOLDER; for pairs, the data_root of the SyntheticPairDataset (--cfg-options).{advice}'
            )
    suffix = dataset.get('img_suffix') or default_of(dataset['type'], 'img_suffix')
    listed = dataset.get('ann_file')  # a file with the names
    if folders[0] and suffix and not listed and next(folders[0].rglob(f'*{suffix}'), None) is None:
        raise FileNotFoundError(f'{where}: no image (*{suffix}) in {folders[0]}.{advice}')


def default_of(kind: str | type, argument: str) -> str | None:
    """The default of an argument of the class of a data set; None where it has none."""
    signature = inspect.signature(DATASETS.get(kind) if isinstance(kind, str) else kind)
    default = signature.parameters[argument].default if argument in signature.parameters else None
    return default if isinstance(default, str) else None


def check_classes(dataset: Mapping, part: str, counts: Mapping[str, int]) -> None:
    """Sees that a network has as many classes as a data set.

    Args:
        dataset: Config of the data set.
        part: What it is for.
        counts: Of :func:`class_counts`.

    Raises:
        ValueError: It has not.
    """
    classes = class_names(dataset)
    for path, number in counts.items():
        if classes and number != len(classes):
            raise ValueError(
                f'{part}_dataloader: {type_name(dataset)} has {len(classes)} classes ({", ".join(classes)}), the '
                f'network {number}. Set {path}={len(classes)}.'
            )


def type_name(config: Mapping) -> str:
    """The name of the class that a config is of."""
    return config['type'] if isinstance(config['type'], str) else config['type'].__name__


def data_folder(dataset: Mapping, kind: str) -> Path | None:
    """Folder of the images (`img_path`) or the label maps (`seg_map_path`) of a data set's config, if it names one."""
    prefix = dataset.get('data_prefix', {}).get(kind)
    return None if prefix is None else Path(dataset.get('data_root') or '', prefix)
