"""Predicted label maps on disk: index PNGs for programs, overlays for people."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ..datasets.micrograph_images import encode_label_map, encode_picture
from ..files import write_atomically
from .pair_grid import colour_labels

OPACITY = 0.4


def relative_name(image_path: str | Path, root: str | Path | None) -> str:
    """The name of a micrograph: its path below the folder of the images, without suffix.

    Args:
        image_path: Path of the image.
        root: Folder of the images; without it, or for an image elsewhere, the file's own name is all.

    Returns:
        E.g. `specimen_a/field_3`.
    """
    path = Path(image_path)
    if root is not None and path.resolve().is_relative_to(Path(root).resolve()):
        path = path.resolve().relative_to(Path(root).resolve())
    else:
        path = Path(path.name)
    return path.with_suffix('').as_posix()


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
        FileNotFoundError: The micrograph is not there or no image.
    """
    image = cv2.imread(str(image_path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise FileNotFoundError(f'{image_path} cannot be read as an image.')
    label = label.astype(np.uint8)
    grey = image[: label.shape[0], : label.shape[1], None].astype(float)
    overlay = (1 - OPACITY) * grey + OPACITY * colour_labels(label, palette)
    shown = Image.fromarray(overlay.round().astype(np.uint8))
    write_atomically(Path(folder, f'{name}.png'), encode_label_map(label, palette))
    write_atomically(Path(folder, 'overlays', f'{name}.png'), encode_picture(shown))
