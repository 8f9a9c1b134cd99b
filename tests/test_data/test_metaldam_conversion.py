import json
import multiprocessing
import os
import signal

import numpy as np
import pytest
from PIL import Image

from mmseg_pfdiff.data.layout import DataError, tile_offsets, tile_positions
from mmseg_pfdiff.data.metaldam.convert import convert_release, format_notes, format_shares
from mmseg_pfdiff.data.metaldam.dataset import MetalDAMDataset
from mmseg_pfdiff.data.metaldam.release import MetalDAMRelease
from mmseg_pfdiff.data.metaldam.splits import read_split


def quiet(iterable, desc, **kwargs):
    return iterable


def convert(source, out, split, tile_size=16, **kwargs):
    return convert_release(source, out, split, tile_size=tile_size, progress=quiet, **kwargs)


def tree(root):
    """Path -> content and modification time of every file."""
    files = [path for path in sorted(root.rglob('*')) if path.is_file()]
    return {path.relative_to(root).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def contents(root):
    return {path: content for path, (content, _) in tree(root).items()}


def open_array(path):
    return np.array(Image.open(path))


@pytest.fixture
def out(tmp_path):
    return tmp_path / 'out'


def test_whole_micrographs(three_micrographs, out):
    source, split, micrographs = three_micrographs
    record, changed = convert(source, out, split)
    assert changed
    for part, name in (('train', 'micrograph0'), ('val', 'micrograph1'), ('test', 'micrograph2')):
        image, label = micrographs[name]
        assert [path.name for path in (out / 'img_dir' / part).iterdir()] == [f'{name}.png']
        assert Image.open(out / 'img_dir' / part / f'{name}.png').mode == 'L'
        np.testing.assert_array_equal(open_array(out / 'img_dir' / part / f'{name}.png'), image)
        written = Image.open(out / 'ann_dir' / part / f'{name}.png')
        assert written.mode == 'P'
        np.testing.assert_array_equal(np.array(written), np.array([0, 1, 2, 255, 3])[label])
        palette = np.array(written.getpalette()).reshape(-1, 3)
        np.testing.assert_array_equal(palette[:4], MetalDAMDataset.METAINFO['palette'])
        assert len(palette) == 256  # an ignored pixel has a colour too
        assert record['micrographs'][name]['release_class_pixels'] == np.bincount(label.ravel()).tolist()


@pytest.mark.parametrize(
    ('tiling', 'rows', 'columns'), [('cover', [0, 12, 24], [0, 13, 26, 40]), ('grid', [0, 16], [0, 16, 32])]
)
def test_tiles_are_cuts_of_the_training_micrographs(three_micrographs, out, tiling, rows, columns):
    source, split, micrographs = three_micrographs
    record, _ = convert(source, out, split, tiling=tiling)
    image, label = micrographs['micrograph0']
    label_map = np.array([0, 1, 2, 255, 3])[label]
    assert len(record['tiles']) == len(rows) * len(columns)
    for y in rows:
        for x in columns:
            tile = f'micrograph0_y{y:04d}_x{x:04d}'
            assert record['tiles'][tile] == dict(micrograph='micrograph0', y=y, x=x)
            written = open_array(out / 'tiles' / 'img_dir' / 'train' / f'{tile}.png')
            np.testing.assert_array_equal(written, image[y : y + 16, x : x + 16])
            written = open_array(out / 'tiles' / 'ann_dir' / 'train' / f'{tile}.png')
            np.testing.assert_array_equal(written, label_map[y : y + 16, x : x + 16])
    for kind in ('img_dir', 'ann_dir'):
        assert {path.stem for path in (out / 'tiles' / kind).rglob('*.png')} == set(record['tiles'])
        assert [path.name for path in (out / 'tiles' / kind).iterdir()] == ['train']


def test_offsets():
    assert tile_offsets(703, 256, 'cover') == [0, 223, 447]
    assert tile_offsets(1024, 256, 'cover') == [0, 256, 512, 768]
    assert tile_offsets(703, 256, 'grid') == [0, 256]
    assert tile_offsets(256, 256, 'cover') == tile_offsets(256, 256, 'grid') == [0]
    assert len(tile_positions(895, 1280, 256, 'cover')) == 4 * 5
    with pytest.raises(ValueError, match='one of cover, grid'):
        tile_offsets(10, 5, 'random')
    with pytest.raises(ValueError, match='1 to 10'):
        tile_offsets(10, 11, 'cover')


@pytest.mark.parametrize('length', range(16, 70, 3))
def test_cover_leaves_no_pixel_out_and_grid_overlaps_nowhere(length):
    seen = np.zeros(length, int)
    for offset in tile_offsets(length, 16, 'cover'):
        assert 0 <= offset <= length - 16
        seen[offset : offset + 16] += 1
    assert seen.min() == 1
    seen[:] = 0
    for offset in tile_offsets(length, 16, 'grid'):
        seen[offset : offset + 16] += 1
    assert seen.max() == 1
    assert seen.sum() == length // 16 * 16


def test_tile_with_nothing_but_precipitate_is_left_out(three_micrographs, tiny_release, out):
    _, split, micrographs = three_micrographs
    image, label = micrographs['micrograph0']
    label = label.copy()
    label[:16, 16:32] = 3
    source = tiny_release({'micrograph0': (image, label)})
    record, _ = convert(source, out, split, tiling='grid')
    assert record['dropped_tiles'] == ['micrograph0_y0000_x0016']
    assert len(record['tiles']) == 5
    assert not list((out / 'tiles').rglob('micrograph0_y0000_x0016*'))
    assert 'nothing but ignored pixels: micrograph0_y0000_x0016' in format_notes(record)


def test_record(three_micrographs, out):
    source, split, _ = three_micrographs
    record, _ = convert(source, out, split)
    assert record == json.loads((out / 'dataset.json').read_text())
    assert record['source'] == dict(
        path=str(source), sha256=MetalDAMRelease(source).checksum(), zip_sha256=None, is_release_1_0=None
    )
    assert record['split'] == dict(name=str(split), train=['micrograph0'], val=['micrograph1'], test=['micrograph2'])
    assert (record['tile_size'], record['tiling'], record['ignore_index']) == (16, 'cover', 255)
    assert record['files'] == {path: len(c) for path, c in contents(out).items() if path != 'dataset.json'}


def test_running_again_changes_nothing(three_micrographs, zip_folder, tmp_path, out):
    source, split, _ = three_micrographs
    first, _ = convert(source, out, split)
    before = tree(out)
    again, changed = convert(source, out, split)
    assert not changed
    assert again == first
    from_zip, changed = convert(zip_folder(source, tmp_path / 'release.zip', 'MetalDAM/'), out, split)
    assert not changed  # the same micrographs
    assert from_zip == first
    assert tree(out) == before


@pytest.mark.parametrize('key', ['tile_size', 'tiling', 'source_sha256', 'train'])
def test_other_arguments_into_the_same_folder_are_refused(three_micrographs, tiny_release, out, key):
    source, split, micrographs = three_micrographs
    convert(source, out, split)
    before = tree(out)
    kwargs = {}
    if key == 'train':
        (split / 'train.txt').write_text('micrograph1\n')
        (split / 'val.txt').write_text('micrograph0\n')
    elif key == 'source_sha256':
        tiny_release({'micrograph2': micrographs['micrograph0']})
    else:
        kwargs = {'tile_size': 20} if key == 'tile_size' else {'tiling': 'grid'}
    with pytest.raises(DataError, match=f'holds a finished conversion made from something else: {key} is'):
        convert(source, out, split, **kwargs)
    assert tree(out) == before


def kill_while_writing(source, out, split, after):
    """Runs a conversion in a process that dies by SIGKILL when `after` micrographs are written."""

    def deadly(iterable, desc, **kwargs):
        for i, item in enumerate(iterable):
            if desc == 'writing' and i == after:
                os.kill(os.getpid(), signal.SIGKILL)
            yield item

    def run():
        convert_release(source, out, split, tile_size=16, progress=deadly)

    process = multiprocessing.get_context('fork').Process(target=run)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


# The first micrograph gives 12 tiles besides itself, each an image and a label map.
@pytest.mark.parametrize(('after', 'files'), [(0, 0), (1, 26), (2, 28)])
def test_run_after_a_kill_finishes(three_micrographs, tmp_path, out, after, files):
    source, split, _ = three_micrographs
    kill_while_writing(source, out, split, after)
    assert not (out / 'dataset.json').exists()
    assert len(list(out.rglob('*.png'))) == files
    before = tree(out)
    # What a kill in the middle of a write leaves, and what a crash of the machine can do to a written file.
    (out / 'img_dir').mkdir(exist_ok=True)
    (out / 'img_dir' / '.micrograph0.png.part').write_bytes(b'half')
    if after:
        (out / 'img_dir' / 'train' / 'micrograph0.png').write_bytes(b'')
    record, changed = convert(source, out, split)
    assert changed
    convert(source, tmp_path / 'uninterrupted', split)
    assert contents(out) == contents(tmp_path / 'uninterrupted')
    kept = {
        path: tree(out)[path] for path in before if path in record['files'] and not path.endswith('micrograph0.png')
    }
    assert kept == {path: before[path] for path in kept}  # not written a second time


def test_other_arguments_after_a_kill_are_refused(three_micrographs, out):
    source, split, _ = three_micrographs
    kill_while_writing(source, out, split, 2)
    before = tree(out)
    with pytest.raises(DataError, match='holds an unfinished conversion made from something else: tile_size is 16'):
        convert(source, out, split, tile_size=20)
    assert tree(out) == before


def test_missing_file_is_written_again_and_only_that(three_micrographs, out):
    source, split, _ = three_micrographs
    convert(source, out, split)
    before = tree(out)
    missing = 'img_dir/val/micrograph1.png'
    (out / missing).unlink()
    _, changed = convert(source, out, split)
    after = tree(out)
    assert changed
    assert after[missing][0] == before[missing][0]
    written = {missing, 'dataset.json'}
    assert {p: after[p] for p in after if p not in written} == {p: before[p] for p in before if p not in written}


def test_edited_file_is_not_overwritten(three_micrographs, out):
    source, split, _ = three_micrographs
    convert(source, out, split)
    (out / 'ann_dir' / 'val' / 'micrograph1.png').write_bytes(b'my corrections')
    with pytest.raises(DataError, match=r'micrograph1\.png was changed after the conversion'):
        convert(source, out, split)
    assert (out / 'ann_dir' / 'val' / 'micrograph1.png').read_bytes() == b'my corrections'


@pytest.mark.parametrize('finished', [False, True])
@pytest.mark.parametrize('name', ['tiles/img_dir/train/mine.png', 'img_dir/train/deep/mine.png'])
def test_foreign_files_are_refused(three_micrographs, out, finished, name):
    source, split, _ = three_micrographs
    if finished:
        convert(source, out, split)
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).write_bytes(b'mine')
    before = tree(out)
    with pytest.raises(DataError, match=rf'holds 1 files that this conversion did not write \({name}\)'):
        convert(source, out, split)
    assert tree(out) == before


def test_files_of_the_same_name_without_a_record_are_foreign(three_micrographs, out):
    source, split, _ = three_micrographs
    convert(source, out, split)
    (out / 'dataset.json').unlink()
    with pytest.raises(DataError, match='did not write'):
        convert(source, out, split)


def test_files_beside_the_data_set_do_not_matter(three_micrographs, out):
    source, split, _ = three_micrographs
    out.mkdir()
    (out / 'notes.txt').write_text('mine')
    convert(source, out, split)
    assert (out / 'notes.txt').read_text() == 'mine'
    assert not convert(source, out, split).changed


def test_out_is_a_file_or_holds_a_strange_record(three_micrographs, out):
    source, split, _ = three_micrographs
    out.write_text('mine')
    with pytest.raises(DataError, match='is a file'):
        convert(source, out, split)
    out.unlink()
    out.mkdir()
    (out / 'dataset.json').write_text('[1]')
    with pytest.raises(DataError, match='not the record of a conversion'):
        convert(source, out, split)


def spoil(source, split, build, micrographs, what):
    """Makes the release or the split unusable."""
    image, label = micrographs['micrograph2']
    if what == 'value':
        build({'micrograph2': (image, np.where(label == 4, 9, label))})
    elif what == 'size':
        build({'micrograph2': (image, label[:, 1:])})
    elif what == 'image':
        (source / 'images' / 'micrograph2.png').write_bytes(b'no picture')
    elif what == 'no label':
        (source / 'labels' / 'micrograph2.png').unlink()
    elif what == 'split':
        (split / 'val.txt').write_text('micrograph7\nmicrograph8\n')
    elif what == 'labels folder':
        (source / 'labels').rename(source / 'masks')
    else:
        raise ValueError(what)


@pytest.mark.parametrize(
    ('what', 'message'),
    [
        ('value', r'labels/micrograph2\.png holds the label value 9'),
        ('size', r'labels/micrograph2\.png is 55x40'),
        ('image', r'images/micrograph2\.png cannot be read'),
        ('no label', r'lacks 1 of the 3 micrographs of the split .*: micrograph2 \(no label\)'),
        ('split', r'lacks 2 of the 4 micrographs of the split .*: micrograph7, micrograph8'),
        ('labels folder', 'no labels folder'),
    ],
)
def test_bad_input_stops_before_out_is_touched(three_micrographs, tiny_release, out, what, message):
    source, split, micrographs = three_micrographs
    spoil(source, split, tiny_release, micrographs, what)
    with pytest.raises(DataError, match=message):
        convert(source, out, split)
    assert not out.exists()


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(tile_size=41), r'release: micrograph0: A tile must have 1 to 40 pixels along a side of 40, got 41'),
        (dict(tile_size=0), r'micrograph0: A tile must have 1 to .*, got 0'),
        (dict(tiling='random'), 'one of cover, grid'),
    ],
)
def test_bad_arguments_stop_before_out_is_touched(three_micrographs, out, kwargs, message):
    source, split, _ = three_micrographs
    with pytest.raises(DataError, match=message):
        convert(source, out, split, **kwargs)
    assert not out.exists()


def test_named_split_needs_its_micrographs(three_micrographs, out):
    with pytest.raises(DataError, match=r'lacks 39 of the 42 micrographs of the split holdout5'):
        convert(three_micrographs[0], out, 'holdout5')


def test_micrographs_of_a_split_that_are_written_otherwise_are_named(three_micrographs, out):
    source, split, _ = three_micrographs
    (split / 'val.txt').write_text('Micrograph1.png\n')
    with pytest.raises(DataError, match=r'lacks 1 of the 3 .*: Micrograph1\.png \(there is micrograph1: write it so\)'):
        convert(source, out, split)


def test_a_class_that_training_lacks_is_an_error_here_too(three_micrographs, tiny_release, out):
    _, split, micrographs = three_micrographs
    for part in ('0', '1'):
        image, label = micrographs[f'micrograph{part}']
        source = tiny_release({f'micrograph{part}': (image, np.where(label == 4, 0, label))})
    with pytest.raises(DataError, match=r'training part has no pixel of defect \(3\)'):
        convert(source, out, split)
    assert not out.exists()
    record, _ = convert(source, out, split, allow_absent=True)
    assert 'No pixel in train: defect (it cannot be learnt).' in format_notes(record)
    assert 'No pixel in val: defect (no score of it on val).' in format_notes(record)


def test_summary(three_micrographs, tiny_release, out):
    _, split, micrographs = three_micrographs
    label = np.zeros((40, 56), int)
    label[:10] = 1
    label[10:14] = 3
    image = micrographs['micrograph0'][0]
    source = tiny_release({'micrograph1': (255 - image, label), 'extra': (image, label), 'micrograph9': (image, None)})
    tiny_release({'micrograph2': (image, label[:-1])})
    record, _ = convert(source, out, split)
    rows = {line.split()[0]: line.split()[1:] for line in format_shares(record).splitlines()[1:]}
    assert rows['val'] == ['1', '-', '65.00', '25.00', '0.00', '10.00', '0.00']
    assert rows['train'][:2] == ['1', '12']
    assert rows['all'][:2] == ['3', '12']
    assert rows['MetalDAM'][-7:] == ['42', '400', '31.86', '58.26', '8.96', '0.24', '0.68']
    notes = format_notes(record)
    assert 'Cut 1 row without label off the bottom of the image: micrograph2.' in notes
    assert 'image without label: micrograph9.' in notes
    assert 'in no part of the split: extra.' in notes


def test_demo_release(demo_release, out):
    record, _ = convert(demo_release, out, demo_release / 'split', tile_size=64)
    release = MetalDAMRelease(demo_release)
    split = read_split(demo_release / 'split')
    for part, names in split.parts.items():
        assert {path.stem for path in (out / 'img_dir' / part).iterdir()} == set(names)
        for name in names:
            np.testing.assert_array_equal(open_array(out / 'img_dir' / part / f'{name}.png'), release.read(name).image)
    assert len(record['tiles']) == len(split.train) * 2 * 3
    assert {tile['micrograph'] for tile in record['tiles'].values()} == set(split.train)
    assert record['without_label'] == ['micrograph100']


def test_a_name_too_long_for_the_tiles_is_refused_before_writing(three_micrographs, out):
    source, split, _ = three_micrographs
    for kind in ('images', 'labels'):
        (source / kind / 'micrograph0.png').rename(source / kind / f'{"x" * 230}.png')
    (split / 'train.txt').write_text(f'{"x" * 230}\n')
    with pytest.raises(DataError, match=r'release: x+ has a name of 230 characters, .*: rename it\.$'):
        convert(source, out, split)
    assert not out.exists()


@pytest.mark.metaldam
def test_real_release(metaldam_root, out):
    record, _ = convert_release(metaldam_root, out, progress=quiet)
    assert len(list((out / 'img_dir').rglob('*.png'))) == 42
    assert len(record['tiles']) == len(list((out / 'tiles' / 'ann_dir').rglob('*.png'))) == 416
    pixels = sum(np.array(facts['release_class_pixels']) for facts in record['micrographs'].values())
    np.testing.assert_allclose(100 * pixels / pixels.sum(), [34.63, 55.49, 8.96, 0.24, 0.69], atol=0.005)
    label_map = open_array(out / 'ann_dir' / 'train' / 'micrograph0.png')
    values, counts = np.unique(label_map, return_counts=True)
    assert dict(zip(values.tolist(), counts.tolist(), strict=True)) == {
        0: 189447,
        1: 416128,
        2: 23406,
        3: 89665,
        255: 1226,
    }
    before = tree(out)
    assert not convert_release(metaldam_root, out, progress=quiet).changed
    assert tree(out) == before
