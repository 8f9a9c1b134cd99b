"""The phase fractions of every tile of a data set."""

from collections.abc import Mapping

import torch
from mmseg.registry import DATASETS
from torch import Tensor

from ..phases import phase_fractions
from ..progress import progress


def inner_dataset(config: Mapping) -> dict:
    """The config of the data set inside wrappers such as `RepeatDataset`."""
    while 'dataset' in config:
        config = config['dataset']
    return dict(config)


def dataset_fractions(config: dict) -> tuple[tuple[str, ...], Tensor]:
    """Measures the label maps of a data set; images are not read and nothing is augmented.

    Args:
        config: Config of an mmseg data set, or of wrappers around one (`dataset=...`, as `RepeatDataset` has).

    Returns:
        K class names, and (R, K) float64 fractions, a row for each label map that is not wholly ignored.

    Raises:
        FileNotFoundError: The data set is not there.
        ValueError: The data set is empty.
    """
    config = inner_dataset(config)
    try:
        dataset = DATASETS.build({**config, 'pipeline': [dict(type='LoadAnnotations')]})
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'{error.filename} is not there. The phase fractions are those of the training tiles: convert the data '
            'set, or say where it is with --cfg-options train_dataloader.dataset.data_root=FOLDER. An exported '
            'generator (tools/export_generator.py) needs no data.'
        ) from error
    classes = tuple(dataset.metainfo['classes'])
    vectors = []
    for index in progress(range(len(dataset)), desc='phase fractions of the training tiles', unit='tile'):
        label = torch.as_tensor(dataset[index]['gt_seg_map'])
        if (label != 255).any():
            vectors.append(phase_fractions(label, len(classes)))
    if not vectors:
        raise ValueError(f'The data set {config} holds no label map to take phase fractions from.')
    return classes, torch.stack(vectors)
