"""A folder of label maps alone, read to draw images for them."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..phases.labels import IGNORE_INDEX
from .images import read_label_map
from .layout import LABEL_SUFFIXES, DataError, list_names, natural_key


def read_label_folder(folder: str | Path, num_classes: int) -> Tensor:
    """Reads all label maps of a folder.

    Args:
        folder: Of label maps, as a converter writes them (`tiles/ann_dir/train`, `ann_dir/train`).
        num_classes: K.

    Returns:
        (R, S, S) uint8, values 0..K-1 or 255, in the order of their names.

    Raises:
        FileNotFoundError: There is no such folder.
        DataError: No label map, a damaged one, one with other values or with ignored pixels alone, or maps that are
            not squares of one size.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            f'There is no folder {folder}. Give one with label maps, as tiles/ann_dir/train of a converted data set.'
        )
    paths = [path for path in folder.iterdir() if path.suffix.lower() in LABEL_SUFFIXES and path.is_file()]
    if not paths:
        raise DataError(f'{folder} holds no label maps ({", ".join(LABEL_SUFFIXES)}).')
    maps = {}
    for path in sorted(paths, key=lambda path: natural_key(path.name)):
        maps[path.name] = read_label_map(path)
        _check_values(path, maps[path.name], num_classes)
    _check_squares(folder, maps)
    return torch.from_numpy(np.stack(list(maps.values())))


def _check_values(path: Path, label_map: np.ndarray, num_classes: int) -> None:
    values = np.unique(label_map)
    strange = values[(values >= num_classes) & (values != IGNORE_INDEX)]
    if len(strange):
        raise DataError(
            f'{path} has the values {", ".join(map(str, strange[:6]))}; the model knows classes 0 to '
            f'{num_classes - 1}, and {IGNORE_INDEX} for pixels that are ignored.'
        )
    if values.tolist() == [IGNORE_INDEX]:
        raise DataError(f'{path} has ignored pixels alone: leave it out.')


def _check_squares(folder: Path, maps: dict[str, np.ndarray]) -> None:
    sizes = {label_map.shape for label_map in maps.values()}
    if len(sizes) > 1 or len(set(sizes.pop())) > 1:
        examples = [f'{name} {label_map.shape[0]}x{label_map.shape[1]}' for name, label_map in maps.items()]
        raise DataError(
            f'{folder}: label maps must be squares of one size, got {list_names(dict.fromkeys(examples), 4)}. Give '
            'those of tiles, as a converter cuts them: tiles/ann_dir/train of a converted data set.'
        )
