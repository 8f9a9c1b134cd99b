import numpy as np
import pytest
from PIL import Image

from mmseg_pfdiff.datasets.own_micrographs import convert_micrographs

# Part -> its micrographs; that of val is of another size, so that parts cannot be mixed up unseen.
NAMES = dict(train=('a', 'b'), val=('c',), test=('d',))
SHAPES = dict(a=(10, 14), b=(10, 14), c=(9, 8), d=(10, 14))


def save(array, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def read(path):
    picture = Image.open(path)
    assert picture.mode == 'L' and path.suffix == '.png'
    return np.array(picture)


@pytest.fixture
def source(tmp_path):
    rng = np.random.default_rng(0)
    for part, names in NAMES.items():
        for name in names:
            label = rng.integers(0, 3, SHAPES[name]).astype(np.uint8)
            label[:8, :8] = 255 if name == 'b' else label[:8, :8]
            save(rng.integers(0, 256, SHAPES[name]).astype(np.uint8), tmp_path / f'{part}/images/{name}.tif')
            save(label, tmp_path / f'{part}/labels/{name}.png')
    return tmp_path


def run(root, parts=('train', 'val', 'test'), **kwargs):
    arguments = dict(num_classes=3, tile_size=8) | kwargs
    return convert_micrographs(
        {part: (root / part / 'images', root / part / 'labels') for part in parts}, root / 'out', **arguments
    )


def refused(root, match, **kwargs):
    with pytest.raises(ValueError, match=match):
        run(root, **kwargs)
    assert not (root / 'out').exists()


def test_whole_micrographs_keep_every_value(source):
    run(source)
    for part, names in NAMES.items():
        assert {path.stem for path in (source / 'out/img_dir' / part).iterdir()} == set(names)
        assert {path.stem for path in (source / 'out/ann_dir' / part).iterdir()} == set(names)
        for name in names:
            image = np.array(Image.open(source / part / f'images/{name}.tif'))
            label = np.array(Image.open(source / part / f'labels/{name}.png'))
            assert np.array_equal(read(source / f'out/img_dir/{part}/{name}.png'), image)
            assert np.array_equal(read(source / f'out/ann_dir/{part}/{name}.png'), label)


def test_tiles_hold_the_pixels_of_their_place_in_training_micrographs(source):
    assert run(source) == 7, 'two by two tiles each, but for the one without a labelled pixel'
    tiles = source / 'out/tiles'
    corners = [(y, x) for y in (0, 2) for x in (0, 6)]
    names = {f'{name}_y{y:04d}_x{x:04d}.png': (name, y, x) for name in 'ab' for y, x in corners}
    del names['b_y0000_x0000.png']
    for kind, original in (('img_dir', 'images/{}.tif'), ('ann_dir', 'labels/{}.png')):
        assert [path.name for path in (tiles / kind).iterdir()] == ['train']
        assert {path.name for path in (tiles / kind / 'train').iterdir()} == set(names)
        for tile, (name, y, x) in names.items():
            whole = np.array(Image.open(source / 'train' / original.format(name)))
            assert np.array_equal(read(tiles / kind / 'train' / tile), whole[y : y + 8, x : x + 8])


def test_grid_tiles_and_training_alone(source):
    assert run(source, parts=['train'], tiling='grid') == 1, 'one tile fits each micrograph; that of b has no label'
    assert [path.name for path in (source / 'out/img_dir').iterdir()] == ['train']


def test_palettes_and_colour_channels_are_read_as_indices_and_grey(source):
    image, label = np.arange(140, dtype=np.uint8).reshape(10, 14), np.ones((10, 14), np.uint8)
    picture = Image.fromarray(label)
    picture.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200])
    picture.save(source / 'test/labels/d.png')
    save(np.stack([image] * 3, -1), source / 'test/images/d.tif')
    run(source)
    assert np.array_equal(read(source / 'out/img_dir/test/d.png'), image)
    assert np.array_equal(read(source / 'out/ann_dir/test/d.png'), label)


@pytest.mark.parametrize('part, name', [('train', 'b'), ('val', 'c'), ('test', 'd')])
def test_wrong_label_maps_are_refused_in_every_part(source, part, name):
    path = source / f'{part}/labels/{name}.png'
    label = np.array(Image.open(path))
    label[-1, -1] = 3
    save(label, path)
    refused(source, rf'{name}.png holds \[3\]; class indices are 0\.\.2')
    save(np.zeros((11, 14), np.uint8), path)
    refused(source, rf'{name}.png is \(11, 14\)')
    save(np.full(SHAPES[name], 255, np.uint8), path)
    refused(source, rf'{name}.png holds no labelled pixel')
    path.unlink()
    refused(source, 'no label map')


def test_sizes_that_do_not_fit_are_refused(source):
    refused(source, r'c.tif: .*1 to 8 pixels', tile_size=9)
    refused(source, r'a.tif: .*1 to 14 pixels', tile_size=0)
    refused(source, r'a.tif: Tiling must be', tiling='spiral')
    refused(source, '1 to 255 classes', num_classes=256)


def test_a_micrograph_in_two_parts_is_refused(source):
    image, label = (np.array(Image.open(source / path)) for path in ('train/images/a.tif', 'train/labels/a.png'))
    save(image, source / 'test/images/a.png')
    save(label, source / 'test/labels/a.png')
    refused(source, r'train and test share a micrograph, .*train/images/a.tif and .*test/images/a.png')


def test_a_folder_in_two_parts_is_refused(source):
    (source / 'test/link').symlink_to(source / 'train/images')
    parts = dict(train=(source / 'train/images', source / 'train/labels'), test=(source / 'test/link', source / 'any'))
    with pytest.raises(ValueError, match='train and test share a micrograph'):
        convert_micrographs(parts, source / 'out', num_classes=3, tile_size=8)
    assert not (source / 'out').exists()


def test_parts_may_share_a_folder_of_label_maps(source):
    for part in ('val', 'test'):
        for path in (source / part / 'labels').iterdir():
            path.rename(source / 'train/labels' / path.name)
    labels = source / 'train/labels'
    parts = {part: (source / part / 'images', labels) for part in NAMES}
    assert convert_micrographs(parts, source / 'out', num_classes=3, tile_size=8) == 7
    assert np.array_equal(read(source / 'out/ann_dir/val/c.png'), np.array(Image.open(labels / 'c.png')))


def test_names_and_parts_that_do_not_fit_are_refused(source):
    refused(source, 'got val, test', parts=['val', 'test'])
    refused(source, 'got train, dev', parts=['train', 'dev'])
    save(np.zeros((10, 14), np.uint8), source / 'train/images/a.bmp')
    refused(source, 'train/images holds more than one micrograph named a')
    (source / 'val/images/c.tif').rename(source / 'val/images/.c.tif')
    refused(source, 'val/images holds no micrographs')


def test_training_without_a_tile_is_refused(source):
    save(np.array(Image.open(source / 'train/labels/b.png')), source / 'train/labels/a.png')
    refused(source, 'grid tiles of 8 pixels hold no labelled pixel', tiling='grid')


def test_a_folder_with_files_is_refused_also_after_an_interruption(source):
    def interrupted(sources, desc, **kwargs):
        for n, one in enumerate(sources):
            if desc == 'writing' and n == 1:
                raise KeyboardInterrupt
            yield one

    with pytest.raises(KeyboardInterrupt):
        run(source, progress=interrupted)
    files = sorted((source / 'out').rglob('*'))
    assert files
    with pytest.raises(FileExistsError, match='is not empty'):
        run(source)
    assert sorted((source / 'out').rglob('*')) == files


def test_a_micrograph_under_another_name_in_another_part_is_refused(source):
    for folder, suffix in (('images', 'tif'), ('labels', 'png')):
        pixels = np.array(Image.open(source / f'train/{folder}/a.{suffix}'))
        save(pixels, source / f'test/{folder}/other.png')
    refused(source, r'train and test hold the same pixels, .*train/images/a.tif and .*test/images/other.png')
