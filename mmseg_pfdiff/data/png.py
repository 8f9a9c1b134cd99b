"""PNG files as they are written: micrographs, label maps with a palette, and large pictures a few rows at a time."""

import io
import struct
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from ..files import open_atomically

IGNORED_COLOUR = (128, 128, 128)
SIGNATURE = b'\x89PNG\r\n\x1a\n'
TRUE_COLOUR, PALETTE = 2, 3  # types of PNG's header
NO_FILTER, SUB = 0, 1  # how PNG prepares a row: as it is, or as differences from the pixel to the left


def encode_grey(image: np.ndarray) -> bytes:
    """PNG of a grey image.

    Args:
        image: (H, W) uint8.
    """
    return encode_picture(Image.fromarray(image))


def encode_label_map(label_map: np.ndarray, palette: list) -> bytes:
    """Index PNG of a label map with its palette embedded; ignored pixels show as grey.

    Args:
        label_map: (H, W) uint8, class indices and 255.
        palette: RGB colour of each class.
    """
    picture = Image.fromarray(label_map)
    unused = [IGNORED_COLOUR] * (256 - len(palette))
    picture.putpalette([value for colour in [*palette, *unused] for value in colour])  # L becomes P
    return encode_picture(picture)


def encode_picture(picture: Image.Image, kind: str = 'PNG', **options) -> bytes:
    """A file of any picture.

    Args:
        picture: What it shows.
        kind: Format, as Pillow names it.
        **options: Of the format.
    """
    buffer = io.BytesIO()
    picture.save(buffer, format=kind, **options)
    return buffer.getvalue()


def write_png(
    path: str | Path,
    size: tuple[int, int],
    strips: Iterable[np.ndarray],
    palette: Sequence[Sequence[int]] | None = None,
) -> None:
    """Writes a PNG, whole or not at all.

    Args:
        path: Where to; missing folders are made. A file there is replaced.
        size: (H, W) of the picture.
        strips: Its rows from top to bottom, each strip (rows, W, 3) uint8 RGB, or (rows, W) uint8 with a palette.
        palette: RGB colours of an index PNG.

    Raises:
        OSError: As :func:`open_atomically`.
    """
    with open_atomically(path) as file:
        file.write(SIGNATURE)
        kind = TRUE_COLOUR if palette is None else PALETTE
        _write_chunk(file, b'IHDR', struct.pack('>2I5B', size[1], size[0], 8, kind, 0, 0, 0))
        if palette is not None:
            _write_chunk(file, b'PLTE', bytes(value for colour in palette for value in colour))
        packer = zlib.compressobj()
        for strip in strips:
            _write_chunk(file, b'IDAT', packer.compress(_filtered(strip)))
        _write_chunk(file, b'IDAT', packer.flush())
        _write_chunk(file, b'IEND', b'')


def _filtered(strip: np.ndarray) -> bytes:
    """Rows as PNG stores them, each behind the number of its filter."""
    if strip.ndim == 2:
        return np.pad(strip, ((0, 0), (1, 0)), constant_values=NO_FILTER).tobytes()
    steps = strip.copy()
    steps[:, 1:] -= strip[:, :-1]
    return np.pad(steps.reshape(len(steps), -1), ((0, 0), (1, 0)), constant_values=SUB).tobytes()


def _write_chunk(file: BinaryIO, kind: bytes, content: bytes) -> None:
    file.write(struct.pack('>I', len(content)) + kind + content + struct.pack('>I', zlib.crc32(kind + content)))
