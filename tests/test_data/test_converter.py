"""A conversion that is stopped is marked, goes on with the same command, and is refused by all that reads data sets."""

import json
import multiprocessing
import os
import resource
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmseg_pfdiff.comparison.fingerprints import data_identity
from mmseg_pfdiff.data.fraction_scan import dataset_fractions
from mmseg_pfdiff.data.layout import DataError
from mmseg_pfdiff.data.metaldam.convert import convert_release, format_notes, format_shares
from mmseg_pfdiff.data.metaldam.dataset import MetalDAMDataset
from mmseg_pfdiff.data.micrographs import convert_micrographs
from mmseg_pfdiff.data.record import check_finished, read_record
from mmseg_pfdiff.folder_lock import FolderInUseError, locked_folder
from mmseg_pfdiff.metrics.real_tiles import held_out_tiles, micrograph_shape, tile_size_of, training_tiles

from ..running import ROOT, run_tool

SPLIT = dict(train='micrograph0', val='micrograph1', test='micrograph2')


def quiet(items, desc, **kwargs):
    return items


class Converters:
    """Both converters on the same micrographs, by name."""

    def __init__(self, release, split, folders):
        self.release, self.split, self.folders = release, split, folders

    def run(self, name, out, tile_size=16, progress=quiet):
        if name == 'metaldam':
            return convert_release(self.release, out, self.split, tile_size, progress=progress)
        return convert_micrographs(self.folders, out, 4, tile_size, progress=progress)


@pytest.fixture
def converters(three_micrographs, tmp_path):
    source, split, micrographs = three_micrographs
    folders = {}
    for part, name in SPLIT.items():
        folders[part] = (tmp_path / 'own' / part / 'images', tmp_path / 'own' / part / 'labels')
        image, label = micrographs[name]
        for folder, pixels in zip(folders[part], (image, np.array([0, 1, 2, 255, 3])[label]), strict=True):
            folder.mkdir(parents=True)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f'{name}.png')
    return Converters(source, split, folders)


def contents(root):
    files = [path for path in sorted(root.rglob('*')) if path.is_file()]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def kill_while_writing(converters, name, out, after):
    """Runs a conversion in a process that dies by SIGKILL at step `after` of writing."""

    def deadly(items, desc, **kwargs):
        for i, item in enumerate(items):
            if desc == 'writing' and i == after:
                os.kill(os.getpid(), signal.SIGKILL)
            yield item

    process = multiprocessing.get_context('fork').Process(target=converters.run, args=(name, out, 16, deadly))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


both = pytest.mark.parametrize('name', ['metaldam', 'own'])


@both
@pytest.mark.parametrize('after', [0, 1, 2])
def test_killed_and_run_again_gives_the_same_files(converters, tmp_path, name, after):
    out = tmp_path / 'out'
    kill_while_writing(converters, name, out, after)
    assert (out / 'dataset.unfinished.json').is_file() and not (out / 'dataset.json').exists()
    # What a kill inside a write leaves, and what a crash of the machine can make of a written file.
    (out / 'img_dir').mkdir(exist_ok=True)
    (out / 'img_dir/.micrograph0.png.77.part').write_bytes(b'half')
    (out / '.dataset.json.77.part').write_bytes(b'half')
    for path in out.glob('img_dir/train/*.png'):
        path.write_bytes(b'')
    assert converters.run(name, out).changed
    converters.run(name, tmp_path / 'uninterrupted')
    assert contents(out) == contents(tmp_path / 'uninterrupted')
    assert not converters.run(name, out).changed


@both
def test_an_unfinished_conversion_is_refused_by_whatever_reads_data_sets(converters, tmp_path, name):
    out = tmp_path / 'out'
    kill_while_writing(converters, name, out, 2)
    readers = [
        lambda: check_finished(out / 'tiles/img_dir/train'),
        lambda: read_record(out),
        lambda: data_identity(str(out)),
        lambda: tile_size_of(out),
        lambda: training_tiles(out, 16, 4),
        lambda: held_out_tiles(out, 'val', 16, 4, tile_size=16),
        lambda: micrograph_shape(out, 'train'),
        lambda: dataset_fractions(own_config(out)),
        *(lambda prefix=prefix: data_set(out, prefix) for prefix in ('tiles/img_dir/train', 'img_dir/test', '')),
        lambda: MetalDAMDataset(data_prefix=dict(img_path=str(out / 'img_dir/train'))),
    ]
    for reader in readers:
        with pytest.raises(DataError, match=r'out is a data set whose conversion was stopped.*Run the same command'):
            reader()
    converters.run(name, out)
    for reader in readers[:-1]:
        reader()
    assert len(data_set(out, 'tiles/img_dir/train')) == 12


def own_config(root):
    prefix = dict(img_path='tiles/img_dir/train', seg_map_path='tiles/ann_dir/train')
    return dict(
        type='BaseSegDataset', data_root=str(root), data_prefix=prefix, img_suffix='.png',
        metainfo=dict(classes=tuple('abcd')), pipeline=[],
    )  # fmt: skip


def data_set(root, prefix):
    return MetalDAMDataset(data_root=str(root), data_prefix=dict(img_path=prefix), pipeline=[])


def test_a_folder_beside_or_below_an_unfinished_conversion_is_no_part_of_it(tmp_path):
    (tmp_path / 'dataset.unfinished.json').write_text('{"identity": {}}')
    check_finished(tmp_path / 'mine/img_dir/train')
    for inside in ('', 'img_dir', 'ann_dir/test', 'tiles/img_dir/train'):
        with pytest.raises(DataError, match='was stopped'):
            check_finished(tmp_path / inside)


def test_a_layout_of_ones_own_is_taken_as_it_is(tmp_path):
    check_finished(tmp_path / 'img_dir/train')
    assert read_record(tmp_path) is None


@both
def test_another_command_for_the_same_folder_is_refused(converters, tmp_path, name):
    out = tmp_path / 'out'
    kill_while_writing(converters, name, out, 2)
    before = contents(out)
    with pytest.raises(DataError, match=r'an unfinished conversion .*: tile_size is 16 there and 20 here'):
        converters.run(name, out, 20)
    assert contents(out) == before
    converters.run(name, out)
    before = contents(out)
    with pytest.raises(DataError, match=r'a finished conversion .*: tile_size is 16 there and 20 here'):
        converters.run(name, out, 20)
    assert contents(out) == before


def test_other_sources_parts_or_classes_into_the_same_folder_are_refused(converters, tmp_path):
    out = tmp_path / 'out'
    converters.run('own', out)
    before = contents(out)
    folders = converters.folders
    with pytest.raises(DataError, match=r"classes is .* there and \['a', 'b', 'c', 'd'\] here"):
        convert_micrographs(folders, out, 4, 16, classes=list('abcd'))
    with pytest.raises(DataError, match=r'test\.micrograph2 is .* there and None here'):
        convert_micrographs({part: folders[part] for part in ('train', 'val')}, out, 4, 16)
    path = folders['val'][1] / 'micrograph1.png'
    label = np.array(Image.open(path))
    label[0, 0] = 3 - label[0, 0] if label[0, 0] < 4 else 0
    Image.fromarray(label).save(path)
    with pytest.raises(DataError, match=r'val\.micrograph1 is'):
        converters.run('own', out)
    assert contents(out) == before


@both
def test_two_processes_cannot_write_to_one_folder(converters, tmp_path, name):
    out = tmp_path / 'out'
    with locked_folder(out), pytest.raises(FolderInUseError, match='is being written by another process'):
        converters.run(name, out)
    assert not out.exists()
    converters.run(name, out)


@both
def test_files_of_other_origin_are_refused(converters, tmp_path, name):
    out = tmp_path / 'out'
    (out / 'img_dir/train').mkdir(parents=True)
    (out / 'img_dir/train/mine.png').write_bytes(b'mine')
    with pytest.raises(
        DataError, match=r'holds 1 files that this conversion did not write \(img_dir/train/mine\.png\)'
    ):
        converters.run(name, out)
    assert contents(out) == {'img_dir/train/mine.png': b'mine'}


@both
def test_the_mending_of_a_finished_conversion_is_marked_as_well(converters, tmp_path, name):
    out = tmp_path / 'out'
    converters.run(name, out)
    before = contents(out)
    (out / 'ann_dir/val/micrograph1.png').unlink()
    kill_while_writing(converters, name, out, 0)
    with pytest.raises(DataError, match='was stopped'):
        check_finished(out)
    assert converters.run(name, out).changed
    assert contents(out) == before


@both
def test_what_is_recorded(converters, tmp_path, name):
    out = tmp_path / 'out'
    record = converters.run(name, out).record
    assert record == read_record(out) == json.loads((out / 'dataset.json').read_text())
    assert {part: record['split'][part] for part in SPLIT} == {part: [one] for part, one in SPLIT.items()}
    assert (record['tile_size'], record['tiling'], record['ignore_index']) == (16, 'cover', 255)
    assert len(record['palette']) == len(record['classes']) == 4
    assert record['tiles']['micrograph0_y0024_x0040'] == dict(micrograph='micrograph0', y=24, x=40)
    assert record['files'] == {path: len(text) for path, text in contents(out).items() if path != 'dataset.json'}
    label = np.array(Image.open(out / 'ann_dir/test/micrograph2.png'))
    facts = record['micrographs']['micrograph2']
    assert facts['class_pixels'] == [(label == index).sum() for index in range(4)]
    assert facts['ignored_pixels'] == (label == 255).sum() > 0


def as_formerly(out):
    """Makes a conversion look as one from before own data had records."""
    record = json.loads((out / 'dataset.json').read_text())
    for facts in record['micrographs'].values():
        del facts['class_pixels'], facts['ignored_pixels']
    (out / 'metaldam.json').write_text(json.dumps(record))
    (out / 'dataset.json').unlink()


def test_conversions_of_former_versions_stay_valid(converters, tmp_path):
    out = tmp_path / 'out'
    converters.run('metaldam', out)
    identity = data_identity(str(out))
    as_formerly(out)
    before = contents(out)
    record, changed = converters.run('metaldam', out)
    assert not changed and contents(out) == before
    assert 'austenite' in format_shares(record) and 'precipitate is ignored' in format_notes(record)
    assert data_identity(str(out)) == identity and read_record(out) == record
    with pytest.raises(DataError, match='tile_size is 16'):
        converters.run('metaldam', out, 20)
    # What it lacks is written, with a record of today.
    (out / 'img_dir/val/micrograph1.png').unlink()
    assert converters.run('metaldam', out).changed
    assert not (out / 'metaldam.json').exists()
    converters.run('metaldam', tmp_path / 'new')
    assert contents(out) == contents(tmp_path / 'new')


def test_stopped_conversions_of_former_versions_are_refused_and_go_on(converters, tmp_path):
    out = tmp_path / 'out'
    kill_while_writing(converters, 'metaldam', out, 2)
    (out / 'dataset.unfinished.json').rename(out / 'metaldam.unfinished.json')
    with pytest.raises(DataError, match='was stopped'):
        data_set(out, 'img_dir/train')
    converters.run('metaldam', out)
    assert not (out / 'metaldam.unfinished.json').exists()
    converters.run('metaldam', tmp_path / 'new')
    assert contents(out) == contents(tmp_path / 'new')


@pytest.mark.parametrize('text', ['', '[1]', '{"files": {}}', '{"identity": 3, "files": {}}', '[' * 100_000])
def test_damaged_records_are_named(converters, tmp_path, text):
    out = tmp_path / 'out'
    out.mkdir()
    (out / 'dataset.json').write_text(text)
    for reader in (read_record, data_identity, lambda root: converters.run('own', root)):
        with pytest.raises(DataError, match=r'dataset\.json is not the record of a conversion'):
            reader(out)


@both
def test_a_write_that_fails_names_the_file_and_the_same_command_goes_on(converters, tmp_path, name):
    """A limit on the size of files stands in for a full disk."""
    out, limits = tmp_path / 'out', resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(OSError, match='too large') as caught:
            converters.run(name, out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    failed = Path(caught.value.filename)
    assert failed.suffix == '.png' and failed.is_relative_to(out) and not failed.exists()
    assert not [path for path in tmp_path.rglob('*.part') if path.is_file()]
    with pytest.raises(DataError, match='was stopped'):
        check_finished(out)
    converters.run(name, out)
    converters.run(name, tmp_path / 'new')
    assert contents(out) == contents(tmp_path / 'new')


def test_sources_that_change_meanwhile_are_noticed(converters, tmp_path):
    def meddling(items, desc, **kwargs):
        if desc == 'writing':
            Image.fromarray(np.zeros((40, 56), np.uint8)).save(converters.folders['test'][0] / 'micrograph2.png')
        return items

    with pytest.raises(DataError, match=r'micrograph2\.png .* was changed while it was converted'):
        converters.run('own', tmp_path / 'out', progress=meddling)
    with pytest.raises(DataError, match='was stopped'):
        check_finished(tmp_path / 'out')


@pytest.mark.parametrize('kind', ['MetalDAMDataset', 'BaseSegDataset'])
def test_training_and_testing_refuse_it_in_a_line_whatever_the_data_set_is(converters, tmp_path, kind):
    kill_while_writing(converters, 'own', tmp_path / 'out', 2)
    for tool, part in (('train.py', 'train'), ('test.py', 'test')):
        command = [tool, ROOT / 'configs/small/unet_r18_128x128_real.py', *(['a.pth'] if part == 'test' else [])]
        options = [f'{part}_dataloader.dataset.{key}' for key in (f'data_root={tmp_path}/out', f'type={kind}')]
        with pytest.raises(SystemExit, match=r'^error: .*out is a data set whose conversion was stopped'):
            run_tool(*command, '--work-dir', tmp_path / 'work', '--cfg-options', *options)


def test_a_place_inside_a_data_set_or_a_release_is_refused(demo_release, demo_data, tmp_path):
    split = str(demo_release / 'split')
    with pytest.raises(DataError, match=r'img_dir/new lies in .*, whose files belong together'):
        convert_release(demo_release, demo_data / 'img_dir/new', split, tile_size=64)
    for out in (demo_release, demo_release / 'images'):
        with pytest.raises(DataError, match='lies in the release'):
            convert_release(demo_release, out, split, tile_size=64)


TILE = 'tiles/img_dir/train/micrograph0_y0000_x0000.png'


@both
def test_a_folder_in_the_place_of_a_file_is_named(converters, tmp_path, name):
    out = tmp_path / 'out'
    converters.run(name, out)
    (out / TILE).unlink()
    (out / TILE).mkdir()
    before = contents(out)
    with pytest.raises(DataError, match=f'{TILE} is a folder, a file of the data set belongs there: move it away'):
        converters.run(name, out)
    assert contents(out) == before
    (out / TILE).rmdir()
    assert converters.run(name, out).changed
    kill_while_writing(converters, name, tmp_path / 'stopped', 0)
    (tmp_path / 'stopped' / TILE).mkdir(parents=True)
    with pytest.raises(DataError, match='is a folder'):
        converters.run(name, tmp_path / 'stopped')


@both
@pytest.mark.parametrize('place', ['tiles', 'img_dir/train'])
def test_what_is_no_folder_in_the_place_of_one_is_named(converters, tmp_path, name, place):
    (tmp_path / 'out' / place).parent.mkdir(parents=True)
    (tmp_path / 'out' / place).symlink_to(tmp_path / 'unplugged')
    with pytest.raises(DataError, match=f'{place} is a link that leads nowhere, a folder'):
        converters.run(name, tmp_path / 'out')
    (tmp_path / 'out' / place).unlink()
    if place == 'tiles':
        (tmp_path / 'out' / place).write_text('')
        with pytest.raises(DataError, match='tiles is a file, a folder'):
            converters.run(name, tmp_path / 'out')


@pytest.fixture
def linked(converters, tmp_path):
    """A conversion whose tiles were moved to another disk, with a link in their place."""
    out = tmp_path / 'out'
    converters.run('metaldam', out)
    (out / 'tiles/img_dir/train').rename(tmp_path / 'disk')
    (out / 'tiles/img_dir/train').symlink_to(tmp_path / 'disk')
    return out


def test_folders_behind_links_are_guarded_as_others(converters, linked, tmp_path):
    assert not converters.run('metaldam', linked).changed
    (tmp_path / 'disk/mine.png').write_bytes(b'mine')
    with pytest.raises(DataError, match=r'1 files that this conversion did not write \(tiles/img_dir/train/mine\.png'):
        converters.run('metaldam', linked)
    (tmp_path / 'disk/mine.png').unlink()
    (linked / TILE).write_bytes(b'changed')
    with pytest.raises(DataError, match=f'{TILE} was changed after the conversion: it has 7 bytes'):
        converters.run('metaldam', linked)
    (linked / TILE).unlink()
    (tmp_path / 'disk/.a.png.7.part').write_bytes(b'half')
    assert converters.run('metaldam', linked).changed
    assert not converters.run('metaldam', linked).changed and not (tmp_path / 'disk/.a.png.7.part').exists()


def test_a_link_to_a_folder_that_it_lies_in_is_named(converters, linked):
    (linked / 'tiles/img_dir/train/loop').symlink_to(linked / 'tiles')
    with pytest.raises(DataError, match='train/loop is a link to a folder that it lies in'):
        converters.run('metaldam', linked)


def test_a_file_changed_while_a_conversion_is_mended_is_noticed(converters, tmp_path):
    out = tmp_path / 'out'
    converters.run('own', out)
    (out / 'ann_dir/val/micrograph1.png').unlink()
    kill_while_writing(converters, 'own', out, 0)
    (out / TILE).write_bytes(b'changed')
    with pytest.raises(DataError, match=f'{TILE} was changed after the conversion'):
        converters.run('own', out)
