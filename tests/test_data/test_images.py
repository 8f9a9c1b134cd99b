"""The one reader of image files: a file of each kind, written by the test, comes back right or is refused by name."""

import io
import struct
import warnings
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from mmseg.registry import TRANSFORMS
from PIL import Image

from mmseg_pfdiff.data.images import decode_image, decode_label_map, read_image, read_label_map
from mmseg_pfdiff.data.layout import DataError

GREY = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
DEEP = np.linspace(0, 65535, 24).round().astype(np.uint16).reshape(4, 6)
LABEL = np.arange(24, dtype=np.uint8).reshape(4, 6) % 4
PIXELS = arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=9))


def encode(picture, kind='PNG', **options):
    buffer = io.BytesIO()
    picture = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    picture.save(buffer, format=kind, **options)
    return buffer.getvalue()


def encode_tiff(array, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, **options)
    return buffer.getvalue()


def png_of_bits(array, bits, colour_type=0, palette=b'', size=None):
    """A PNG of fewer than 8 bits, or with a header of another size, as Pillow does not write them."""

    def chunk(name, content):
        return struct.pack('>I', len(content)) + name + content + struct.pack('>I', zlib.crc32(name + content))

    height, width = size or array.shape
    rows = [np.packbits((row[:, None] >> np.arange(bits - 1, -1, -1) & 1).astype(np.uint8)).tobytes() for row in array]
    header = struct.pack('>IIBBBBB', width, height, bits, colour_type, 0, 0, 0)
    pixels = zlib.compress(b''.join(b'\0' + row for row in rows))
    chunks = [(b'IHDR', header), *([(b'PLTE', palette)] if palette else []), (b'IDAT', pixels), (b'IEND', b'')]
    return b'\x89PNG\r\n\x1a\n' + b''.join(chunk(*one) for one in chunks)


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize(
    'content',
    [
        encode(GREY),
        encode(GREY, 'BMP'),
        encode(GREY, 'TIFF'),
        encode(GREY, 'TIFF', compression='tiff_lzw'),
        encode_tiff(GREY, photometric='miniswhite', compression=None).replace(GREY.tobytes(), (255 - GREY).tobytes()),
        encode(np.repeat(GREY[..., None], 3, 2)),
        encode(np.dstack([GREY, GREY, GREY, np.full_like(GREY, 255)])),
        encode(np.dstack([GREY, np.full_like(GREY, 7)])),
    ],
)
def test_micrographs_of_eight_bits_keep_every_grey_value(content):
    np.testing.assert_array_equal(decode_image(content, 'm.png'), GREY)
    np.testing.assert_array_equal(decode_image(content, 'm.png', colour=True), np.repeat(GREY[..., None], 3, 2))


def test_colours_are_kept_where_asked_for():
    colours = np.random.default_rng(0).integers(0, 256, (4, 6, 3)).astype(np.uint8)
    np.testing.assert_array_equal(decode_image(encode(colours), 'm.png', colour=True), colours)
    expected = colours @ np.array([0.299, 0.587, 0.114])
    assert np.abs(decode_image(encode(colours), 'm.png') - expected).max() <= 0.51


@pytest.mark.parametrize('kind', ['PNG', 'TIFF', 'JPEG'])
def test_what_exif_turns_is_turned(kind):
    # 6: the camera was turned, the picture is shown after a quarter turn clockwise; 3: upside down.
    blocks = np.kron(np.array([[0, 80, 160], [200, 120, 40]], np.uint8), np.ones((16, 16), np.uint8))
    for orientation, upright in ((6, np.rot90(blocks, -1)), (3, blocks[::-1, ::-1]), (1, blocks)):
        image = decode_image(encode(blocks, kind, exif=turned(orientation)), 'm')
        assert image.shape == upright.shape
        assert np.abs(image.astype(int) - upright).max() <= (2 if kind == 'JPEG' else 0)


@pytest.mark.parametrize('kind', ['PNG', 'TIFF'])
def test_label_maps_are_turned_alike(kind):
    label = decode_label_map(encode(LABEL, kind, exif=turned(6)), 'm')
    np.testing.assert_array_equal(label, np.rot90(LABEL, -1))


@pytest.mark.parametrize(
    'content',
    [
        encode(DEEP),
        encode(DEEP, 'TIFF'),
        encode_tiff(DEEP),
        encode_tiff(DEEP, byteorder='>'),
        encode_tiff(65535 - DEEP, photometric='miniswhite'),
    ],
)
def test_sixteen_bits_of_grey_are_put_on_the_scale_of_eight(content):
    np.testing.assert_array_equal(decode_image(content, 'm.tif'), (DEEP / 257).round())
    assert decode_image(content, 'm.tif', colour=True).shape == (4, 6, 3)


@pytest.mark.parametrize('bits', [10, 12, 14])
def test_a_camera_of_fewer_bits_than_its_file_would_come_out_nearly_black(bits):
    content = encode_tiff((DEEP // 2 ** (16 - bits)).astype(np.uint16))
    with pytest.raises(DataError, match=rf'm\.tif holds .*only 0 to {2**bits - 1} of 0 to 65535.* 8-bit'):
        decode_image(content, 'm.tif')


def deep_colour(suffix):
    return cv2.imencode(suffix, np.repeat(DEEP[..., None], 3, 2))[1].tobytes()


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        (deep_colour('.png'), 'colours of 16 bits'),
        (deep_colour('.tif'), 'colours of 16 bits'),
        (encode_tiff(np.stack([DEEP] * 3, -1), photometric='rgb'), 'colours of 16 bits'),
        (encode_tiff(GREY.astype(np.float32)), 'floating-point numbers.*ImageJ'),
        (encode_tiff(GREY.astype(np.int32)), '32 bits a pixel'),
        (encode_tiff(GREY.astype(np.int16)), '16 bits a pixel, with a sign'),
        (encode_tiff(np.stack([GREY] * 3), photometric='minisblack'), 'holds 3 pages'),
        (encode(GREY, 'GIF'), 'none of PNG, JPEG, TIFF, BMP'),
        (b'', 'none of PNG'),
        (png_of_bits(LABEL, 8, size=(2**15 + 1, 2**15)),
         r'32768 x 32769 pixels, more than 1,073,741,824'),
        (png_of_bits(LABEL, 8, size=(2**16, 2**16)),
         'more than 1,073,741,824 pixels'),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_rightly_is_refused_by_name(content, reason):
    with pytest.raises(DataError, match=rf'^sub/m\.x .*{reason}'):
        decode_image(content, 'sub/m.x')


def test_animated_png_is_refused():
    frames = [Image.fromarray(GREY), Image.fromarray(GREY[::-1])]
    with pytest.raises(DataError, match='holds 2 pages'):
        decode_image(encode(frames[0], save_all=True, append_images=frames[1:]), 'm.png')


def palette_png(label):
    picture = Image.fromarray(label)
    picture.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200, 9, 9, 9] * 64)
    return encode(picture)


@pytest.mark.parametrize(
    'content',
    [
        encode(LABEL),
        encode(LABEL, 'TIFF'),
        encode(LABEL, 'BMP'),
        palette_png(LABEL),
        encode(np.repeat(LABEL[..., None], 3, 2)),
        encode(np.dstack([LABEL, LABEL, LABEL, np.full_like(LABEL, 255)])),
        encode(np.dstack([LABEL, np.full_like(LABEL, 255)])),
        encode(LABEL.astype(np.uint16)),
        encode_tiff(LABEL.astype(np.int32)),
        png_of_bits(LABEL, 2),
        png_of_bits(LABEL, 4),
        png_of_bits(LABEL, 2, colour_type=3, palette=bytes(range(50, 62))),
    ],
)
def test_label_maps_of_every_kind_give_their_indices(content):
    label = decode_label_map(content, 'm.png')
    assert label.dtype == np.uint8
    np.testing.assert_array_equal(label, LABEL)


def test_label_maps_of_one_bit():
    np.testing.assert_array_equal(decode_label_map(encode(Image.fromarray(LABEL > 1)), 'm.png'), LABEL > 1)


def test_coloured_label_maps_are_told_what_to_do():
    colours = np.zeros((4, 6, 3), np.uint8)
    colours[:, 2:] = (255, 0, 0)
    colours[0, 5] = (0, 0, 7)
    for content in (encode(colours), encode(np.dstack([colours, np.full_like(GREY, 255)]))):
        with pytest.raises(DataError) as caught:
            decode_label_map(content, 'a/m.png')
        message = str(caught.value)
        assert message.startswith('a/m.png is a colour picture of 3 colours ((255, 0, 0), (0, 0, 0), (0, 0, 7)), ')
        assert 'Give each colour the index of its class' in message
    colours[..., 1] = GREY
    with pytest.raises(DataError, match=r'24 colours \((\(\d+, \d+, \d+\), ){5}\.\.\.\)'):
        decode_label_map(encode(colours), 'm.png')


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        (encode(LABEL, 'JPEG'), 'JPEG, which changes class indices'),
        (encode_tiff(LABEL.astype(np.float32)), 'floating-point'),
        (deep_colour('.png'), 'colours of 16 bits'),
        (encode(DEEP), r'holds the values 2849, 5699, 8548 and 20 more'),
        (encode_tiff(LABEL.astype(np.int32) - 1), 'holds the values -1;'),
        (encode_tiff(np.stack([LABEL] * 2), photometric='minisblack'), 'holds 2 pages'),
        (encode(Image.fromarray(np.repeat(LABEL[..., None], 3, 2)).convert('CMYK'), 'TIFF'), 'pixel format CMYK'),
    ],
)
def test_what_is_no_label_map_is_refused_by_name(content, reason):
    with pytest.raises(DataError, match=rf'^sub/m\.png .*{reason}'):
        decode_label_map(content, 'sub/m.png')


def test_stitched_micrographs_are_read_without_a_warning(tmp_path):
    """Pillow alone warns of 90 million pixels and refuses 180; mmseg reads its label maps with it."""
    path = tmp_path / 'wide.png'
    Image.new('1', (9500, 9500), 1).save(path)
    with warnings.catch_warnings():
        warnings.simplefilter('error', Image.DecompressionBombWarning)
        assert read_label_map(path).sum() == 9500**2
        loader = TRANSFORMS.build(dict(type='LoadAnnotations'))
        results = loader(dict(seg_map_path=str(path), seg_fields=[], reduce_zero_label=False))
    assert results['gt_seg_map'].shape == (9500, 9500)


def test_files_are_read_by_path(tmp_path):
    (tmp_path / 'm.tif').write_bytes(encode(LABEL, 'TIFF'))
    np.testing.assert_array_equal(read_image(tmp_path / 'm.tif'), LABEL)
    np.testing.assert_array_equal(read_label_map(tmp_path / 'm.tif'), LABEL)
    with pytest.raises(FileNotFoundError, match=r'n\.tif'):
        read_image(tmp_path / 'n.tif')


LOSSLESS = [('PNG', {}), ('BMP', {}), ('TIFF', {}), ('TIFF', dict(compression='tiff_lzw')), ('PNG', dict(palette=True))]


@given(PIXELS, st.sampled_from(LOSSLESS[:4]))
def test_any_image_comes_back_from_every_lossless_format(image, form):
    kind, options = form
    np.testing.assert_array_equal(decode_image(encode(image, kind, **options), 'm'), image)


@given(PIXELS)
def test_any_image_comes_back_from_jpeg_nearly(image):
    smooth = np.full((16, 16), image.flat[0])
    assert np.abs(decode_image(encode(smooth, 'JPEG', quality=95), 'm').astype(int) - smooth).max() <= 2


@given(PIXELS, st.sampled_from([*LOSSLESS, ('RGB', {}), ('deep', {})]))
def test_any_label_map_comes_back_from_every_format(label, form):
    kind, options = form
    if options.get('palette'):
        content = palette_png(label)
    elif kind == 'RGB':
        content = encode(np.repeat(label[..., None], 3, 2))
    elif kind == 'deep':
        content = encode(label.astype(np.uint16))
    else:
        content = encode(label, kind, **options)
    np.testing.assert_array_equal(decode_label_map(content, 'm'), label)


NOISE = np.random.default_rng(1).integers(0, 256, (12, 10)).astype(np.uint8)
WHOLE = [
    (decode, content)
    for decode in (decode_image, decode_label_map)
    for content in (
        encode(NOISE),
        palette_png(NOISE),
        encode(NOISE.astype(np.uint16)) if decode is decode_label_map else encode(NOISE.astype(np.uint16) * 257),
        encode(NOISE, 'TIFF'),
        encode(NOISE, 'TIFF', compression='tiff_lzw'),
        encode(NOISE, 'TIFF', compression='tiff_deflate'),
        encode(NOISE, 'BMP'),
    )
] + [(decode_image, encode(NOISE, 'JPEG')), (decode_image, encode(NOISE, 'JPEG', exif=turned(6), progressive=True))]


@pytest.mark.parametrize(('decode', 'content'), WHOLE)
def test_a_file_cut_at_any_byte_is_refused_by_name_or_whole(decode, content):
    pixels = decode(content, 'whole')
    for end in range(len(content)):
        try:
            result = decode(content[:end], 'cut/m.x')
        except DataError as error:
            assert str(error).startswith('cut/m.x ')
        else:
            np.testing.assert_array_equal(result, pixels, err_msg=f'cut at {end} of {len(content)}')


@settings(deadline=None, max_examples=60)  # a size that is changed may take a while
@given(st.sampled_from(WHOLE), st.integers(0, 10_000), st.integers(0, 255))
@example(WHOLE[0], 25, 6)
def test_a_file_with_any_byte_changed_raises_nothing_else(whole, place, value):
    decode, content = whole
    changed = bytearray(content)
    changed[place % len(content)] = value
    try:
        assert decode(bytes(changed), 'm.x').dtype == np.uint8
    except DataError as error:
        assert str(error).startswith('m.x ')


@given(st.binary(max_size=80))
def test_any_bytes_are_refused(content):
    for decode in (decode_image, decode_label_map):
        with pytest.raises(DataError, match=r'^m\.x '):
            decode(content, 'm.x')
