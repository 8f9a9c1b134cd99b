"""The micrographs of a test part, looked at before the test."""

import os
from collections.abc import Sequence
from pathlib import Path

from mmseg.datasets import BaseSegDataset
from torch.utils.data import Dataset

from .prediction_files import MicrographNames


class TestedMicrographs:
    """What a data set will show to a test.

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
