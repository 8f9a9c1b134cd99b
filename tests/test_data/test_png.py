"""PNGs written by strips, read by Pillow and OpenCV."""

import cv2
import numpy as np
import pytest
from PIL import Image

from mmseg_pfdiff.data.png import write_png


@pytest.mark.parametrize('rows', [1, 4, 11, 50])
@pytest.mark.parametrize('shape', [(11, 7), (11, 1), (1, 300)])
def test_colours_come_back(tmp_path, shape, rows):
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    write_png(tmp_path / 'a/b.png', shape, np.split(picture, range(rows, len(picture), rows)))
    assert (np.array(Image.open(tmp_path / 'a/b.png')) == picture).all()
    assert (cv2.imread(str(tmp_path / 'a/b.png'))[..., ::-1] == picture).all()


@pytest.mark.parametrize('colours', [4, 256])
def test_indices_and_palette_come_back(tmp_path, colours):
    rng = np.random.default_rng(0)
    indices, palette = rng.integers(0, colours, (30, 20), np.uint8), rng.integers(0, 256, (colours, 3)).tolist()
    write_png(tmp_path / 'a.png', (30, 20), [indices[:8], indices[8:]], palette)
    read = Image.open(tmp_path / 'a.png')
    read.load()
    assert read.mode == 'P' and (np.array(read) == indices).all()
    assert read.getpalette()[: 3 * colours] == np.ravel(palette).tolist()


def test_a_picture_that_fails_half_way_leaves_the_old_file(tmp_path):
    def strips():
        yield np.zeros((2, 5, 3), np.uint8)
        raise ValueError('broken')

    (tmp_path / 'a.png').write_text('old')
    with pytest.raises(ValueError, match='broken'):
        write_png(tmp_path / 'a.png', (4, 5), strips())
    assert [path.name for path in tmp_path.iterdir()] == ['a.png'] and (tmp_path / 'a.png').read_text() == 'old'
