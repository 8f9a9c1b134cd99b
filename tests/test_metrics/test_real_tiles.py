import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from mmseg_pfdiff.metrics.real_tiles import disguised_tiles, held_out_tiles, tile_size_of, training_tiles


@pytest.fixture
def root(tmp_path):
    """Two training micrographs of 40x56 in 32x32 tiles, one validation micrograph, all of random pixels."""
    rng = np.random.default_rng(0)
    for part, names in (('train', ['a_1', 'b']), ('val', ['c'])):
        for name in names:
            image, label = rng.integers(0, 256, (40, 56)), rng.integers(0, 4, (40, 56))
            label[:36, :32] = 255 if part == 'val' else label[:36, :32]
            cuts = {f'{name}_y{y:04d}_x{x:04d}': np.s_[y : y + 32, x : x + 32] for y in (0, 8) for x in (0, 24)}
            for kind, array in (('img_dir', image), ('ann_dir', label)):
                folders = [tmp_path / kind / part, tmp_path / 'tiles' / kind / part]
                for folder in folders if part == 'train' else folders[:1]:
                    folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(array.astype(np.uint8)).save(folders[0] / f'{name}.png')
                for cut, window in cuts.items() if part == 'train' else ():
                    Image.fromarray(array[window].astype(np.uint8)).save(folders[1] / f'{cut}.png')
    return tmp_path


def read(path):
    return np.array(Image.open(path))


def test_training_tiles_at_their_size_and_reduced(root):
    assert tile_size_of(root) == 32
    tiles = training_tiles(root, 32, 4)
    assert tiles.names[:2] == ['a_1_y0000_x0000', 'a_1_y0000_x0024'] and len(tiles.names) == 8
    assert (tiles.images[1].numpy() == read(root / 'img_dir/train/a_1.png')[:32, 24:]).all()
    assert (tiles.labels[7].numpy() == read(root / 'ann_dir/train/b.png')[8:, 24:]).all()
    small = training_tiles(root, 16, 4)
    blocks = tiles.images.numpy().reshape(8, 16, 2, 16, 2).astype(float)
    assert np.abs(small.images.numpy() - blocks.mean((2, 4))).max() <= 0.5
    votes = torch.nn.functional.one_hot(tiles.labels.long(), 4).reshape(8, 16, 2, 16, 2, 4).sum((2, 4))
    chosen = votes.gather(3, small.labels.long()[..., None])[..., 0]
    assert (chosen == votes.amax(3)).all() and small.labels.dtype == torch.uint8


def test_held_out_tiles_cover_the_micrograph_and_lack_unlabelled_windows(root):
    tiles = held_out_tiles(root, 'val', 32, 4)
    assert tiles.names == ['c_y0000_x0024', 'c_y0008_x0000', 'c_y0008_x0024']
    assert (tiles.images[2].numpy() == read(root / 'img_dir/val/c.png')[8:, 24:]).all()
    assert (tiles.labels[1].numpy() == read(root / 'ann_dir/val/c.png')[8:, :32]).all()
    assert held_out_tiles(root, 'val', 10, 4, tile_size=20).images.shape[1:] == (10, 10)


def test_disguised_tiles_show_what_their_originals_show(root):
    tiles = disguised_tiles(root, 32, 4, seed=3)
    assert len(tiles.names) == len(set(tiles.names)) > 1
    for name, image, label in zip(tiles.names, tiles.images.numpy(), tiles.labels.numpy(), strict=True):
        micrograph, _, place = name.rpartition('_y')
        whole, truth = (read(root / kind / f'train/{micrograph}.png') for kind in ('img_dir', 'ann_dir'))
        y, x = map(int, place.split('_x'))
        errors = {
            (dy, dx): np.abs(128 + 0.8 * (np.rot90(whole[y + dy : y + dy + 32, x + dx : x + dx + 32]) - 128.0) - image)
            for dy in range(-2, 3) for dx in range(-2, 3)
            if 0 <= y + dy <= 8 and 0 <= x + dx <= 24
        }  # fmt: skip
        dy, dx = min(errors, key=lambda shift: errors[shift].mean())
        assert errors[dy, dx].mean() < 4
        assert (label == np.rot90(truth[y + dy : y + dy + 32, x + dx : x + dx + 32])).all()
    assert disguised_tiles(root, 16, 4, number=2, seed=3).images.shape == (2, 16, 16)
    assert disguised_tiles(root, 32, 4, seed=3).names == tiles.names


def test_errors(root, tmp_path):
    with pytest.raises(FileNotFoundError, match='img_dir/test holds no PNG'):
        held_out_tiles(root, 'test', 32, 4)
    with pytest.raises(FileNotFoundError, match='converted data set'):
        tile_size_of(tmp_path / 'nowhere')
    with pytest.raises(ValueError, match='hold class 3, the pairs have 3 classes only'):
        training_tiles(root, 32, 3)
    with pytest.raises(ValueError, match='32 pixels a side cannot be reduced to pairs of 12'):
        training_tiles(root, 12, 4)
    Image.fromarray(np.zeros((32, 30), np.uint8)).save(root / 'tiles/img_dir/train/b_y0000_x0000.png')
    with pytest.raises(ValueError, match='both must be of one size'):
        training_tiles(root, 32, 4)
    Image.fromarray(np.zeros((32, 30), np.uint8)).save(root / 'tiles/ann_dir/train/b_y0000_x0000.png')
    with pytest.raises(ValueError, match='expected were 32 squared as of the first tile'):
        training_tiles(root, 32, 4)
    with pytest.raises(ValueError, match=r'val/c\.png is \(40, 56\): no tile of 48 squared can be cut from it'):
        held_out_tiles(root, 'val', 48, 4, tile_size=48)


def test_micrographs_as_small_as_tiles_give_no_disguised_ones(root):
    for part in ('img_dir', 'ann_dir'):
        for path in (root / 'tiles' / part / 'train').iterdir():
            shutil.copy(path, root / part / 'train' / path.name)
        for path in list((root / 'tiles' / part / 'train').iterdir()):
            path.rename(path.with_name(f'{path.stem}_y0000_x0000.png'))
    assert disguised_tiles(root, 32, 4).images.shape == (0, 32, 32)
    path = root / 'tiles/img_dir/train/a_1_y0000_x0000_y0000_x0000.png'
    path.rename(path.with_name('a.png'))
    (root / 'tiles/ann_dir/train' / path.name).rename(root / 'tiles/ann_dir/train/a.png')
    with pytest.raises(ValueError, match=r'a\.png is not named as conversions name tiles, MICROGRAPH_y0000_x0256'):
        disguised_tiles(root, 32, 4)


def test_few_tiles_at_the_border_are_tried_again(root):
    for path in list((root / 'tiles/img_dir/train').iterdir())[1:]:
        path.unlink()
    result = [len(disguised_tiles(root, 32, 4, seed=seed).names) for seed in range(20)]
    assert set(result) <= {0, 1} and sum(result) > 10
