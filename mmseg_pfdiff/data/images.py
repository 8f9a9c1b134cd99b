"""The one reader of image files: micrographs as 8-bit grey or colour, label maps as class indices.

What a file holds is shown as it was meant to be seen (turned by its EXIF orientation), or refused with the way out:
several pages, more than 8 bits in colour, floating-point numbers, damage.

Grey of more than 8 bits is put on the scale of 8 by one rule for all files, so that grey levels of several micrographs
stay comparable: the whole range of the file's format, 0..65535 for 16 bits, becomes 0..255. A file whose values fill
less than a quarter of that range is refused, as it would come out nearly black.
"""

import io
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ..compat import MAX_PIXELS
from .layout import DataError, list_names

# Others are read by Pillow too, but not all of them say how many bits they hold.
FORMATS = ('PNG', 'JPEG', 'TIFF', 'BMP')
EIGHT_BIT_MODES = ('1', 'L', 'LA', 'P', 'PA', 'RGB', 'RGBA', 'CMYK', 'YCbCr')
GREY_MODES = ('I;16', 'I;16L', 'I;16B', 'I')  # of more than 8 bits
LABEL_MODES = ('1', 'L', 'LA', 'P', 'PA', 'RGB', 'RGBA', *GREY_MODES)
LEAST_FILLED = 0.25  # of the range of grey values; cameras of 10, 12 and 14 bits store 1/64, 1/16 and 1/4 of it
REMEDY = 'Save it as 8-bit grey, for example in ImageJ: Image > Type > 8-bit'
TOGETHER = 'Take the files that belong together, or convert or generate them anew.'
SHOWN_COLOURS = 5
ROWS = 256  # copied at a time
BITS_TAG, PHOTOMETRIC_TAG, SAMPLE_FORMAT_TAG = 258, 262, 339  # of TIFF
WHITE_IS_ZERO, UNSIGNED = 0, 1
ORIENTATION_TAG, ON_ITS_SIDE = 274, (5, 6, 7, 8)  # of EXIF
_TOO_MANY = f'more than {MAX_PIXELS:,} pixels, the most that are read: cut it into smaller micrographs.'


def read_image(path: str | Path, *, colour: bool = False) -> np.ndarray:
    """Reads a micrograph.

    Args:
        path: PNG, JPEG, TIFF or BMP.
        colour: Whether to keep colours.

    Returns:
        (H, W) uint8, or (H, W, 3) uint8 RGB with `colour`.

    Raises:
        DataError: The file is damaged, or holds what cannot be shown with 8 bits rightly.
        OSError: It cannot be opened.
    """
    return decode_image(Path(path).read_bytes(), str(path), colour=colour)


def read_label_map(path: str | Path) -> np.ndarray:
    """Reads a label map.

    Args:
        path: PNG, TIFF or BMP with one index a pixel: grey, palette, or colour with equal channels.

    Returns:
        (H, W) uint8, the indices as they are stored.

    Raises:
        DataError: The file is damaged, or holds something else than indices 0..255.
        OSError: It cannot be opened.
    """
    return decode_label_map(Path(path).read_bytes(), str(path))


def image_size(path: str | Path) -> tuple[int, int] | None:
    """Height and width of an image, turned upright, by the head of its file.

    Args:
        path: Of the image.

    Returns:
        (H, W); None where the file is of none of the formats that are read here, or damaged.

    Raises:
        OSError: It cannot be opened.
    """
    with open(path, 'rb') as file, warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            picture = Image.open(file, formats=FORMATS)
            turned = picture.getexif().get(ORIENTATION_TAG, 1) in ON_ITS_SIDE
        except Exception:  # as in _open; whoever reads the whole file says what is wrong
            return None
    return (picture.width, picture.height) if turned else (picture.height, picture.width)


def check_same_size(
    label: Sequence[int], label_path: str | Path, image: Sequence[int], image_path: str | Path, remedy: str = TOGETHER
) -> None:
    """Sees that a label map is of its image's size; pipelines would stretch each by itself, and pair wrong pixels.

    Args:
        label: Height and width of the label map.
        label_path: Its file.
        image: Height and width of the image.
        image_path: Its file.
        remedy: Sentence on what to do.

    Raises:
        DataError: They differ.
    """
    if tuple(label[:2]) != tuple(image[:2]):
        raise DataError(
            f'The label map {label_path} has {label[1]}x{label[0]} pixels, its image {image_path} {image[1]}x'
            f'{image[0]} (width x height): both must be of one size. {remedy}'
        )


def decode_image(content: bytes, where: str, *, colour: bool = False) -> np.ndarray:
    """Decodes the content of a file; see :func:`read_image`.

    Args:
        content: Of the file.
        where: Its name, for the error message.
        colour: Whether to keep colours.

    Returns:
        (H, W) uint8, or (H, W, 3) uint8 RGB with `colour`.

    Raises:
        DataError: As :func:`read_image`.
    """
    picture, bits = _open(content, where)
    if bits > 8 and picture.mode in GREY_MODES:
        grey = _to_eight_bits(_unsigned(picture, bits, where), bits, where)
        return np.repeat(grey[..., None], 3, axis=2) if colour else grey
    _refuse_deep(picture, bits, where)
    if picture.mode not in EIGHT_BIT_MODES:
        raise DataError(f'{where} has the pixel format {picture.mode}, which is not read. {REMEDY}.')
    grey = not colour or picture.mode in ('1', 'L', 'LA')  # Pillow's colours take four bytes a pixel
    if picture.mode != ('L' if grey else 'RGB'):
        picture = picture.convert('L' if grey else 'RGB')
    pixels = _pixels(picture)
    del picture
    return np.repeat(pixels[..., None], 3, axis=2) if colour and grey else pixels


def decode_label_map(content: bytes, where: str) -> np.ndarray:
    """Decodes the content of a file; see :func:`read_label_map`.

    Args:
        content: Of the file.
        where: Its name, for the error message.

    Returns:
        (H, W) uint8, the indices as they are stored.

    Raises:
        DataError: As :func:`read_label_map`.
    """
    picture, bits = _open(content, where)
    if picture.format in ('JPEG', 'MPO'):
        raise DataError(f'{where} is a JPEG, which changes class indices: save label maps as PNG, from the original.')
    if picture.mode not in GREY_MODES:
        _refuse_deep(picture, bits, where)
    if picture.mode not in LABEL_MODES:
        raise DataError(
            f'{where} has the pixel format {picture.mode}; a label map holds one index a pixel. Save it as 8-bit grey '
            'or palette PNG.'
        )
    values = _pixels(picture)  # of a palette its indices
    if values.ndim == 3:
        values = _equal_channel(values, where)
    if picture.mode == 'L' and bits < 8:
        values = values // (255 // (2**bits - 1))  # Pillow spreads them over 0..255
    beyond = np.unique(values[(values < 0) | (values > 255)]) if values.itemsize > 1 else ()
    if len(beyond):
        shown = list_names(map(str, beyond.tolist()))
        raise DataError(f'{where} holds the values {shown}; class indices are 0 to 254, 255 is ignored.')
    return values.astype(np.uint8, copy=False)


def _open(content: bytes, where: str) -> tuple[Image.Image, int]:
    """A picture, loaded and turned upright, and how many bits each of its channels had in the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of odd tags, which instruments write, and without the file's name
            picture = Image.open(io.BytesIO(content), formats=FORMATS)
            _refuse_large(picture, where)
            bits = _bits(picture, content)
            picture.load()
            ImageOps.exif_transpose(picture, in_place=True)
    except DataError:
        raise
    except UnidentifiedImageError as error:
        raise DataError(
            f'{where} cannot be read as an image: it is damaged, or none of {", ".join(FORMATS)}. Save or copy it anew.'
        ) from error
    except Image.DecompressionBombError as error:
        raise DataError(f'{where} has {_TOO_MANY}') from error
    except Exception as error:  # decoders of damaged files raise what they like
        reason = str(error) or type(error).__name__
        raise DataError(
            f'{where} cannot be read as an image: it is damaged ({reason}). Save or copy it anew.'
        ) from error
    return picture, bits


def _refuse_large(picture: Image.Image, where: str) -> None:
    pages = getattr(picture, 'n_frames', 1)
    if pages > 1:
        raise DataError(
            f'{where} holds {pages} pages, and only one picture is expected: save the page that is meant as a file of '
            'its own.'
        )
    if picture.width * picture.height > MAX_PIXELS:
        raise DataError(f'{where} has {picture.width} x {picture.height} pixels, {_TOO_MANY}')


def _bits(picture: Image.Image, content: bytes) -> int:
    """Bits of each channel, of which Pillow keeps eight in colour without a word."""
    if picture.format == 'PNG':
        if content[12:16] != b'IHDR':
            raise ValueError('the header does not come first')
        return content[24]
    if picture.format == 'TIFF':
        return int(max(picture.tag_v2.get(BITS_TAG, (1,))))
    return 8


def _refuse_deep(picture: Image.Image, bits: int, where: str) -> None:
    """Refuses colours of more than 8 bits a channel, and floating-point numbers."""
    if picture.mode == 'F':
        raise DataError(
            f'{where} holds floating-point numbers, of which nobody knows what is black and what is white. {REMEDY}.'
        )
    if bits > 8:
        raise DataError(
            f'{where} holds colours of {bits} bits a channel; read are 8 bits, or up to 16 of grey in one channel. '
            f'{REMEDY}.'
        )


def _unsigned(picture: Image.Image, bits: int, where: str) -> np.ndarray:
    """Grey values of more than 8 bits, (H, W), 0 black."""
    tags = getattr(picture, 'tag_v2', {})
    if bits > 16 or tags.get(SAMPLE_FORMAT_TAG, (UNSIGNED,))[0] != UNSIGNED:
        raise DataError(f'{where} holds {bits} bits a pixel, with a sign or more than 16; read are up to 16. {REMEDY}.')
    values = np.asarray(picture)
    return 2**bits - 1 - values if tags.get(PHOTOMETRIC_TAG) == WHITE_IS_ZERO else values


def _to_eight_bits(values: np.ndarray, bits: int, where: str) -> np.ndarray:
    """Grey values 0..2**bits - 1 on the scale 0..255, (H, W) uint8; see the rule at the head of this file."""
    top = 2**bits - 1
    if values.max() <= LEAST_FILLED * top:
        raise DataError(
            f'{where} holds grey values of {bits} bits, but only {values.min()} to {values.max()} of 0 to {top}: it '
            f'would come out nearly black. {REMEDY}, after setting black and white (Image > Adjust > '
            'Brightness/Contrast) alike for all micrographs.'
        )
    return (np.arange(top + 1) * (255 / top)).round().astype(np.uint8)[values]


def _pixels(picture: Image.Image) -> np.ndarray:
    """The pixels of a picture, as its mode has them. Pillow takes three times their memory to hand over all at once."""
    pixels = None
    for top in range(0, picture.height, ROWS):
        strip = np.asarray(picture.crop((0, top, picture.width, min(top + ROWS, picture.height))))
        if pixels is None:
            pixels = np.empty((picture.height, *strip.shape[1:]), strip.dtype)
        pixels[top : top + ROWS] = strip
    return pixels


def _equal_channel(values: np.ndarray, where: str) -> np.ndarray:
    """The one channel of an (H, W, C) label map whose channels, but for alpha, are equal."""
    colours = values[..., : 3 if values.shape[2] >= 3 else 1]
    if (colours == colours[..., :1]).all():
        return colours[..., 0]
    codes, counts = np.unique(colours @ np.array([2**16, 2**8, 1]), return_counts=True)
    most = codes[np.argsort(-counts, kind='stable')[:SHOWN_COLOURS]].tolist()
    shown = ', '.join(f'({code >> 16}, {code >> 8 & 255}, {code & 255})' for code in most)
    raise DataError(
        f'{where} is a colour picture of {len(codes)} colours ({shown}{", ..." if len(codes) > len(most) else ""}), a '
        'label map holds one index a pixel. Give each colour the index of its class (0, 1, ...; 255 for pixels to '
        'ignore) and save it as 8-bit grey PNG; antialiased edges must go first.'
    )
