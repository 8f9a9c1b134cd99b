import numpy as np
import pytest
from PIL import Image

from mmseg_pfdiff.datasets.tile_folder import tile_folder


@pytest.fixture
def source(tmp_path):
    for name in ('images', 'labels'):
        (tmp_path / name).mkdir()
    rng = np.random.default_rng(0)
    for name in ('a', 'b'):
        label = rng.integers(0, 3, (10, 14)).astype(np.uint8)
        label[:8, :8] = 255 if name == 'b' else label[:8, :8]
        Image.fromarray(label * 50).save(tmp_path / f'images/{name}.tif')
        Image.fromarray(label).save(tmp_path / f'labels/{name}.png')
    return tmp_path


def run(root, **kwargs):
    arguments = dict(num_classes=3, tile_size=8) | kwargs
    return tile_folder(root / 'images', root / 'labels', root / 'out', **arguments)


def test_tiles_hold_the_pixels_of_their_place(source):
    assert run(source) == 7, 'two by two tiles each, but for the one without a labelled pixel'
    tile = np.array(Image.open(source / 'out/ann_dir/a_y0002_x0006.png'))
    whole = np.array(Image.open(source / 'labels/a.png'))
    assert (tile == whole[2:10, 6:14]).all()
    assert (np.array(Image.open(source / 'out/img_dir/a_y0002_x0006.png')) == tile * 50).all()
    assert not (source / 'out/img_dir/b_y0000_x0000.png').exists()


def test_errors_come_before_anything_is_written(source):
    with pytest.raises(ValueError, match=r'b.png holds \[2\]; class indices are 0\.\.1'):
        (source / 'labels/a.png').write_bytes((source / 'labels/a.png').read_bytes())
        Image.fromarray(np.zeros((10, 14), np.uint8)).save(source / 'labels/a.png')
        run(source, num_classes=2)
    with pytest.raises(ValueError, match='1 to 10 pixels'):
        run(source, tile_size=12)
    Image.fromarray(np.zeros((9, 14), np.uint8)).save(source / 'labels/b.png')
    with pytest.raises(ValueError, match=r'b.png is \(9, 14\)'):
        run(source)
    (source / 'labels/b.png').unlink()
    with pytest.raises(ValueError, match='no label map'):
        run(source)
    assert not (source / 'out').exists()


def test_a_folder_with_tiles_is_refused(source):
    run(source)
    with pytest.raises(FileExistsError, match='is not empty'):
        run(source)
