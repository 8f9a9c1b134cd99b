import os
import shutil

import numpy as np
import pytest
from PIL import Image

from mmseg_pfdiff.comparison.fingerprints import data_identity, fingerprint
from mmseg_pfdiff.data.micrographs import convert_micrographs


def save(array, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array.astype(np.uint8)).save(path)


@pytest.fixture
def own(tmp_path):
    """Converts two micrographs: `own(OUT, tile_size)`."""
    rng = np.random.default_rng(0)
    for part in ('train', 'test'):
        save(rng.integers(0, 256, (32, 48)), tmp_path / f'{part}/images/{part}0.png')
        save(rng.integers(0, 3, (32, 48)), tmp_path / f'{part}/labels/{part}0.png')
    parts = {part: (tmp_path / part / 'images', tmp_path / part / 'labels') for part in ('train', 'test')}

    def convert(out, tile_size=16):
        convert_micrographs(parts, tmp_path / out, 3, tile_size)
        return str(tmp_path / out)

    return convert


def test_own_data_converted_with_other_tiles_are_other_data(own, tmp_path):
    first = data_identity(own('a'))
    assert data_identity(own('elsewhere')) == first
    shutil.move(tmp_path / 'a', tmp_path / 'moved')
    assert data_identity(str(tmp_path / 'moved')) == first
    assert data_identity(own('a', 32)) != first
    save(np.zeros((32, 48)), tmp_path / 'test/labels/test0.png')
    assert data_identity(own('corrected')) != first


def test_data_without_a_record_are_their_files(own, tmp_path):
    root = tmp_path / 'a'
    own('a')
    (root / 'dataset.json').unlink()
    first = data_identity(str(root))
    shutil.copytree(root, tmp_path / 'copy')
    for path in (tmp_path / 'copy').rglob('*.png'):
        os.utime(path, (1, 1))
    assert data_identity(str(tmp_path / 'copy')) == first
    (root / 'notes.txt').write_text('mine')
    (root / 'work_dirs/run').mkdir(parents=True)
    save(np.zeros((2, 2)), root / 'work_dirs/run/picture.png')
    assert data_identity(str(root)) == first
    label = root / 'ann_dir/test/test0.png'
    content = bytearray(label.read_bytes())
    content[-20] ^= 1  # as large as before
    label.write_bytes(content)
    changed = data_identity(str(root))
    label.rename(label.with_name('test1.png'))
    assert len({first, changed, data_identity(str(root))}) == 3


def test_another_layout_is_all_its_pictures(tmp_path):
    save(np.zeros((2, 2)), tmp_path / 'pictures/a.png')
    first = data_identity(str(tmp_path))
    save(np.zeros((2, 2)), tmp_path / 'labels/a.png')
    assert data_identity(str(tmp_path)) != first


def test_paths_do_not_count_but_what_they_stand_for():
    settings = dict(root='/a/data', sizes=(1, 2), nested=[dict(path='/a/data')])
    moved = dict(root='/b/data', sizes=[1, 2], nested=[dict(path='/b/data')])
    assert fingerprint(settings, {'/a/data': 'data set'}) == fingerprint(moved, {'/b/data': 'data set'})
    assert fingerprint(settings, {}) != fingerprint(moved, {})
