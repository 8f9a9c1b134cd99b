"""One's own micrographs, laid out as the tools expect a data set."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from ..files import write_atomically
from ..phases import IGNORE_INDEX
from ..progress import progress
from .micrograph_images import decode_image, encode_grey
from .tiling import labelled_positions, tile_name

PARTS = ('train', 'val', 'test')
SUFFIXES = ('.png', '.jpg', '.jpeg', '.tif', '.tiff', '.bmp')


class _Source(NamedTuple):
    """Where a micrograph of a part comes from."""

    part: str
    image: Path
    label: Path


def convert_micrographs(
    parts: Mapping[str, tuple[str | Path, str | Path]],
    out: str | Path,
    num_classes: int,
    tile_size: int = 256,
    tiling: str = 'cover',
    progress: Callable = progress,
) -> int:
    """Writes whole micrographs by part, and tiles of the training micrographs, in the layout of `MetalDAMDataset`.

    .. code-block:: none

        out/
        ├── {img_dir,ann_dir}/{train,val,test}/NAME.png               whole micrographs, 8-bit grey; class indices
        └── tiles/{img_dir,ann_dir}/train/NAME_y0000_x0256.png        tiles of the training micrographs

    Everything is checked before anything is written. Tiles without a labelled pixel are left out; a micrograph
    without one is refused, as nothing can be learnt from it or measured on it.

    Args:
        parts: 'train', and if wanted 'val' and 'test' -> folder of micrographs, read as grey, and folder of index
            images (H, W), class indices 0..K-1 and 255 for ignored pixels, named NAME.png for each micrograph NAME.
            Parts may share a folder of index images.
        out: Folder to fill; it must be new or empty.
        num_classes: K, 1..255.
        tile_size: Side of the tiles in pixels. No micrograph of any part may be smaller, as pairs are compared with
            windows of this size of the held-out ones.
        tiling: `cover` or `grid`; see :func:`tile_offsets`.
        progress: Wraps an iterable to show progress, as the default does.

    Returns:
        Number of training tiles written.

    Raises:
        ValueError: Parts of other names or without 'train'; a folder without micrographs; one name for two
            micrographs, in one part or in two; the same pixels in two parts; a micrograph smaller than a tile; a label
            map that is missing, of another size, without a labelled pixel, or holds other values; no training tile.
        FileExistsError: `out` is not empty.
        OSError: A folder or a file cannot be read.
    """
    out = Path(out)
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(
            f'{out} is not empty: give a new folder, so that old and new files do not mix, or remove what an '
            'interrupted run left.'
        )
    if not 1 <= num_classes <= IGNORE_INDEX:
        raise ValueError(f'There can be 1 to {IGNORE_INDEX} classes, got {num_classes}.')
    sources = _list_sources(parts)
    _refuse_same_names(sources)
    number, seen = 0, {}
    for source in progress(sources, desc='checking', unit='micrograph'):
        image, label = _read(source, num_classes)
        _refuse_same_pixels(source, image, seen)
        number += _count_tiles(source, label, tile_size, tiling)
    if not number:
        raise ValueError(f'The {tiling} tiles of {tile_size} pixels hold no labelled pixel of a training micrograph.')
    for source in progress(sources, desc='writing', unit='micrograph'):
        _write(source, out, num_classes, tile_size, tiling)
    return number


def _list_sources(parts: Mapping[str, tuple[str | Path, str | Path]]) -> list[_Source]:
    """All micrographs of all parts, by name within a part."""
    if 'train' not in parts or not set(parts) <= set(PARTS):
        raise ValueError(f'The parts are train, which must be there, val and test; got {", ".join(parts) or "none"}.')
    sources = []
    for part, (images, labels) in parts.items():
        # Hidden files are no micrographs but what file managers leave beside them.
        paths = [path for path in Path(images).iterdir() if not path.name.startswith('.')]
        micrographs = sorted(path for path in paths if path.suffix.lower() in SUFFIXES)
        if not micrographs:
            raise ValueError(f'{images} holds no micrographs ({", ".join(SUFFIXES)}).')
        sources += [_Source(part, path, Path(labels) / f'{path.stem}.png') for path in micrographs]
    return sources


def _refuse_same_names(sources: list[_Source]) -> None:
    """Refuses two micrographs of one name, and with them a folder that is given for two parts."""
    first = {}
    for source in sources:
        other = first.setdefault(source.image.stem, source)
        if other is source:
            continue
        if other.part == source.part:
            raise ValueError(
                f'{source.image.parent} holds more than one micrograph named {source.image.stem}: rename or remove one.'
            )
        raise ValueError(
            f'{other.part} and {source.part} share a micrograph, {other.image} and {source.image}: what is trained on '
            'must not be measured on. Leave it in one part; rename one if the two merely have the same name.'
        )


def _refuse_same_pixels(source: _Source, image: np.ndarray, seen: dict[str, _Source]) -> None:
    """Refuses a micrograph that another part holds under another name."""
    other = seen.setdefault(hashlib.sha256(f'{image.shape}'.encode() + image.tobytes()).hexdigest(), source)
    if other.part != source.part:
        raise ValueError(
            f'{other.part} and {source.part} hold the same pixels, {other.image} and {source.image}: what is trained '
            'on must not be measured on. Leave it in one part.'
        )


def _read(source: _Source, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """A micrograph and its label map, (H, W) uint8 each, checked."""
    path = source.label
    if not path.is_file():
        raise ValueError(f'{source.image} has no label map {path}.')
    image, label = decode_image(source.image.read_bytes(), str(source.image)), np.array(Image.open(path))
    if label.shape != image.shape:
        raise ValueError(f'{path} is {label.shape}, its micrograph {image.shape}: both must be (H, W), equal.')
    wrong = sorted(set(np.unique(label).tolist()) - {*range(num_classes), IGNORE_INDEX})
    if wrong:
        raise ValueError(
            f'{path} holds {wrong[:5]}; class indices are 0..{num_classes - 1}, {IGNORE_INDEX} is ignored.'
        )
    return image, label.astype(np.uint8)


def _count_tiles(source: _Source, label: np.ndarray, tile_size: int, tiling: str) -> int:
    """The number of tiles that a micrograph will give; refuses one that cannot be used."""
    if (label == IGNORE_INDEX).all():
        raise ValueError(f'{source.label} holds no labelled pixel: leave the micrograph out.')
    try:
        corners = labelled_positions(label, tile_size, tiling)
    except ValueError as error:
        raise ValueError(f'{source.image}: {error}') from error
    return len(corners) if source.part == 'train' else 0


def _write(source: _Source, out: Path, num_classes: int, tile_size: int, tiling: str) -> None:
    """Writes a micrograph, and its tiles if it is for training."""
    image, label = _read(source, num_classes)
    name = f'{source.part}/{source.image.stem}'
    _write_pair(out, f'{name}.png', image, label)
    if source.part == 'train':
        for y, x in labelled_positions(label, tile_size, tiling):
            window = np.s_[y : y + tile_size, x : x + tile_size]
            _write_pair(out / 'tiles', f'{tile_name(name, y, x)}.png', image[window], label[window])


def _write_pair(root: Path, name: str, image: np.ndarray, label: np.ndarray) -> None:
    """Writes an image and its label map, the label map first: data sets list images."""
    write_atomically(root / 'ann_dir' / name, encode_grey(label))
    write_atomically(root / 'img_dir' / name, encode_grey(image))
