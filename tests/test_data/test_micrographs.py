import unicodedata

import numpy as np
import pytest
from PIL import Image

from mmseg_pfdiff.data.class_shares import format_shares
from mmseg_pfdiff.data.layout import DataError
from mmseg_pfdiff.data.micrographs import convert_micrographs, default_palette, format_notes

# Part -> its micrographs; that of val is of another size, so that parts cannot be mixed up unseen.
NAMES = dict(train=('a', 'b'), val=('c',), test=('d',))
SHAPES = dict(a=(10, 14), b=(10, 14), c=(9, 8), d=(10, 14))


def save(array, path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)


def load(path):
    return np.array(Image.open(path))


def read(path):
    """What was written: micrographs as grey, label maps with a palette."""
    picture = Image.open(path)
    assert picture.mode == ('P' if 'ann_dir' in path.parts else 'L') and path.suffix == '.png'
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
    with pytest.raises(DataError, match=match):
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
    assert len(run(source).record['tiles']) == 7, 'two by two tiles each, but for the one without a labelled pixel'
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
    assert len(run(source, parts=['train'], tiling='grid').record['tiles']) == 1, (
        'one tile fits each micrograph; that of b has no label'
    )
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
    refused(source, rf'{name}.png holds 3; class indices are 0\.\.2')
    save(np.zeros((11, 14), np.uint8), path)
    refused(source, rf'{name}.png has 14x11 pixels')
    save(np.full(SHAPES[name], 255, np.uint8), path)
    refused(source, rf'{name}.png holds no labelled pixel')
    path.unlink()
    refused(source, 'no label map')


def test_sizes_that_do_not_fit_are_refused(source):
    refused(source, r'c.tif: .*1 to 8 pixels .*leave the micrograph out, or give another --tile-size', tile_size=9)
    refused(source, r'a.tif: .*1 to 14 pixels', tile_size=0)
    refused(source, r'^Tiling must be', tiling='spiral')
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


def test_one_folder_for_micrographs_and_label_maps_is_refused(source):
    images = source / 'train/images'
    with pytest.raises(
        DataError, match='train/images is given both for the micrographs and for the label maps of train'
    ):
        convert_micrographs(dict(train=(images, images.parent / '../train/images')), source / 'out', 3, 8)


def test_parts_may_share_a_folder_of_label_maps(source):
    for part in ('val', 'test'):
        for path in (source / part / 'labels').iterdir():
            path.rename(source / 'train/labels' / path.name)
    labels = source / 'train/labels'
    parts = {part: (source / part / 'images', labels) for part in NAMES}
    assert len(convert_micrographs(parts, source / 'out', num_classes=3, tile_size=8).record['tiles']) == 7
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


def test_a_micrograph_under_another_name_in_another_part_is_refused(source):
    for folder, suffix in (('images', 'tif'), ('labels', 'png')):
        pixels = np.array(Image.open(source / f'train/{folder}/a.{suffix}'))
        save(pixels, source / f'test/{folder}/other.png')
    refused(source, r'train and test hold the same pixels, .*train/images/a.tif and .*test/images/other.png')


def test_image_and_label_map_turned_by_their_exif_agree(source):
    exif = Image.Exif()
    exif[0x0112] = 6
    image, label = load(source / 'test/images/d.tif'), load(source / 'test/labels/d.png')
    save(image, source / 'test/images/d.tif', exif=exif)
    save(label, source / 'test/labels/d.png', exif=exif)
    run(source)
    assert np.array_equal(read(source / 'out/img_dir/test/d.png'), np.rot90(image, -1))
    assert np.array_equal(read(source / 'out/ann_dir/test/d.png'), np.rot90(label, -1))


@pytest.mark.parametrize('channels', [3, 4])
def test_label_maps_of_equal_channels_are_read(source, channels):
    label = load(source / 'val/labels/c.png')
    stored = np.repeat(label[..., None], channels, 2)
    stored[..., 3:] = 255
    save(stored, source / 'val/labels/c.png')
    run(source)
    assert np.array_equal(read(source / 'out/ann_dir/val/c.png'), label)


def test_coloured_and_damaged_files_are_named(source):
    path = source / 'val/labels/c.png'
    content = path.read_bytes()
    colours = np.zeros((9, 8, 3), np.uint8)
    colours[4:, :, 0] = 255
    save(colours, path)
    refused(source, r'val/labels/c\.png is a colour picture of 2 colours \(\(255, 0, 0\), \(0, 0, 0\)\)')
    path.write_bytes(content[:-30])
    refused(source, r'val/labels/c\.png cannot be read as an image: it is damaged')
    path.write_bytes(content)
    image = source / 'train/images/b.tif'
    image.write_bytes(image.read_bytes()[:-30])
    refused(source, r'train/images/b\.tif cannot be read as an image: it is damaged')


def binary(source, parts, ones):
    for part in parts:
        for path in (source / part / 'labels').iterdir():
            save(np.where(load(path) == 1, ones, 0).astype(np.uint8), path)


def test_foreground_of_255_is_refused_with_what_it_means(source):
    binary(source, NAMES, 255)
    refused(source, 'train hold 0 and 255 alone. 255 marks pixels that are ignored.*== 255.* = 1', num_classes=2)
    binary(source, ['train', 'test'], 1)
    for path in (source / 'train/labels').iterdir():
        save((load(path) == 0).astype(np.uint8), path)
    binary(source, ['val'], 255)
    save(np.where(np.eye(9, 8) > 0, 255, 0).astype(np.uint8), source / 'val/labels/c.png')
    refused(source, 'val hold 0 and 255 alone', num_classes=2)
    record = run(source, num_classes=2, allow_absent=True).record
    assert record['micrographs']['c'] | dict(image='', label='') == dict(
        image='', label='', height=9, width=8, class_pixels=[64, 0], ignored_pixels=8
    )


def test_a_class_that_the_training_part_lacks_is_an_error_naming_it(source):
    refused(source, r'no pixel of class_3 \(3\), class_4 \(4\).*--allow-absent', num_classes=5)
    names = ['ferrite', 'pearlite', 'cementite', 'oxide']
    refused(source, r'no pixel of oxide \(3\)', num_classes=4, classes=names)
    record = run(source, num_classes=4, classes=names, allow_absent=True).record
    assert 'No pixel in train: oxide (it cannot be learnt).' in format_notes(record).splitlines()


def test_a_class_that_a_held_out_part_lacks_is_told(source):
    save(np.full((9, 8), 1, np.uint8), source / 'val/labels/c.png')
    notes = format_notes(run(source).record).splitlines()
    assert 'No pixel in val: class_0, class_2 (no score of it on val).' in notes
    assert not [note for note in notes if 'test' in note]


def test_indices_that_start_at_1_get_a_hint(source):
    for part in NAMES:
        for path in (source / part / 'labels').iterdir():
            label = load(path)
            save(np.where(label == 255, label, label + 1).astype(np.uint8), path)
    refused(source, r'a\.png holds 3; class indices are 0\.\.2.* Values seem to start at 1')
    refused(source, r'no pixel of class_0 \(0\).* The values seem to start at 1', num_classes=4)


def test_values_out_of_range_are_listed(source):
    label = load(source / 'train/labels/a.png')
    label[0, :3] = (7, 200, 3)
    save(label, source / 'train/labels/a.png')
    with pytest.raises(
        DataError, match=r'a\.png holds 3, 7, 200; class indices are 0\.\.2, 255 is ignored\. Give a larger'
    ):
        run(source)


def test_table_of_class_shares(source):
    label = np.zeros((10, 14), np.uint8)
    label[:5] = 1
    label[0] = 2
    label[9, :7] = 255
    save(label, source / 'test/labels/d.png')
    record = run(source, classes=['ferrite', 'pearlite', 'oxide']).record
    rows = {line.split()[0]: line.split()[1:] for line in format_shares(record).splitlines()[1:]}
    # 63 + 56 + 14 labelled pixels, 7 of 140 ignored.
    assert rows['test'] == ['1', '-', '47.37', '42.11', '10.53', '5.00']
    assert rows['train'][:2] == ['2', '7'] and rows['all'][:2] == ['4', '7']
    assert format_shares(record).splitlines()[0].split()[2:] == [
        'ferrite',
        '%',
        'pearlite',
        '%',
        'oxide',
        '%',
        'ignored',
        '%',
    ]
    assert sum(map(float, rows['train'][2:5])) == pytest.approx(100, abs=0.02)


def test_names_of_classes_must_be_as_many_and_different(source):
    refused(source, '3 different names of classes are needed, got a, b', classes=['a', 'b'])
    refused(source, 'got a, b, a', classes=['a', 'b', 'a'])


def test_palettes_are_of_different_colours():
    for number in (1, 4, 8, 60):
        colours = default_palette(number)
        assert len({tuple(colour) for colour in colours}) == number
        assert all(0 <= value <= 255 for colour in colours for value in colour)


@pytest.mark.parametrize('name', ['c.PNG', 'c.tif', 'c.TIFF', 'c.bmp'])
def test_label_maps_with_other_suffixes_are_found(source, name):
    label = load(source / 'val/labels/c.png')
    (source / 'val/labels/c.png').unlink()
    save(label, source / 'val/labels' / name)
    (source / 'val/images/c.tif').rename(source / 'val/images/c.TIF')
    run(source)
    assert np.array_equal(read(source / 'out/ann_dir/val/c.png'), label)


@pytest.mark.parametrize('form', ['NFC', 'NFD'])
def test_accents_stored_otherwise_are_found(source, form):
    other = 'NFD' if form == 'NFC' else 'NFC'
    label = load(source / 'val/labels/c.png')
    (source / 'val/images/c.tif').rename(source / 'val/images' / f'{unicodedata.normalize(form, "gefüge")}.tif')
    (source / 'val/labels/c.png').rename(source / 'val/labels' / f'{unicodedata.normalize(other, "gefüge")}.png')
    assert run(source).record['split']['val'] == ['gef\u00fcge']
    assert np.array_equal(read(source / 'out/ann_dir/val/gef\u00fcge.png'), label)


def test_two_files_of_one_name_in_composed_and_decomposed_form_are_refused(source):
    for form in ('NFC', 'NFD'):
        save(load(source / 'val/images/c.tif'), source / 'val/images' / f'{unicodedata.normalize(form, "ü")}.tif')
    refused(source, 'val/images holds more than one micrograph named ü')


@pytest.mark.parametrize(
    ('there', 'near'), [('c_mask.png', 'c_mask.png'), ('C.png', 'C.png'), ('c.jpg', 'c.jpg'), ('x.png', '')]
)
def test_a_label_map_of_another_name_is_named(source, there, near):
    path = source / 'val/labels/c.png'
    path.rename(path.with_name(there))
    hint = rf' The nearest name there is {near}: rename it if it is meant\.$' if near else r'png\.$'
    refused(
        source, rf'val/images/c\.tif has no label map .*val/labels/c\.png\..*{hint}' if near else f'c.png{hint[3:]}'
    )


def test_a_label_map_of_another_micrograph_is_not_proposed(source):
    (source / 'train/labels/a.png').unlink()
    refused(source, r'has no label map .*a\.png\.$')


def test_two_label_maps_for_one_micrograph_are_refused(source):
    label = load(source / 'val/labels/c.png')
    (source / 'val/labels/c.png').unlink()
    for name in ('c.tif', 'c.PNG'):
        save(label, source / 'val/labels' / name)
    refused(source, r'c\.tif has more than one label map in .*: c\.PNG, c\.tif')
    save(label, source / 'val/labels/c.png')  # the name that is asked for
    run(source)


def test_what_is_not_read_is_told(source):
    (source / 'train/images/a.gif').write_bytes(b'x')
    (source / 'train/images/more').mkdir()
    (source / 'train/images/.hidden').write_bytes(b'x')
    (source / 'train/images/Thumbs.db').write_bytes(b'x')
    save(load(source / 'val/labels/c.png'), source / 'val/labels/left.png')
    record = run(source).record
    assert record['skipped'] == [f'{source}/train/images/a.gif', f'{source}/train/images/more']
    assert record['without_image'] == [f'{source}/val/labels/left.png']
    assert 'Not used, label map without a micrograph' in format_notes(record)


@pytest.mark.parametrize(
    'names', [('', 'x', 'y'), ('a,b', 'x', 'y'), ('a=b', 'x', 'y'), ('a ', 'b', 'c'), ('ferrite', 'Ferrite', 'x')]
)
def test_names_of_classes_that_tables_and_options_cannot_take(names, tmp_path):
    with pytest.raises(DataError, match=r'Names of classes must .*got '):
        convert_micrographs({}, tmp_path / 'out', 3, 4, classes=names)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(('part', 'name', 'most'), [('train', 'a', 223), ('val', 'c', 237)])
def test_names_too_long_for_the_files_made_of_them_are_refused_before_writing(source, part, name, most):
    def rename(name, new):
        for kind, suffix in (('images', 'tif'), ('labels', 'png')):
            (source / part / kind / f'{name}.{suffix}').rename(source / part / kind / f'{new}.{suffix}')

    rename(name, 'x' * (most + 1))
    refused(source, rf'{part}/images/x+\.tif has a name of {most + 1} characters, .*: rename it\.$')
    rename('x' * (most + 1), 'x' * most)
    assert run(source).changed


@pytest.mark.parametrize('path', ['val/images/m99.png', 'val/labels/c.png'])
def test_links_that_lead_nowhere_are_named(source, path):
    (source / path).unlink(missing_ok=True)
    (source / path).symlink_to('unplugged.png')
    refused(source, rf'{path} is a link that leads nowhere')
