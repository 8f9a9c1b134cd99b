"""Tiles of one's own micrographs, for the generators."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from ..files import write_atomically
from .micrograph_images import decode_image, encode_grey
from .tiling import tile_positions

SUFFIXES = ('.png', '.jpg', '.jpeg', '.tif', '.tiff', '.bmp')


def tile_folder(
    images: str | Path,
    labels: str | Path,
    out: str | Path,
    num_classes: int,
    tile_size: int = 256,
    tiling: str = 'cover',
    progress: Callable = tqdm,
) -> int:
    """Cuts micrographs and their label maps into tiles: `out/img_dir/NAME_y0000_x0256.png`, `out/ann_dir/...`.

    Everything is checked before anything is written. Give the training micrographs alone: tiles of a test micrograph
    would leak it into training. Tiles without a labelled pixel are left out.

    Args:
        images: Folder of micrographs, read as grey.
        labels: Folder of index images, class indices 0..K-1 and 255 for ignored pixels, named NAME.png for each
            micrograph NAME.
        out: Folder to fill; it must not hold tiles already.
        num_classes: K.
        tile_size: Side of the tiles in pixels.
        tiling: `cover` or `grid`; see :func:`tile_offsets`.
        progress: Wraps an iterable to show progress, as tqdm does.

    Returns:
        Number of tiles written.

    Raises:
        ValueError: A folder without micrographs, a label map that is missing, of another size, or holds other values.
        FileExistsError: `out` is not empty.
    """
    out = Path(out)
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f'{out} is not empty: give a new folder, so that old and new tiles do not mix.')
    micrographs = sorted(path for path in Path(images).iterdir() if path.suffix.lower() in SUFFIXES)
    if not micrographs:
        raise ValueError(f'{images} holds no micrographs ({", ".join(SUFFIXES)}).')
    stems = [path.stem for path in micrographs]
    if len(set(stems)) < len(stems):
        twice = sorted({stem for stem in stems if stems.count(stem) > 1})
        raise ValueError(f'{images} holds more than one micrograph named {twice[0]}: rename or remove one.')
    for path in progress(micrographs, desc='checking', unit='micrograph'):
        _, label = _read(path, Path(labels), num_classes)
        tile_positions(*label.shape, tile_size, tiling)
    written = 0
    for path in progress(micrographs, desc='writing', unit='micrograph'):
        image, label = _read(path, Path(labels), num_classes)
        for y, x in tile_positions(*label.shape, tile_size, tiling):
            window = np.s_[y : y + tile_size, x : x + tile_size]
            if (label[window] != 255).any():
                name = f'{path.stem}_y{y:04d}_x{x:04d}.png'
                write_atomically(out / 'ann_dir' / name, encode_grey(label[window]))
                write_atomically(out / 'img_dir' / name, encode_grey(image[window]))
                written += 1
    return written


def _read(path: Path, labels: Path, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """A micrograph and its label map, (H, W) uint8 each, checked."""
    label_path = labels / f'{path.stem}.png'
    if not label_path.is_file():
        raise ValueError(f'{path} has no label map {label_path}.')
    image, label = decode_image(path.read_bytes(), str(path)), np.array(Image.open(label_path))
    if label.shape != image.shape:
        raise ValueError(f'{label_path} is {label.shape}, its micrograph {image.shape}: both must be (H, W), equal.')
    wrong = sorted(set(np.unique(label).tolist()) - {*range(num_classes), 255})
    if wrong:
        raise ValueError(f'{label_path} holds {wrong[:5]}; class indices are 0..{num_classes - 1}, 255 is ignored.')
    return image, label.astype(np.uint8)
