"""Checks of pairs that fail or meet another process: nothing is half done, and the same command completes it."""

import os
import shutil
import signal
import time
from contextlib import redirect_stderr
from multiprocessing import get_context

import numpy as np
import pytest
from PIL import Image

from mmseg_pfdiff.data.metaldam.dataset import MetalDAMDataset
from mmseg_pfdiff.folder_lock import locked_folder
from mmseg_pfdiff.metrics.pair_check import PairChecker
from mmseg_pfdiff.metrics.real_tiles import held_out_tiles
from mmseg_pfdiff.pairs.dataset import SyntheticPairDataset
from mmseg_pfdiff.pairs.folder import PairFolder
from mmseg_pfdiff.pairs.rows import PairRow
from mmseg_pfdiff.phases.fractions import phase_fractions

from ..running import run_tool

META = MetalDAMDataset.METAINFO
FILTERS = {
    'mark': ['--drop-copies', '--filter', 'mark'],
    'ignore': ['--drop-copies', '--filter', 'ignore'],
}


@pytest.fixture(scope='module')
def made(grey_data, tmp_path_factory):
    """Five pairs of an interrupted run, its rows not merged yet; the masks of the last two are wrong from row 32 on."""
    tiles = held_out_tiles(grey_data, 'test', 64, 4)
    folder = PairFolder.create(tmp_path_factory.mktemp('made') / 'pairs', dict(META, size=[64, 64]))
    labels = tiles.labels[:5].clone()
    labels[3:, 32:] = (labels[3:, 32:] + 1) % 3
    for n, fractions in enumerate(phase_fractions(labels, 4).tolist()):
        row = PairRow(n, 0, 'uniform', tuple(fractions), tuple(fractions))
        folder.write(row, tiles.images[n].numpy(), labels[n].numpy())
    return folder.root


@pytest.fixture
def pairs(made, tmp_path):
    shutil.copytree(made, tmp_path / 'pairs')
    return tmp_path / 'pairs'


def write_small_micrographs(root, source, training, labelled=True):
    """A data set of micrographs as large as tiles, the last one of the validation part."""
    tiles = held_out_tiles(source, 'train', 64, 4)
    for n in range(training + 1):
        part = 'train' if n < training else 'val'
        label = tiles.labels[n].numpy() if labelled or n < training else np.full((64, 64), 255, np.uint8)
        for kind, maps in (('img_dir', tiles.images[n].numpy()), ('ann_dir', label)):
            places = [root / f'{kind}/{part}/m{n}.png']
            if part == 'train':
                places.append(root / f'tiles/{kind}/train/m{n}_y0000_x0000.png')
            for place in places:
                place.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(maps).save(place)
    return root


@pytest.fixture(scope='module')
def few_tiles(grey_data, tmp_path_factory):
    """Two training tiles and a held-out one."""
    return write_small_micrographs(tmp_path_factory.mktemp('few') / 'data', grey_data, 2)


@pytest.fixture(scope='module')
def command(few_tiles, grey_segmentor):
    return ['--real-root', few_tiles, '--segmentor', *grey_segmentor, '--no-distances']


@pytest.fixture(scope='module')
def expected(made, command, tmp_path_factory):
    """What checks leave that nothing stopped."""
    result = {}
    for name, flags in FILTERS.items():
        root = tmp_path_factory.mktemp(name) / 'pairs'
        shutil.copytree(made, root)
        run_tool('check_pairs.py', root, *command, *flags)
        result[name] = contents(root)
    return result


def contents(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob('*') if path.is_file()}


REPORT = ('check.json', 'check.md')
PLACES = {
    'mark': ('check.json', 'pairs.csv'),
    'ignore': (
        'check.md', 'pairs.csv', 'label_maps_are_being_changed.txt', 'drawn/00000003.png', 'labels/00000003.png',
        'labels/00000004.png',
    ),
}  # fmt: skip


@pytest.mark.parametrize(('name', 'place'), [(name, place) for name in PLACES for place in PLACES[name]])
def test_a_check_that_stops_anywhere_is_completed_by_the_same_command(pairs, command, expected, name, place):
    """A folder in the way of a file's temporary name stops the check there, as a full disk would."""
    before = contents(pairs)
    path = pairs / place
    obstacle = path.with_name(f'.{path.name}.{os.getpid()}.part')
    obstacle.mkdir(parents=True)
    with pytest.raises(SystemExit, match='error: '):
        run_tool('check_pairs.py', pairs, *command, *FILTERS[name])
    if place in REPORT:
        after = contents(pairs)
        assert {after.pop(path.relative_to(pairs), None) for path in map(pairs.joinpath, REPORT)}
        assert after == before, 'the report comes before any change of the pairs'
    half_changed = place.startswith(('drawn', 'labels'))
    assert (pairs / 'label_maps_are_being_changed.txt').exists() == half_changed
    if half_changed:
        with pytest.raises(ValueError, match='run the same command again: it completes them'):
            SyntheticPairDataset(str(pairs))
        with pytest.raises(SystemExit, match='run the same command again: it completes them'):
            run_tool('check_pairs.py', pairs, *command)
        with pytest.raises(SystemExit, match='run the same command again: it completes them'):
            run_tool('evaluate_pairs.py', pairs, command[1], '--out', pairs.parent / 'page')
    else:
        assert len(SyntheticPairDataset(str(pairs))) == 5, 'whole rows of one kind'
    obstacle.rmdir()
    for left in (path, pairs / 'check.md', pairs / 'drawn/00000003.png'):  # as a kill leaves them
        left.parent.mkdir(exist_ok=True)
        left.with_name(f'.{left.name}.4711.part').write_bytes(b'half')
    run_tool('check_pairs.py', pairs, *command, *FILTERS[name])
    assert contents(pairs) == expected[name]
    run_tool('check_pairs.py', pairs, *command, *FILTERS[name])
    assert contents(pairs) == expected[name], 'once more changes nothing'


def run_with_log(log, *arguments):
    with open(log, 'w') as file, redirect_stderr(file):
        run_tool(*arguments)


def interrupted(log, path, *arguments):
    """What a tool says and returns that gets Ctrl-C once there is a file."""
    process = get_context('fork').Process(target=run_with_log, args=(log, *arguments))
    process.start()
    while process.is_alive() and not path.exists():
        time.sleep(0.0005)
    if process.is_alive():
        os.kill(process.pid, signal.SIGINT)
    process.join()
    return log.read_text(), process.exitcode


def test_ctrl_c_says_how_to_go_on_and_the_same_command_does(pairs, command, expected, tmp_path):
    check = ['check_pairs.py', pairs, *command, *FILTERS['ignore']]
    said, code = interrupted(tmp_path / 'log', pairs / 'label_maps_are_being_changed.txt', *check)
    message = 'Stopped. No pair is lost; the same command checks anew, and completes what was begun.'
    assert (code, message in said) in ((130, True), (0, False)), said
    run_tool(*check)
    assert contents(pairs) == expected['ignore']
    out = tmp_path / 'page'
    evaluate = ['evaluate_pairs.py', pairs, command[1], '--out', out, '--features', 'none', '--no-copies']
    said, code = interrupted(tmp_path / 'log', tmp_path / '.page.lock', *evaluate)
    assert code == 130 and 'Stopped. The pairs stay as they are; the same command evaluates anew.' in said
    assert contents(pairs) == expected['ignore'] and not out.exists()


def test_who_comes_second_is_told_who_writes(pairs, command, tmp_path):
    before = contents(pairs)
    with locked_folder(pairs), pytest.raises(SystemExit, match=r'pairs is being written by another process'):
        run_tool('check_pairs.py', pairs, *command)
    with locked_folder(tmp_path / 'report'), pytest.raises(SystemExit, match=r'report is being written by another'):
        run_tool('check_pairs.py', pairs, *command, '--out', tmp_path / 'report')
    with locked_folder(tmp_path / 'page'), pytest.raises(SystemExit, match=r'page is being written by another process'):
        run_tool('evaluate_pairs.py', pairs, command[1], '--out', tmp_path / 'page', '--features', 'none')
    assert contents(pairs) == before
    run_tool('check_pairs.py', pairs, *command, '--out', tmp_path / 'report')
    with pytest.raises(SystemExit, match='nowhere is not a pair folder'):
        run_tool('check_pairs.py', tmp_path / 'not/nowhere', *command)
    assert not (tmp_path / 'not').exists(), 'no lock beside a wrong path'


def test_pairs_that_change_while_they_are_looked_at_are_not_reported_on(pairs, few_tiles):
    folder = PairFolder(pairs)
    checker = PairChecker(folder, few_tiles, progress=lambda items, **_: items)
    row = folder.rows()[0]
    folder.write(row._replace(index=7), *folder.read(0))
    checker.refuse_changed_pairs()  # a new one does not matter
    folder.merge()
    checker.refuse_changed_pairs()
    folder.replace_rows([row._replace(kept=False, reason='x'), *folder.rows()[1:]])
    with pytest.raises(ValueError, match=r'1 pairs were changed while they were looked at, first index 0\. Run again'):
        checker.refuse_changed_pairs()
    folder.replace_rows(folder.rows()[1:])
    with pytest.raises(ValueError, match=r'1 pairs were changed'):
        checker.refuse_changed_pairs()


def test_micrographs_as_large_as_tiles_leave_the_self_test_out(pairs, command):
    run_tool('check_pairs.py', pairs, *command, '--filter', 'ignore')
    text = (pairs / 'check.md').read_text()
    assert '| disguised training tiles (none: this self-test needs larger micrographs) | image | 0 | - | - |' in text
    assert '| pairs | mask | 5 |' in text
    assert [row.measures['disagreeing'] > 0 for row in PairFolder(pairs).rows()] == [False] * 3 + [True] * 2


def test_one_training_tile_is_too_few_for_copies_and_said_before_anything_is_changed(grey_data, pairs, tmp_path):
    root, before = write_small_micrographs(tmp_path / 'data', grey_data, 1), contents(pairs)
    for tool in (
        ['check_pairs.py', pairs, '--real-root', root],
        ['evaluate_pairs.py', pairs, root, '--out', root / 'page'],
    ):
        with pytest.raises(SystemExit, match=r'apart from each of the 1 training tiles.* \(--no-copies\)'):
            run_tool(*tool)
    assert contents(pairs) == before
    run_tool('check_pairs.py', pairs, '--real-root', root, '--no-copies')
    assert '| pairs with training tiles' not in (pairs / 'check.md').read_text()


def test_held_out_micrographs_without_a_label_are_told(grey_data, pairs, tmp_path):
    root, before = write_small_micrographs(tmp_path / 'data', grey_data, 2, labelled=False), contents(pairs)
    with pytest.raises(SystemExit, match=r'The part "val" of .*data holds no labelled pixel'):
        run_tool('check_pairs.py', pairs, '--real-root', root)
    assert contents(pairs) == before


def test_one_pair_and_none_kept(few_tiles, pairs, tmp_path):
    root, folder = few_tiles, PairFolder(pairs)
    item = PairFolder.create(tmp_path / 'one', dict(META, size=[64, 64]))
    item.write(folder.rows()[0], *folder.read(0))
    run_tool('evaluate_pairs.py', item.root, root, '--out', tmp_path / 'page', '--embedding', 'pca')
    assert 'Too few tiles or pairs for this table' in (tmp_path / 'page/index.html').read_text()
    item.merge()
    item.replace_rows([item.rows()[0]._replace(kept=False, reason='moved')])
    run_tool('check_pairs.py', item.root, '--real-root', root)
    assert '0 of 1 pairs are kept for training.' in (item.root / 'check.md').read_text()
    with pytest.raises(SystemExit, match='None of the 1 pairs'):
        run_tool('evaluate_pairs.py', item.root, root, '--out', tmp_path / 'page')
