"""Tiles of a converted data set at the size of generated pairs, which these are compared with."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..data.images import check_same_size, read_image, read_label_map
from ..data.layout import labelled_positions, tile_name, tile_place, tile_positions
from ..data.record import check_finished
from ..phases.labels import IGNORE_INDEX, reduce_labels

TILES = 'tiles'
# How often each training tile is tried to be disguised: by chance, a window may leave the micrograph.
ROUNDS = 8


class RealTiles(NamedTuple):
    """N tiles.

    Attributes:
        names: N names, `MICROGRAPH_y0000_x0256`, y and x in pixels of the micrograph.
        images: (N, side, side) uint8.
        labels: (N, side, side) uint8, class indices or 255.
    """

    names: list[str]
    images: Tensor
    labels: Tensor

    @property
    def owners(self) -> list[str]:
        """N micrographs, by the names of the tiles; a name of another form is its own."""
        return [(tile_place(name) or (name,))[0] for name in self.names]


def tile_size_of(root: str | Path) -> int:
    """Side of the training tiles of a data set, in pixels.

    Args:
        root: Converted data set, with `tiles/img_dir/train`.

    Raises:
        FileNotFoundError: It has no training tiles.
        ValueError: They are no squares.
    """
    path = _images(Path(root) / TILES, 'train')[0]
    height, width = read_image(path).shape
    if height != width:
        raise ValueError(f'{path} is {height}x{width}; training tiles must be squares.')
    return height


def micrograph_shape(root: str | Path, part: str) -> tuple[int, int]:
    """(H, W) of the first micrograph of a part, 'train', 'val' or 'test', of a converted data set.

    Raises:
        FileNotFoundError: There is none.
    """
    return read_image(_images(Path(root), part)[0]).shape


def training_tiles(root: str | Path, side: int, num_classes: int) -> RealTiles:
    """The training tiles of a data set.

    Args:
        root: Converted data set, with `tiles/{img_dir,ann_dir}/train`.
        side: Side of the pairs; the tiles are reduced to it by a whole factor.
        num_classes: K.

    Returns:
        All of them, by name.

    Raises:
        FileNotFoundError: There are none, or a label map is missing.
        ValueError: No whole factor, tiles of several sizes, or a damaged file.
    """
    tile_size = tile_size_of(root)
    names, images, labels = [], [], []
    for path in _images(Path(root) / TILES, 'train'):
        image, label = _read(path)
        if image.shape != (tile_size, tile_size):
            raise ValueError(f'{path} is {image.shape}, expected were {tile_size} squared as of the first tile.')
        names.append(path.stem)
        images.append(image)
        labels.append(label)
    return _reduced(names, images, labels, side, num_classes)


def held_out_tiles(root: str | Path, part: str, side: int, num_classes: int, tile_size: int | None = None) -> RealTiles:
    """Tiles cut from the whole micrographs of a part, as the training tiles were cut: covering, overlapping if needed.

    Args:
        root: Converted data set, with `{img_dir,ann_dir}/PART`.
        part: 'val' or 'test' ('train' gives tiles of the training micrographs).
        side: Side of the pairs.
        num_classes: K.
        tile_size: Side of a tile in the micrograph; default: that of the training tiles.

    Returns:
        All tiles that hold a labelled pixel.

    Raises:
        FileNotFoundError: No micrographs there, or a label map is missing.
        ValueError: A micrograph smaller than a tile, or no whole factor from tile to pair.
    """
    size = tile_size or tile_size_of(root)
    names, images, labels = [], [], []
    for path in _images(Path(root), part):
        image, label = _read(path)
        if min(label.shape) < size:
            raise ValueError(f'{path} is {label.shape}: no tile of {size} squared can be cut from it. Leave it out.')
        for y, x in labelled_positions(label, size, 'cover'):
            window = np.s_[y : y + size, x : x + size]
            names.append(tile_name(path.stem, y, x))
            images.append(image[window])
            labels.append(label[window])
    return _reduced(names, images, labels, side, num_classes)


def disguised_tiles(root: str | Path, side: int, num_classes: int, number: int = 64, seed: int = 0) -> RealTiles:
    """Training tiles that a check for copies must recognise: shifted, turned, paled, with noise.

    Each is a window of a training micrograph that is off a training tile by up to a sixteenth of its side in both
    directions, turned by a quarter, its contrast at 80 %, with Gaussian noise of 3 grey values.

    Args:
        root: Converted data set, with training tiles and `{img_dir,ann_dir}/train`.
        side: Side of the pairs.
        num_classes: K.
        number: How many at most; windows that would leave the micrograph are passed over.
        seed: Of the choice.

    Returns:
        Disguised tiles, named after their originals; none where all micrographs are as small as the tiles.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: No whole factor from tile to pair, or a tile whose name does not tell where it lies.
    """
    size, rng = tile_size_of(root), np.random.default_rng(seed)
    paths = _images(Path(root) / TILES, 'train')
    originals: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for n in itertools.chain.from_iterable(rng.permutation(len(paths)) for _ in range(ROUNDS)):
        if len(originals) == number:
            break
        disguised = None if n in originals else _disguised(paths[n], Path(root), size, rng)
        if disguised is not None:
            originals[n] = disguised
    images, labels = zip(*originals.values(), strict=True) if originals else ((), ())
    return _reduced([paths[n].stem for n in originals], images, labels, side, num_classes)


def _disguised(path: Path, root: Path, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray] | None:
    """Image and label map of a disguised tile; None where its window would leave the micrograph."""
    place = tile_place(path.stem)
    if place is None:
        raise ValueError(
            f'{path} is not named as conversions name tiles, MICROGRAPH_y0000_x0256, so it cannot be found in its '
            'micrograph. Convert the data anew, or leave the search for copies out (--no-copies).'
        )
    micrograph, *corner = place
    y, x = (corner + rng.integers(-(size // 16), size // 16 + 1, 2)).tolist()
    image, label = _read(root / 'img_dir' / 'train' / f'{micrograph}.png')
    height, width = label.shape
    if min(y, x) < 0 or y + size > height or x + size > width or (height, width) == (size, size):
        return None
    window = np.s_[y : y + size, x : x + size]
    disguised = 128 + 0.8 * (np.rot90(image[window]) - 128.0) + rng.normal(0, 3, (size, size))
    return disguised.round().clip(0, 255).astype(np.uint8), np.rot90(label[window])


def _reduced(names: list[str], images: Sequence, labels: Sequence, side: int, num_classes: int) -> RealTiles:
    """Stacks tiles and reduces them as the generators see them: the mean for images, the commonest label for masks."""
    if not names:
        empty = torch.empty(0, side, side, dtype=torch.uint8)
        return RealTiles([], empty, empty)
    size = images[0].shape[0]
    if size % side:
        raise ValueError(f'Tiles of {size} pixels a side cannot be reduced to pairs of {side} by a whole factor.')
    pixels, classes = (torch.as_tensor(np.stack(arrays)) for arrays in (images, labels))
    beyond = classes[(classes >= num_classes) & (classes != IGNORE_INDEX)]
    if len(beyond):
        raise ValueError(
            f'The real label maps hold class {beyond.max()}, the pairs have {num_classes} classes only: 0 to '
            f'{num_classes - 1}. Give the data set that their generator was trained on.'
        )
    small = F.avg_pool2d(pixels[:, None].float(), size // side)[:, 0].round().to(torch.uint8)
    # By parts: voting takes K + 1 numbers a pixel.
    reduced = torch.cat([reduce_labels(part, size // side, num_classes) for part in classes.split(16)])
    return RealTiles(names, small, reduced)


def _images(root: Path, part: str) -> list[Path]:
    check_finished(root / 'img_dir' / part)
    paths = sorted((root / 'img_dir' / part).glob('*.png'))
    if not paths:
        raise FileNotFoundError(
            f'{root / "img_dir" / part} holds no PNG: give the folder of a converted data set '
            '(tools/dataset_converters/metaldam.py writes one, of your own micrographs micrographs.py beside it).'
        )
    return paths


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The image `.../img_dir/train/a.png` and its label map, `.../ann_dir/train/a.png`."""
    label_path = path.parents[2] / 'ann_dir' / path.parent.name / path.name
    image, label = read_image(path), read_label_map(label_path)
    check_same_size(label.shape, label_path, image.shape, path)
    return image, label


def cut_windows(maps: Tensor, side: int) -> Tensor:
    """Cuts images into square windows that cover them.

    Args:
        maps: (N, H, W).
        side: Of the windows, at most H and W.

    Returns:
        (N * windows, side, side), the windows of an image together.
    """
    places = tile_positions(*maps.shape[1:], side, 'cover')
    windows = [maps[:, y : y + side, x : x + side] for y, x in places]
    return torch.stack(windows, 1).flatten(0, 1)
