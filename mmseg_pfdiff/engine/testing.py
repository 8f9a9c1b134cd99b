"""Preparation of a test of a segmentor: what can be known of it is looked at before."""

import copy
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS, METRICS
from torch import nn
from torch.utils.data import Dataset

from ..checkpoints.weights import check_same_classes, read_weights, tensors_sha256
from ..data.config_data_sets import inner_data_sets
from ..metrics.fractions import PhaseFractionMetric
from ..metrics.predictions import MicrographNames
from ..metrics.segmentation import MicrographIoUMetric
from .run_checks import data_folder

TTA_EXAMPLE = 'configs/_base_/datasets/metaldam_256x256.py'


class TestedMicrographs:
    """Micrographs that a data set will show to a test.

    Args:
        dataset: The data set of the test part. Of one that tells nothing of its samples, nothing is known beforehand.
        folders: Where its images lie; micrographs are named by their paths below what these have in common.

    Attributes:
        root: That folder; None where the data set names none.
        names: Name of each micrograph.
        images: Path of each micrograph.
        labels: Path of each label map; None where there is none.

    Raises:
        ValueError: There is no micrograph, or two of them have one name.
    """

    __test__ = False  # no test case of pytest's

    def __init__(self, dataset: Dataset | BaseSegDataset, folders: Sequence[str | Path]) -> None:
        self.root = os.path.commonpath([os.path.abspath(folder) for folder in folders]) if folders else None
        tells = hasattr(dataset, 'get_data_info')
        infos = [dataset.get_data_info(n) for n in range(len(dataset))] if tells else []
        if not len(dataset):
            raise ValueError(
                f'The test part holds no micrograph{f": look at {self.root}" if self.root else ""}. Convert the data '
                'set with a test part, or say where it is: --cfg-options test_dataloader.dataset.data_root=FOLDER'
            )
        self.images: list[str] = [info['img_path'] for info in infos]
        self.labels: list[str | None] = [info.get('seg_map_path') for info in infos]
        names = MicrographNames(self.root)
        self.names = [names.add(image) for image in self.images]


def use_augmentation(config: Config) -> None:
    """Has a test average the predictions of several views of each micrograph, as mmseg's `--tta` does.

    Args:
        config: Of the test. Changed in place: the pipeline of its test part is replaced by `tta_pipeline`, its model
            wrapped in `tta_model`.

    Raises:
        ValueError: The config lacks one of the two.
    """
    for name in ('tta_model', 'tta_pipeline'):
        if not config.get(name):
            raise ValueError(
                f'{config.filename} has no {name}, which --tta needs: {TTA_EXAMPLE} shows one. Or test without --tta.'
            )
    for dataset in inner_data_sets(config.test_dataloader.dataset):
        dataset.pipeline = copy.deepcopy(config.tta_pipeline)
    if config.model.get('test_cfg'):
        config.model.test_cfg.keep_logits = True  # mmseg's own SegTTAModel takes them from the results
    config.model = ConfigDict({**config.tta_model, 'module': config.model})


def tested_metrics(config: Config, kind: type) -> list[ConfigDict]:
    """The metrics of one kind.

    Args:
        config: Of the test.
        kind: Class of the metric.

    Returns:
        Their configs as they stand in the config.
    """
    evaluators = config.test_evaluator if isinstance(config.test_evaluator, list) else [config.test_evaluator]
    kinds = [
        METRICS.get(metric['type']) if isinstance(metric['type'], str) else metric['type'] for metric in evaluators
    ]
    pairs = zip(evaluators, kinds, strict=True)
    return [metric for metric, own in pairs if isinstance(own, type) and issubclass(own, kind)]


def look_at_micrographs(config: Config) -> TestedMicrographs:
    """Lists the micrographs of the test part, and gives its metrics the folder below which they are named.

    Args:
        config: Of the test. Changed in place.

    Returns:
        The micrographs.

    Raises:
        ValueError: There is no micrograph, or two have one name.
    """
    dataset = DATASETS.build(copy.deepcopy(config.test_dataloader.dataset))  # some transforms change their config
    tested = TestedMicrographs(dataset, _folders(config, 'img_path'))
    for metric in [*tested_metrics(config, MicrographIoUMetric), *tested_metrics(config, PhaseFractionMetric)]:
        metric.image_root = tested.root
    return tested


def data_folders(config: Config) -> list[Path]:
    """Folders of the images and of the label maps of the test part."""
    return [folder for kind in ('img_path', 'seg_map_path') for folder in _folders(config, kind)]


def _folders(config: Config, kind: str) -> list[Path]:
    folders = [data_folder(dataset, kind) for dataset in inner_data_sets(config.test_dataloader.dataset)]
    return [folder for folder in folders if folder is not None]


def predictions_depend_on(config: Config, weights: str, tested: TestedMicrographs) -> dict[str, str]:
    """Settings and sums that tell the predictions of one test from those of another.

    Args:
        config: Of the test.
        weights: SHA-256 of the weights.
        tested: Its micrographs.

    Returns:
        Name -> value, for :class:`PredictionFolder`.
    """
    model = copy.deepcopy(config.model)
    settings = model.get('module', model).get('test_cfg') or {}
    for name in ('window_batch', 'accumulate_device', 'keep_logits'):  # they change the memory, not the classes
        settings.pop(name, None)
    pipelines = [dataset.get('pipeline') for dataset in inner_data_sets(config.test_dataloader.dataset)]
    names = hashlib.sha256('\n'.join(tested.names).encode()).hexdigest()
    micrographs = f'{len(tested.names)} below {tested.root}, names {names[:8]}'
    return dict(weights=weights, micrographs=micrographs, model=repr(model), pipeline=repr(pipelines))


def under_another_name(config: Config, name: str) -> Config:
    """The same config under another file name, by which the Runner writes it to the work directory.

    Args:
        config: Any.
        name: File name. That of the config itself would replace what it was trained with.
    """
    return Config(config.to_dict(), cfg_text=config.text or ' ', filename=name)


def check_weights(runner: Runner, checkpoint: str) -> str:
    """Sees that a checkpoint is of the network that is tested, and of its classes.

    Args:
        runner: Of the test.
        checkpoint: Its weights.

    Returns:
        SHA-256 of the weights, in hexadecimal digits.

    Raises:
        FileNotFoundError: No such checkpoint.
        ValueError: It is none, or of another network, which mmengine would test with random weights, or of other
            classes.
    """
    state, classes = read_weights(checkpoint)
    needed = {name: weight.shape for name, weight in _network(runner.model).state_dict().items()}
    unfit = sorted(name for name, shape in needed.items() if getattr(state.get(name), 'shape', None) != shape)
    if unfit:
        raise ValueError(
            f'{checkpoint} does not fit the network of the config: {len(unfit)} of its weights are missing or of '
            f'another shape, {unfit[0]} for one. Give the checkpoint that was trained with this config.'
        )
    tested = getattr(runner.test_dataloader.dataset, 'metainfo', {}).get('classes') or ()
    check_same_classes(checkpoint, classes, tested, 'the test part', 'test_dataloader.dataset')
    return tensors_sha256({name: state[name] for name in needed})


def _network(model: nn.Module) -> nn.Module:
    """The network in what wraps it, for several processes or several views."""
    while isinstance(getattr(model, 'module', None), nn.Module):
        model = model.module
    return model
