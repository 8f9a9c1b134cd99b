"""Label maps that do not fit are named before a training begins."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmseg_pfdiff.data.images import image_size
from mmseg_pfdiff.data.label_scan import check_label_maps
from mmseg_pfdiff.data.layout import DataError

from ..releases import write_pairs
from ..running import ROOT, run_tool


@pytest.fixture(params=['real', 'synthetic'])
def case(request):
    """Config of a data set of 8x8 tiles, an image of it, its label map, and how many there are."""
    config = request.getfixturevalue(request.param)
    images, labels, number = dict(real=('img', 'ann', 3), synthetic=('images', 'labels', 7))[request.param]
    image = sorted(Path(config['data_root'], images).iterdir())[1]
    return config, image, Path(config['data_root'], labels, image.name), number


def write(array, path):
    Image.fromarray(np.asarray(array, np.uint8)).save(path)


@pytest.mark.parametrize('loading', ['LoadAnnotations', 'LoadLabelMap'])
def test_what_does_not_fit_is_named(case, loading):
    config, image, label, number = case
    config = {**config, 'pipeline': [dict(type='LoadImageFromFile'), dict(type=loading)]}
    wrapped = [dict(type='RepeatDataset', times=2, dataset=config), None]
    assert check_label_maps(wrapped).number == check_label_maps([*wrapped, config]).number == number
    for array, message in (
        (
            np.full((8, 8), 4),
            rf'1 of {number} label maps .*{label} holds the values 4, the 4 classes are 0\.\.3 and 255',
        ),
        (np.arange(64).reshape(8, 8), f'{label} holds the values 4, 5, 6, 7, 8, 9, 10, 11 and 52 more'),
        (np.zeros((8, 6)), f'{label} has 6x8 pixels, its image {image} 8x8'),
        (np.arange(192).reshape(8, 8, 3), f'{label} '),
    ):
        write(array, label)
        with pytest.raises(DataError, match=message):
            check_label_maps(wrapped)
    label.write_bytes(label.read_bytes()[:-30])
    with pytest.raises(DataError, match=f'{label} cannot be read'):
        check_label_maps(wrapped)
    write(np.full((8, 8), 255), label)
    assert check_label_maps(wrapped).number == number
    write(np.zeros((5, 8)), image)
    with pytest.raises(DataError, match=f'{label} has 8x8 pixels, its image {image} 8x5'):
        check_label_maps(wrapped)


def test_a_missing_label_map_and_a_folder_in_its_place(real):
    label = Path(real['data_root'], 'ann/1.png')
    label.unlink()
    for _ in range(2):
        with pytest.raises(DataError, match=f'1 of 3 label maps cannot be used: the label map {label} is missing'):
            check_label_maps([real])
        label.mkdir(exist_ok=True)


def test_swapped_folders_are_told_and_many_are_listed_short(tmp_path):
    root = tmp_path / 'pairs'
    write_pairs(root, 9)
    for name, other in (('images', 'x'), ('labels', 'images'), ('x', 'labels')):
        (root / name).rename(root / other)
    config = dict(type='SyntheticPairDataset', data_root=str(root), pipeline=[dict(type='LoadLabelMap')])
    with pytest.raises(DataError, match=r'9 of 9 .*00000000\.png holds the values 100.* and 6 more'):
        check_label_maps([config])


def test_too_many_are_not_read(real, capsys):
    (Path(real['data_root'], 'ann/1.png')).unlink()
    assert check_label_maps([real], most=2) == (0, {})
    assert 'The 3 label maps are not read beforehand, as they are more than 2.' in capsys.readouterr().out


def test_sizes_by_the_heads_of_files(tmp_path):
    picture, exif = Image.new('L', (5, 3)), Image.Exif()
    exif[274] = 6
    picture.save(tmp_path / 'a.png')
    picture.save(tmp_path / 'b.jpg', exif=exif)
    (tmp_path / 'c.png').write_bytes(b'text')
    assert [image_size(tmp_path / name) for name in ('a.png', 'b.jpg', 'c.png')] == [(3, 5), (5, 3), None]


@pytest.mark.parametrize('part', ['train', 'val'])
def test_the_tool_says_it_before_it_writes_anything(real, tmp_path, part):
    label = tmp_path / 'ann/2.png'
    good = {**real, 'indices': 2}
    write(np.full((8, 8), 9), label)
    config = Config.fromfile(ROOT / 'configs/small/unet_r18_128x128_real.py')
    for name in ('train', 'val'):
        config[f'{name}_dataloader'].dataset = real if name == part else good
    config.dump(tmp_path / 'config.py')
    with pytest.raises(SystemExit, match=f'error: 1 of 3 label maps cannot be used: {label} holds the values 9'):
        run_tool('train.py', tmp_path / 'config.py', '--work-dir', tmp_path / 'work')
    assert not (tmp_path / 'work').exists()
