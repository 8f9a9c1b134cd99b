"""Image and label files of micrographs: decoding with checks, encoding to PNG."""

import io
import struct
from pathlib import Path

import numpy as np
from PIL import Image

from .release_files import MetalDAMError

NUM_RELEASE_CLASSES = 5
IGNORED_COLOUR = (128, 128, 128)
DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)


def _open(content: bytes, where: str) -> Image.Image:
    try:
        picture = Image.open(io.BytesIO(content))
        picture.load()
    except DECODE_ERRORS as error:
        raise MetalDAMError(f'{where} cannot be read as an image: {error}.') from error
    return picture


def decode_image(content: bytes, where: str) -> np.ndarray:
    """Decodes an image file to grey, (H, W) uint8.

    Args:
        content: The file.
        where: Its name, for the error message.
    """
    picture = _open(content, where)
    if picture.mode not in ('1', 'L', 'LA', 'P', 'RGB', 'RGBA', 'CMYK', 'YCbCr'):
        raise MetalDAMError(f'{where} has the pixel format {picture.mode}; convert it to 8 bits per channel first.')
    return np.array(picture.convert('L'))


def decode_label(content: bytes, where: str) -> np.ndarray:
    """Decodes a label file to label values of the release, (H, W) uint8.

    Args:
        content: The file: indices as grey or palette PNG, or RGB with three equal channels.
        where: Its name, for the error message.
    """
    label = np.array(_open(content, where))  # a palette PNG gives its indices
    if label.ndim == 3:
        colours = label[..., : 3 if label.shape[2] >= 3 else 1]  # without the alpha channel
        if (colours != colours[..., :1]).any():
            y, x = np.argwhere((colours != colours[..., :1]).any(-1))[0]
            raise MetalDAMError(
                f'{where} is a colour picture ({tuple(map(int, colours[y, x]))} at row {y}, column {x}); a label holds '
                f'the indices 0..{NUM_RELEASE_CLASSES - 1}, in one channel or in three equal ones.'
            )
        label = colours[..., 0]
    wrong = np.argwhere((label < 0) | (label >= NUM_RELEASE_CLASSES)) if label.dtype != bool else []
    if len(wrong):
        y, x = wrong[0]
        raise MetalDAMError(
            f'{where} holds the label value {label[y, x]} (row {y}, column {x}, {len(wrong)} such pixels); the release '
            f'has 0..{NUM_RELEASE_CLASSES - 1}.'
        )
    return label.astype(np.uint8)


def read_png(path: str | Path) -> np.ndarray:
    """A grey or index PNG, (H, W) uint8."""
    return np.array(Image.open(path))


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


def encode_picture(picture: Image.Image) -> bytes:
    """PNG of any picture."""
    buffer = io.BytesIO()
    picture.save(buffer, format='PNG')
    return buffer.getvalue()
