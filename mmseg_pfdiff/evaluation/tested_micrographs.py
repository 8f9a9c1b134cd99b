"""The micrographs of a test part, looked at before the test."""

import os
from collections.abc import Sequence
from pathlib import Path

from mmseg.datasets import BaseSegDataset
from PIL import Image
from torch.utils.data import Dataset

from .prediction_files import MicrographNames


class TestedMicrographs:
    """What a data set will show to a test.

    Args:
        dataset: The data set of the test part.
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
        infos = [dataset.get_data_info(n) for n in range(len(dataset))]
        if not infos:
            raise ValueError(
                f'The test part holds no micrograph{f": look at {self.root}" if self.root else ""}. Convert the data '
                'set with a test part, or say where it is: --cfg-options test_dataloader.dataset.data_root=FOLDER'
            )
        self.images: list[str] = [info['img_path'] for info in infos]
        self.labels: list[str | None] = [info.get('seg_map_path') for info in infos]
        names = MicrographNames(self.root)
        self.names = [names.add(image) for image in self.images]

    def check_label_maps(self) -> None:
        """Looks for the label map of each micrograph.

        Raises:
            FileNotFoundError: One is missing.
            ValueError: One is of another size than its micrograph.
        """
        for image, label in zip(self.images, self.labels, strict=True):
            if label is None:
                continue
            if not Path(label).is_file():
                raise FileNotFoundError(f'{image} has no label map {label}. Add it, or take the micrograph away.')
            sizes = _size(image), _size(label)
            # A photograph's orientation may swap them.
            if None not in sizes and sorted(sizes[0]) != sorted(sizes[1]):
                raise ValueError(
                    f'{image} has {_shown(sizes[0])} pixels, its label map {label} {_shown(sizes[1])}: they must be '
                    'equal.'
                )


def _size(path: str) -> tuple[int, int] | None:
    """Width and height by the head of a file; None for what only its own reader knows."""
    try:
        with Image.open(path) as picture:
            return picture.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def _shown(size: tuple[int, int]) -> str:
    return f'{size[0]} x {size[1]}'
