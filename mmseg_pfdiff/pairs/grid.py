"""A picture of pairs: images and coloured label maps in a grid."""

import os
from collections.abc import Sequence

import cv2
import numpy as np

from ..files import write_atomically

GAP = 4
CAPTION_HEIGHT = 14


def colour_labels(label: np.ndarray, palette: Sequence[Sequence[int]]) -> np.ndarray:
    """Label map to RGB; ignored pixels are white.

    Args:
        label: (H, W) uint8.
        palette: K RGB colours.

    Returns:
        (H, W, 3) uint8.
    """
    table = np.full((256, 3), 255, np.uint8)
    table[: len(palette)] = palette
    return table[label]


def pair_grid(
    columns: Sequence[Sequence[np.ndarray]],
    palette: Sequence[Sequence[int]],
    captions: Sequence[str] | None = None,
    enlarge: int = 1,
) -> np.ndarray:
    """Draws columns of panels: a uint8 panel of a column is an image if its place is even, a label map if odd.

    Args:
        columns: Each a list of (H, W) uint8 arrays: image, label map, image, label map, ...; all of one size.
        palette: K RGB colours.
        captions: A short text above each column.
        enlarge: Whole factor by which panels are enlarged, nearest neighbour.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    drawn = []
    for n, column in enumerate(columns):
        panels = [
            colour_labels(panel, palette) if place % 2 else np.repeat(panel[..., None], 3, 2)
            for place, panel in enumerate(column)
        ]
        panels = [panel.repeat(enlarge, 0).repeat(enlarge, 1) for panel in panels]
        parts = [np.pad(panel, ((0, GAP), (0, GAP), (0, 0)), constant_values=255) for panel in panels]
        if captions is not None:
            head = np.full((CAPTION_HEIGHT, parts[0].shape[1], 3), 255, np.uint8)
            cv2.putText(head, captions[n], (1, 10), cv2.FONT_HERSHEY_SIMPLEX, 0.33, (0, 0, 0), 1, cv2.LINE_AA)
            parts.insert(0, head)
        drawn.append(np.concatenate(parts))
    return np.concatenate(drawn, axis=1)


def write_picture(path: str | os.PathLike, picture: np.ndarray) -> None:
    """Writes a picture as PNG, whole or not at all.

    Args:
        path: Where to; missing folders are made.
        picture: (height, width, 3) uint8 RGB.

    Raises:
        OSError: Disk full, or no permission; it names the file.
    """
    write_atomically(path, cv2.imencode('.png', np.ascontiguousarray(picture[..., ::-1]))[1].tobytes())
