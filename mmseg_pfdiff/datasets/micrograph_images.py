"""PNGs of micrographs and label maps; `image_files` reads them."""

import io

import numpy as np
from PIL import Image

IGNORED_COLOUR = (128, 128, 128)


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
