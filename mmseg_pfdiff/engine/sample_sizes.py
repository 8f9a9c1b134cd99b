"""The sizes of training samples, which must fit the crop of their pipeline and make one batch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmcv.transforms import RandomResize, Resize
from mmseg.datasets.transforms import RandomCrop
from mmseg.registry import DATASETS, TRANSFORMS
from torch import nn

from ..datasets.dataset_configs import inner_data_sets
from ..registry_names import class_of


def check_sample_sizes(dataset: Any, collate: Callable[[Sequence], Any], preprocessor: nn.Module) -> None:
    """Loads a sample of each training data set and sees that they fit their crop, and each other.

    Args:
        dataset: Config of the training data set, with whatever wraps it.
        collate: Makes a batch of samples, as the data loader does.
        preprocessor: Of the model.

    Raises:
        ValueError: A tile is smaller than the crop, or samples of several data sets make no batch.
    """
    samples, told = [], []
    for config in inner_data_sets(dataset):
        _check_crop(config)
        sample = DATASETS.build({**config, 'lazy_init': False})[0]
        if not isinstance(sample, Mapping) or 'inputs' not in sample:  # a wrapper makes the samples of it
            return
        height, width = sample['inputs'].shape[-2:]
        told.append(f'{width}x{height} of {config.get("data_root") or config["type"]}')
        samples.append(sample)
    if len(samples) < 2:
        return
    try:
        preprocessor(collate(samples), True)
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f'The training samples (width x height) {", ".join(told)} make no batch: {str(error).splitlines()[0]} '
            'Bring them to one size: convert with another --tile-size, or change Resize and crop_size in the pipelines.'
        ) from error


def _check_crop(config: Mapping) -> None:
    """Refuses tiles smaller than a crop that is taken of them as they are; mmseg's RandomCrop lets them pass whole."""
    steps = list(config.get('pipeline') or ())
    kinds = [class_of(step.get('type'), TRANSFORMS) or object for step in steps]
    place = kinds.index(RandomCrop) if RandomCrop in kinds else 0
    if not place or any(issubclass(kind, Resize | RandomResize) for kind in kinds[:place]):
        return
    height, width = DATASETS.build({**config, 'pipeline': steps[:place], 'lazy_init': False})[0]['img'].shape[:2]
    crop = steps[place]['crop_size']
    crop = (crop, crop) if isinstance(crop, int) else crop
    if height < crop[0] or width < crop[1]:
        raise ValueError(
            f'The tiles of {config.get("data_root") or config["type"]} are {width}x{height}, the crop is '
            f'{crop[1]}x{crop[0]} (width x height): convert with a larger --tile-size, or change crop_size of '
            "RandomCrop in the data set's pipeline."
        )
