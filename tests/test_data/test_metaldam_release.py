import hashlib
import io
import re
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from mmseg_pfdiff.data import release_files
from mmseg_pfdiff.data.layout import DataError
from mmseg_pfdiff.data.metaldam.release import MetalDAMRelease
from mmseg_pfdiff.data.release_files import download_release
from mmseg_pfdiff.files import file_sha256
from mmseg_pfdiff.folder_lock import FolderInUseError, locked_folder

IMAGE = np.arange(20 * 30, dtype=np.uint8).reshape(20, 30)
LABEL = IMAGE % 5


@pytest.mark.parametrize('prefix', ['', 'MetalDAM/', 'a/b/'])
def test_folder_and_zip_at_any_depth_up_to_two_read_the_same(tiny_release, zip_folder, tmp_path, prefix):
    root = tiny_release({'m1': (IMAGE, LABEL), 'm2': (IMAGE[::-1], LABEL)}, tmp_path / 'source' / prefix)
    (root / '.DS_Store').write_bytes(b'x')
    (root / 'images' / '._m1.png').write_bytes(b'x')
    (root / 'images' / 'Thumbs.db').write_bytes(b'x')
    path = zip_folder(tmp_path / 'source', tmp_path / 'release.zip')
    with zipfile.ZipFile(path, 'a') as archive:
        archive.writestr('__MACOSX/images/._m1.png', b'x')
        archive.writestr('__MACOSX/labels/._m1.png', b'x')
    folder_release, zip_release = MetalDAMRelease(tmp_path / 'source'), MetalDAMRelease(path)
    for release in (folder_release, zip_release):
        assert release.names == ['m1', 'm2']
        np.testing.assert_array_equal(release.read('m2').image, IMAGE[::-1])
        np.testing.assert_array_equal(release.read('m2').label, LABEL)
    assert folder_release.checksum() == zip_release.checksum()
    assert folder_release.zip_checksum() is None
    assert zip_release.zip_checksum() == hashlib.sha256(path.read_bytes()).hexdigest()


def test_checksum_follows_contents_and_names(tiny_release):
    root = tiny_release({'m1': (IMAGE, LABEL)})
    before = MetalDAMRelease(root).checksum()
    tiny_release({'m1': (IMAGE, LABEL // 2)})
    after = MetalDAMRelease(root).checksum()
    for kind in ('images', 'labels'):
        (root / kind / 'm1.png').rename(root / kind / 'm2.png')
    assert len({before, after, MetalDAMRelease(root).checksum()}) == 3


def test_order_and_what_is_left_over(tiny_release):
    release = MetalDAMRelease(
        tiny_release({'m10': (IMAGE, LABEL), 'm9': (IMAGE, LABEL), 'm100': (IMAGE, None), 'm3': (None, LABEL)})
    )
    assert release.names == ['m9', 'm10']
    assert release.unlabelled == ['m100']
    assert release.imageless == ['m3']


def bad_sources(build, tmp_path):
    """What is no release -> what the error must say."""
    build({'m1': (IMAGE, LABEL)})
    shutil.copytree(tmp_path / 'release', tmp_path / 'deep' / 'a' / 'b' / 'c')
    shutil.copytree(tmp_path / 'release', tmp_path / 'two' / 'a')
    shutil.copytree(tmp_path / 'release', tmp_path / 'two' / 'b')
    shutil.copytree(tmp_path / 'release', tmp_path / 'no_labels')
    shutil.rmtree(tmp_path / 'no_labels' / 'labels')
    shutil.copytree(tmp_path / 'release', tmp_path / 'no_match')
    (tmp_path / 'no_match' / 'labels' / 'm1.png').rename(tmp_path / 'no_match' / 'labels' / 'other.png')
    shutil.copytree(tmp_path / 'release', tmp_path / 'twice')
    Image.fromarray(IMAGE).save(tmp_path / 'twice' / 'images' / 'm1.jpg')
    (tmp_path / 'text.zip').write_text('not a zip')
    (tmp_path / 'empty').mkdir()
    return {
        'missing.zip': 'does not exist',
        'text.zip': 'no whole zip',
        'empty': 'neither of the two',
        'deep': 'neither of the two',
        'two': 'more than one release',
        'no_labels': 'no labels folder',
        'no_match': 'none of the 1 images',
        'twice': 'name the same micrograph',
    }


def test_what_is_no_release_is_refused_by_name_and_reason(tiny_release, tmp_path):
    for name, reason in bad_sources(tiny_release, tmp_path).items():
        with pytest.raises(DataError, match=reason) as caught:
            MetalDAMRelease(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)


def test_truncated_zip(tiny_release, zip_folder, tmp_path):
    path = zip_folder(tiny_release({'m1': (IMAGE, LABEL)}), tmp_path / 'release.zip')
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match=r'release\.zip is no whole zip'):
        MetalDAMRelease(path)


def test_damaged_member(tiny_release, zip_folder, tmp_path):
    path = zip_folder(tiny_release({'m1': (IMAGE, LABEL)}), tmp_path / 'release.zip')
    content = bytearray(path.read_bytes())
    content[content.index(b'IDAT') + 6] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match=r'images/m1\.png cannot be unpacked'):
        MetalDAMRelease(path).read('m1')


@pytest.mark.parametrize(
    ('member', 'reason'),
    [
        ('../images/m2.png', 'unsafe member'),
        ('/images/m2.png', 'unsafe member'),
        ('images\\m2.png', 'by backslashes .*unpack it, and give the folder'),
    ],
)
def test_unsafe_member_is_refused(tiny_release, zip_folder, tmp_path, member, reason):
    path = zip_folder(tiny_release({'m1': (IMAGE, LABEL)}), tmp_path / 'release.zip')
    with zipfile.ZipFile(path, 'a') as archive:
        archive.writestr(member, b'x')
    with pytest.raises(DataError, match=reason):
        MetalDAMRelease(path)


def test_a_link_that_leads_nowhere_is_named(tiny_release):
    source = tiny_release({'m1': (IMAGE, LABEL)})
    (source / 'images/m1.png').unlink()
    (source / 'images/m1.png').symlink_to('unplugged.png')
    with pytest.raises(DataError, match=r'images/m1\.png is a link that leads nowhere'):
        MetalDAMRelease(source).checksum()


def test_member_that_unpacks_to_too_much(tiny_release, zip_folder, tmp_path, monkeypatch):
    path = zip_folder(tiny_release({'m1': (IMAGE, LABEL)}), tmp_path / 'release.zip')
    monkeypatch.setattr(release_files, 'MAX_FILE_BYTES', 10)
    with pytest.raises(DataError, match='unpacks to'):
        MetalDAMRelease(path).read('m1')


@pytest.mark.parametrize('rows', [1, 3])
def test_rows_without_label_are_cut_off_the_bottom(tiny_release, rows):
    image, label, cropped = MetalDAMRelease(tiny_release({'m1': (IMAGE, LABEL[:-rows])})).read('m1')
    np.testing.assert_array_equal(image, IMAGE[:-rows])
    np.testing.assert_array_equal(label, LABEL[:-rows])
    assert cropped == rows


@pytest.mark.parametrize('label', [LABEL[:, :-1], np.vstack([LABEL, LABEL[:1]]), LABEL[:10]])
def test_sizes_that_do_not_fit(tiny_release, label):
    height, width = label.shape
    with pytest.raises(DataError, match=rf'labels/m1\.png is {width}x{height} .*images/m1\.png is 30x20'):
        MetalDAMRelease(tiny_release({'m1': (IMAGE, label)})).read('m1')


def test_label_as_rgb_rgba_and_palette(tiny_release):
    rgb = np.repeat(LABEL[..., None], 3, axis=2)
    rgba = np.dstack([rgb, np.full_like(LABEL, 255)])
    root = tiny_release({'rgb': (IMAGE, rgb), 'rgba': (IMAGE, rgba), 'palette': (IMAGE, None)})
    picture = Image.fromarray(LABEL)
    picture.putpalette([7, 8, 9] * 256)
    picture.save(root / 'labels' / 'palette.png')
    release = MetalDAMRelease(root)
    for name in ('rgb', 'rgba', 'palette'):
        np.testing.assert_array_equal(release.read(name).label, LABEL)


def test_coloured_label(tiny_release):
    rgb = np.repeat(LABEL[..., None], 3, axis=2)
    rgb[4, 7] = (1, 2, 1)
    with pytest.raises(DataError, match=r'labels/m1\.png is a colour picture of 6 colours'):
        MetalDAMRelease(tiny_release({'m1': (IMAGE, rgb)})).read('m1')


@pytest.mark.parametrize('value', [5, 255])
def test_label_value_of_no_class(tiny_release, value):
    label = LABEL.copy()
    label[3, 9] = value
    with pytest.raises(DataError, match=rf'labels/m1\.png holds the label value {value} \(row 3, column 9, 1 such'):
        MetalDAMRelease(tiny_release({'m1': (IMAGE, label)})).read('m1')


@pytest.mark.parametrize(('kind', 'suffix'), [('images', 'jpg'), ('labels', 'png')])
def test_truncated_picture(tiny_release, kind, suffix):
    root = tiny_release({'m1': (None, LABEL)})
    noise = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(noise).save(root / 'images' / 'm1.jpg')
    path = root / kind / f'm1.{suffix}'
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=rf'{kind}/m1\.{suffix} cannot be read as an image'):
        MetalDAMRelease(root).read('m1')


def test_colour_and_16_bits_become_grey_of_8_bits(tiny_release):
    root = tiny_release({'rgb': (np.repeat(IMAGE[..., None], 3, axis=2), LABEL), 'deep': (None, LABEL)})
    Image.fromarray(IMAGE.astype(np.uint16) * 257).save(root / 'images' / 'deep.png')
    release = MetalDAMRelease(root)
    np.testing.assert_array_equal(release.read('rgb').image, IMAGE)
    np.testing.assert_array_equal(release.read('deep').image, IMAGE)


def test_accents_stored_in_two_ways_are_one_name(tiny_release):
    composed, decomposed = 'gef\u00fcge', 'gefu\u0308ge'
    root = tiny_release({decomposed: (IMAGE, None), composed: (None, LABEL)})
    (root / 'labels' / f'{composed}.png').rename(root / 'labels' / f'{composed}.PNG')
    release = MetalDAMRelease(root)
    assert release.names == [composed]
    np.testing.assert_array_equal(release.read(composed).label, LABEL)
    tiny_release({composed: (IMAGE, None)})
    with pytest.raises(DataError, match='name the same micrograph'):
        MetalDAMRelease(root)


def left_in(folder):
    """What a download leaves, but for its lock."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != '.lock')


@pytest.fixture
def published(tiny_release, zip_folder, tmp_path):
    """A zip as it lies on a server, its address and its checksum."""
    path = zip_folder(tiny_release({'m1': (IMAGE, LABEL)}), tmp_path / 'published.zip')
    return path, path.as_uri(), file_sha256(path)


def test_download(published, tmp_path):
    path, url, sha256 = published
    target = tmp_path / 'data' / 'release.zip'
    assert download_release(url, sha256, target) == target
    assert target.read_bytes() == path.read_bytes()
    assert left_in(target.parent) == ['release.zip']
    path.unlink()
    assert download_release(url, sha256, target) == target  # it is there: the address is not asked again


def test_download_of_something_else_leaves_nothing(published, tmp_path):
    _, url, sha256 = published
    target = tmp_path / 'data' / 'release.zip'
    with pytest.raises(DataError, match=f'SHA-256 {sha256}, expected 00'):
        download_release(url, '00', target)
    assert not left_in(target.parent)


def test_download_keeps_what_it_finds(published, tmp_path):
    _, url, sha256 = published
    target = tmp_path / 'mine.zip'
    target.write_bytes(b'mine')
    with pytest.raises(DataError, match='Move it away'):
        download_release(url, sha256, target)
    assert target.read_bytes() == b'mine'


@pytest.mark.parametrize(('url', 'reason'), [('http://host/x.zip', 'https://'), ('file:///none.zip', 'by hand')])
def test_download_that_cannot_be(tmp_path, url, reason):
    with pytest.raises(DataError, match=re.escape(reason)):
        download_release(url, '00', tmp_path / 'release.zip')
    assert not left_in(tmp_path)


def test_interrupted_download_leaves_nothing(published, tmp_path):
    _, url, sha256 = published

    class Interrupting(io.StringIO):
        """A progress bar during which the user presses Ctrl-C."""

        def __init__(self, **kwargs):
            super().__init__()

        def update(self, count):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download_release(url, sha256, tmp_path / 'data' / 'release.zip', progress=Interrupting)
    assert not left_in(tmp_path / 'data')


def test_second_download_leaves_the_first_alone(published, tmp_path):
    _, url, sha256 = published
    partial = tmp_path / '.release.zip.part'
    partial.write_bytes(b'the first half')
    with locked_folder(tmp_path / 'release.zip'), pytest.raises(FolderInUseError, match='is being written by another'):
        download_release(url, sha256, tmp_path / 'release.zip')
    assert partial.read_bytes() == b'the first half'
    download_release(url, sha256, tmp_path / 'release.zip')  # what a killed one left is replaced
    assert left_in(tmp_path) == ['published.zip', 'release', 'release.zip']


@pytest.mark.metaldam
def test_real_release(metaldam_root):
    release = MetalDAMRelease(metaldam_root)
    assert len(release.names) == 42
    assert release.unlabelled == ['micrograph100']
    assert release.read('micrograph15').label.shape == (702, 1024)
    assert release.read('micrograph15').image.shape == (702, 1024)
