"""Predicted label maps on disk: index PNGs for programs, overlays for people."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from ..datasets.image_files import read_image
from ..datasets.micrograph_images import IGNORED_COLOUR
from .pair_grid import colour_labels
from .png_strips import write_png

OPACITY = 0.4
OVERLAYS = 'overlays'
ROWS = 32  # painted at a time


def relative_name(image_path: str | Path, root: str | Path | None) -> str:
    """The name of a micrograph: its path below the folder of the images, without suffix.

    Links are not followed: a micrograph is called what it is called in the data set, wherever its pixels lie.

    Args:
        image_path: Path of the image.
        root: Folder of the images; without it, or for an image elsewhere, the file's own name is all.

    Returns:
        E.g. `specimen_a/field_3`.
    """
    path = Path(os.path.abspath(image_path))
    below = root is not None and path.is_relative_to(os.path.abspath(root))
    path = path.relative_to(os.path.abspath(root)) if below else Path(path.name)
    return path.with_suffix('').as_posix()


def named_files(sample: Mapping) -> str:
    """The files of a sample, for messages about its labels.

    Args:
        sample: May have `seg_map_path` and `img_path`.

    Returns:
        The label map's file with its image's, or the one that is known.
    """
    image, label = sample.get('img_path'), sample.get('seg_map_path')
    return f'{label} (label map of {image})' if label else str(image or 'a sample without img_path')


def prediction_paths(folder: str | Path, name: str) -> tuple[Path, Path]:
    """Where the prediction of a micrograph is written: the label map and the overlay.

    Args:
        folder: Of all predictions.
        name: As :func:`relative_name` gives it.
    """
    return Path(folder, f'{name}.png'), Path(folder, OVERLAYS, f'{name}.png')


class MicrographNames:
    """Gives micrographs their names, and notices when two would share one.

    Args:
        root: Of :func:`relative_name`.
        unique: Whether to refuse that.
    """

    def __init__(self, root: str | Path | None, unique: bool = True) -> None:
        self.root, self.unique = root, unique
        self._paths: dict[Path, str] = {}

    def add(self, image_path: str) -> str:
        """The name of a micrograph.

        Args:
            image_path: Its path; the same one may come again.

        Raises:
            ValueError: What is written under this name would replace what is written of another micrograph.
        """
        name = relative_name(image_path, self.root)
        for file in prediction_paths('', name):
            other = self._paths.setdefault(file, image_path)
            if self.unique and other != image_path:
                raise ValueError(
                    f'{other} and {image_path} would both be reported as {file.with_suffix("")}: rename one of them, '
                    'or test them separately.'
                )
        return name


def write_prediction(
    folder: str | Path, name: str, image_path: str | Path, label: np.ndarray, palette: Sequence[Sequence[int]]
) -> None:
    """Writes `<folder>/<name>.png`, an index PNG with the palette, and `<folder>/overlays/<name>.png`.

    Args:
        folder: Where to.
        name: Of the micrograph, as :func:`relative_name` gives it.
        image_path: The micrograph.
        label: (H, W) integer, predicted classes.
        palette: K RGB colours.

    Raises:
        OSError: The micrograph is not there, or the disk is full.
        ValueError: The micrograph is damaged, or smaller than the label map.
    """
    image = cv2.imread(str(image_path), cv2.IMREAD_GRAYSCALE)
    if image is None:  # a kind of file that only the other reader knows
        image = read_image(image_path)
    if image.shape[0] < label.shape[0] or image.shape[1] < label.shape[1]:
        raise ValueError(f'{image_path} is {image.shape}, smaller than its predicted label map, {label.shape}.')
    index_path, overlay_path = prediction_paths(folder, name)
    colours = [*palette, *[IGNORED_COLOUR] * (256 - len(palette))]
    write_png(index_path, label.shape, (part.astype(np.uint8) for part in _strips(label)), colours)
    painted = (paint(*parts, palette) for parts in zip(_strips(image), _strips(label), strict=False))
    write_png(overlay_path, label.shape, painted)


def paint(image: np.ndarray, label: np.ndarray, palette: Sequence[Sequence[int]]) -> np.ndarray:
    """A micrograph under the colours of its classes.

    Args:
        image: (H', W') uint8, at least as large as the label map.
        label: (H, W) integer.
        palette: K RGB colours.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    grey = image[: label.shape[0], : label.shape[1], None].astype(float)
    return ((1 - OPACITY) * grey + OPACITY * colour_labels(label, palette)).round().astype(np.uint8)


def _strips(array: np.ndarray) -> Iterator[np.ndarray]:
    return (array[top : top + ROWS] for top in range(0, len(array), ROWS))
