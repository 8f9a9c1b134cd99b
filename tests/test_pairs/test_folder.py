import json
import os
import resource
import shutil
import threading
from multiprocessing import get_context

import numpy as np
import pytest
from PIL import Image

from mmseg_pfdiff.data.layout import DataError
from mmseg_pfdiff.data.record import refuse_among_data
from mmseg_pfdiff.pairs.dataset import SyntheticPairDataset
from mmseg_pfdiff.pairs.folder import PairFolder
from mmseg_pfdiff.pairs.rows import PairRow

from ..releases import write_pairs

CLASSES = ['matrix', 'austenite']
PALETTE = [[0, 114, 178], [240, 228, 66]]
DESCRIPTION = dict(classes=CLASSES, palette=PALETTE, seed=3, generator=dict(steps=5), versions=dict(torch='1'))


def make_row(index, **kwargs):
    return PairRow(index, 3, 'uniform', (0.25, 0.75), (0.5, 0.5), **kwargs)


def make_pair(value=1):
    label = np.array([[0, 1], [1, 255]], np.uint8)
    return np.full((2, 2), value, np.uint8), label


def test_what_is_written_is_read(tmp_path):
    folder = PairFolder.create(tmp_path / 'pairs', DESCRIPTION)
    folder.write(make_row(12), *make_pair(77))
    folder.write(make_row(3, kept=False, reason='a comma, a "quote"'), *make_pair())
    folder = PairFolder(tmp_path / 'pairs')
    assert folder.classes == ('matrix', 'austenite')
    assert folder.rows() == [make_row(3, kept=False, reason='a comma, a "quote"'), make_row(12)]
    assert folder.missing(5) == [0, 1, 2, 4]
    image = Image.open(tmp_path / 'pairs/images/00000012.png')
    assert image.mode == 'L' and np.array(image).tolist() == [[77, 77], [77, 77]]
    label = Image.open(tmp_path / 'pairs/labels/00000012.png')
    assert label.mode == 'P' and np.array(label).tolist() == [[0, 1], [1, 255]]
    assert label.getpalette()[:6] == [0, 114, 178, 240, 228, 66]
    folder.finish()
    header = (tmp_path / 'pairs/pairs.csv').read_text().splitlines()[0]
    assert header == ('index,seed,group,target_matrix,target_austenite,measured_matrix,measured_austenite,kept,reason')


def test_no_other_files_are_written_into_it(tmp_path):
    PairFolder.create(tmp_path / 'pairs', DESCRIPTION)
    refuse_among_data(tmp_path / 'pairs')
    with pytest.raises(DataError, match=r'images/new lies in .*pairs, whose files belong together'):
        refuse_among_data(tmp_path / 'pairs/images/new')


def test_continuing_mends_what_a_kill_left(tmp_path):
    root = tmp_path / 'pairs'
    folder = PairFolder.create(root, DESCRIPTION)
    for index in range(4):
        folder.write(make_row(index), *make_pair())
    (root / 'images/00000001.png').unlink()
    (root / 'labels/.00000004.png.part').write_bytes(b'half')
    rows = (root / 'rows/0.csv').read_bytes()
    (root / 'rows/0.csv').write_bytes(rows[: rows.rindex(b'uniform')])  # the last row was cut
    assert [row.index for row in PairFolder(root).rows()] == [0, 1, 2]
    folder = PairFolder.create(root, {**DESCRIPTION, 'versions': dict(torch='2')})
    assert [row.index for row in folder.rows()] == [0, 2]
    assert folder.missing(4) == [1, 3]
    assert not list(root.rglob('.*.part'))
    folder.write(make_row(3), *make_pair())
    assert [row.index for row in folder.rows()] == [0, 2, 3]


def test_other_settings_are_refused_and_change_nothing(tmp_path):
    root = tmp_path / 'pairs'
    PairFolder.create(root, DESCRIPTION).write(make_row(0), *make_pair())
    before = {p: p.read_bytes() for p in root.rglob('*') if p.is_file()}
    with pytest.raises(FileExistsError, match=r'generator\.steps is 5 there and 6 here; seed is 3 there and 4 here'):
        PairFolder.create(root, {**DESCRIPTION, 'generator': dict(steps=6), 'seed': 4})
    assert {p: p.read_bytes() for p in root.rglob('*') if p.is_file()} == before


def test_a_folder_without_pairs_is_taken_over(tmp_path):
    PairFolder.create(tmp_path / 'pairs', DESCRIPTION)
    folder = PairFolder.create(tmp_path / 'pairs', {**DESCRIPTION, 'seed': 4})
    assert folder.description['seed'] == 4 and PairFolder(tmp_path / 'pairs').description['seed'] == 4


def test_a_description_is_not_replaced_where_files_of_pairs_lie(tmp_path):
    """A run that was killed after the files of its first pair, and before its row."""
    folder = PairFolder.create(tmp_path / 'pairs', DESCRIPTION)
    folder.write_files(0, *make_pair())
    with pytest.raises(FileExistsError, match='seed is 3 there and 4 here'):
        PairFolder.create(tmp_path / 'pairs', {**DESCRIPTION, 'seed': 4})
    assert PairFolder.create(tmp_path / 'pairs', DESCRIPTION).missing(1) == [0]
    folder.label_path(0).unlink()
    with pytest.raises(FileExistsError, match='seed is 3 there and 4 here'):
        PairFolder.create(tmp_path / 'pairs', {**DESCRIPTION, 'seed': 4})


def test_rows_of_another_seed_than_the_description_tells_are_refused_with_the_way_out(tmp_path):
    folder = PairFolder.create(tmp_path / 'pairs', DESCRIPTION)
    folder.write(make_row(0), *make_pair())
    folder.write(make_row(1)._replace(seed=8), *make_pair())
    with pytest.raises(ValueError, match=r'tells of seed 3, but holds rows of seed 8: two runs .* Remove these rows'):
        PairFolder.create(tmp_path / 'pairs', DESCRIPTION)
    rows = tmp_path / 'pairs/rows/0.csv'
    rows.write_text(''.join(line for line in rows.open() if not line.startswith('1,8,')))
    assert PairFolder.create(tmp_path / 'pairs', DESCRIPTION).missing(2) == [1]


def test_two_runs_that_mixed_their_rows_are_mended_as_the_message_says(tmp_path):
    folder = PairFolder.create(tmp_path / 'pairs', DESCRIPTION)
    for rank, group in enumerate(('uniform', 'rich')):
        folder.write(make_row(0)._replace(group=group), *make_pair(), rank=rank)
        folder.write(make_row(1 + rank), *make_pair(), rank=rank)
    with pytest.raises(ValueError, match=r'rows/0\.csv and .*rows/1\.csv both hold index 0, .*all lines of'):
        PairFolder.create(tmp_path / 'pairs', DESCRIPTION)
    for path in (tmp_path / 'pairs/rows').iterdir():
        path.write_text(''.join(line for line in path.open() if not line.startswith('0,')))
    assert PairFolder.create(tmp_path / 'pairs', DESCRIPTION).missing(3) == [0]


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / 'thesis.tex').write_text('precious')
    with pytest.raises(FileExistsError, match=r"no pair folder \(it holds 'thesis.tex'\)"):
        PairFolder.create(tmp_path, DESCRIPTION)
    assert [p.name for p in tmp_path.iterdir()] == ['thesis.tex']
    with pytest.raises(FileExistsError, match='is a file'):
        PairFolder.create(tmp_path / 'thesis.tex', DESCRIPTION)
    with pytest.raises(FileNotFoundError, match='is not a pair folder'):
        PairFolder(tmp_path)


def test_damage_is_named(tmp_path):
    folder = PairFolder.create(tmp_path / 'pairs', DESCRIPTION)
    folder.write(make_row(0), *make_pair())
    folder.finish()
    rows = tmp_path / 'pairs/pairs.csv'
    content = rows.read_text()
    rows.write_text(content + content.splitlines()[1].replace('uniform', 'rich') + '\n')
    with pytest.raises(ValueError, match='holds index 0 twice'):
        folder.rows()
    rows.write_text(content.replace('True', 'yes'))
    with pytest.raises(ValueError, match=r"pairs\.csv, line 2, column 'kept': expected True or False, got 'yes'"):
        folder.rows()
    description = json.loads((tmp_path / 'pairs/pair_folder.json').read_text())
    (tmp_path / 'pairs/pair_folder.json').write_text(json.dumps({**description, 'format_version': 99}))
    with pytest.raises(ValueError, match='format version 99'):
        PairFolder(tmp_path / 'pairs')
    (tmp_path / 'pairs/pair_folder.json').write_text('{')
    with pytest.raises(ValueError, match='is damaged'):
        PairFolder(tmp_path / 'pairs')


def test_pairs_that_do_not_fit_are_named(tmp_path):
    folder = PairFolder.create(tmp_path / 'pairs', DESCRIPTION)
    folder.write(make_row(0), *make_pair())
    Image.fromarray(np.full((2, 2), 7, np.uint8)).save(folder.label_path(0))
    with pytest.raises(ValueError, match=r'labels/00000000\.png holds class 7, the folder has 2 classes, 0 to 1'):
        folder.read(0)
    Image.fromarray(np.zeros((2, 3), np.uint8)).save(folder.label_path(0))
    sizes = r'labels/00000000\.png has 3x2 pixels, its image .*00000000\.png 2x2 .*draws the pair anew'
    with pytest.raises(ValueError, match=sizes):
        folder.read(0)
    folder.label_path(0).write_bytes(folder.label_path(0).read_bytes()[:40])
    with pytest.raises(ValueError, match=r'labels/00000000\.png cannot be read as an image'):
        folder.read(0)


def test_arrays_that_do_not_fit_are_refused_before_anything_is_written(tmp_path):
    folder = PairFolder.create(tmp_path / 'pairs', DESCRIPTION)
    image, label = make_pair()
    for bad_image, bad_label in [(image[:1], label), (image.astype(float), label), (image, label.astype(np.int64))]:
        with pytest.raises(ValueError, match=r'must be \(H, W\) uint8'):
            folder.write(make_row(0), bad_image, bad_label)
    assert folder.rows() == [] and not list((tmp_path / 'pairs/images').iterdir())


def test_each_process_has_rows_of_its_own_and_the_table_is_sorted(tmp_path):
    folder = PairFolder.create(tmp_path / 'pairs', DESCRIPTION)
    for index in (3, 0, 2, 1):
        row = make_row(index, measures={'moved': index / 8, 'seam': 1.5})
        PairFolder(tmp_path / 'pairs').write(row, *make_pair(), rank=index % 2)
    assert sorted(p.name for p in (tmp_path / 'pairs/rows').iterdir()) == ['0.csv', '1.csv']
    expected = [make_row(index, measures={'moved': index / 8, 'seam': 1.5}) for index in range(4)]
    assert folder.rows() == expected
    # Killed between the two halves of a merge: the rows stand twice.
    part = (tmp_path / 'pairs/rows/0.csv').read_bytes()
    folder.merge()
    (tmp_path / 'pairs/rows/0.csv').write_bytes(part)
    assert folder.rows() == expected
    folder.finish()
    lines = (tmp_path / 'pairs/pairs.csv').read_text().splitlines()
    assert lines[0].endswith(',kept,reason,moved,seam') and [line[0] for line in lines[1:]] == list('0123')
    assert sorted(p.name for p in (tmp_path / 'pairs').iterdir()) == [
        'images', 'labels', 'pair_folder.json', 'pairs.csv',
    ]  # fmt: skip


def test_replacing_rows_adds_measures_and_reasons(tmp_path):
    folder = PairFolder.create(tmp_path / 'pairs', DESCRIPTION)
    for index in range(2):
        folder.write(make_row(index), *make_pair())
    first, second = folder.rows()
    folder.finish()
    folder.replace_rows([second._replace(kept=False, reason='copy', measures={'copy_ratio': 0.25}), first])
    assert folder.rows() == [first, second._replace(kept=False, reason='copy', measures={'copy_ratio': 0.25})]


def test_a_reader_loses_no_row_while_another_process_merges(tmp_path):
    folder = PairFolder.create(tmp_path / 'pairs', DESCRIPTION)

    def write():
        for index in range(60):
            folder.write(make_row(index), *make_pair())
            folder.merge()

    writer = threading.Thread(target=write)
    writer.start()
    seen = [0]
    while writer.is_alive():
        seen.append(len(folder.rows()))
    writer.join()
    assert seen == sorted(seen) and len(seen) > 60 and len(folder.rows()) == 60


def test_a_replaced_label_map_stays_as_it_was_drawn(tmp_path):
    folder = PairFolder.create(tmp_path / 'pairs', DESCRIPTION)
    image, label = make_pair()
    folder.write(make_row(0), image, label)
    drawn = folder.label_path(0).read_bytes()
    for value in (255, 1):
        folder.replace_label(0, np.full((2, 2), value, np.uint8))
        assert (folder.read(0)[1] == value).all() and (folder.read(0, drawn=True)[1] == label).all()
    assert folder.drawn_path(0).read_bytes() == drawn
    folder.write(make_row(0), image, label)  # drawn anew, as its files were lost
    assert not folder.drawn_path(0).exists()


def test_half_changed_label_maps_are_not_trained_on(tmp_path):
    folder = PairFolder.create(tmp_path / 'pairs', DESCRIPTION)
    folder.write(make_row(0), *make_pair())
    with (
        folder.changing(),
        pytest.raises(ValueError, match=r'check_pairs\.py --filter ignore is changing .* run the same command again'),
    ):
        SyntheticPairDataset(str(tmp_path / 'pairs'))
    assert len(SyntheticPairDataset(str(tmp_path / 'pairs'))) == 1
    with pytest.raises(OSError), folder.changing():
        raise OSError
    with pytest.raises(ValueError, match=r'is changing the label maps'):
        SyntheticPairDataset(str(tmp_path / 'pairs'))


def append_until_full(root, found):
    """Appends rows in a process whose files may have 1000 bytes, as if the disk were full then."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    for index in range(100):
        try:
            PairFolder(root).append_row(make_row(index, reason='x' * 17))
        except OSError as error:
            found.put((index, str(error)))
            return


def test_a_row_that_finds_no_space_leaves_no_part_of_it(tmp_path):
    folder = PairFolder.create(tmp_path / 'pairs', DESCRIPTION)
    found = get_context('fork').Queue()
    process = get_context('fork').Process(target=append_until_full, args=(folder.root, found))
    process.start()
    number, message = found.get(timeout=60)
    process.join()
    path = folder.root / 'rows/0.csv'
    assert message.endswith(f"File too large: '{path}'") and path.stat().st_size < 1000
    assert path.read_bytes().endswith(b'\n') and len(folder.rows()) == number > 3
    folder.append_row(make_row(number, reason='after room was made'))
    assert [row.index for row in folder.rows()] == list(range(number + 1))


def test_a_full_disk_is_told_with_the_row_file(tmp_path):
    if not os.path.exists('/dev/full'):
        pytest.skip('no /dev/full here')
    folder = PairFolder.create(tmp_path / 'pairs', DESCRIPTION)
    (folder.root / 'rows/0.csv').symlink_to('/dev/full')
    with pytest.raises(OSError, match=r"No space left on device: '.*rows/0\.csv'"):
        folder.append_row(make_row(0))


def test_rows_of_other_measures_are_refused(tmp_path):
    folder = PairFolder.create(tmp_path / 'pairs', DESCRIPTION)
    folder.append_row(make_row(0, measures={'moved': 0.5}))
    for measures in ({}, {'moved': 0.5, 'seam': 1}, {'seam': 0.5}):
        with pytest.raises(ValueError, match='Pair 1 has the measures'):
            folder.append_row(make_row(1, measures=measures))
    assert len(folder.rows()) == 1


def test_a_moved_copied_or_linked_folder_is_the_same(tmp_path):
    folder = PairFolder.create(tmp_path / 'pairs', DESCRIPTION)
    folder.write(make_row(0), *make_pair())
    (tmp_path / 'disk').mkdir()
    (folder.root / 'images').rename(tmp_path / 'disk/images')
    (folder.root / 'images').symlink_to(tmp_path / 'disk/images')
    (tmp_path / 'disk/images/.00000009.png.part').write_bytes(b'half')
    shutil.copytree(folder.root, tmp_path / 'copy', symlinks=True)
    (tmp_path / 'link').symlink_to(folder.root.rename(tmp_path / 'moved'))
    for name in ('link', 'moved', 'copy'):
        again = PairFolder.create(tmp_path / name, DESCRIPTION)
        assert again.rows() == [make_row(0)] and again.missing(2) == [1] and again.read(0)[0].shape == (2, 2)
    assert not list((tmp_path / 'disk').rglob('*.part'))
    text = ''.join(path.read_text() for path in (tmp_path / 'moved').iterdir() if path.is_file())
    assert str(tmp_path) not in text


@pytest.mark.parametrize('name', ['images', 'labels', 'rows'])
def test_a_file_in_the_place_of_a_folder_is_named_and_nothing_is_begun(tmp_path, name):
    write_pairs(tmp_path / 'pairs', 1).finish()
    shutil.rmtree(tmp_path / 'pairs' / name, ignore_errors=True)
    (tmp_path / 'pairs' / name).write_text('')
    before = sorted(tmp_path.rglob('*'))
    with pytest.raises(FileExistsError, match=f'pairs/{name} is a file, where a folder is needed: remove it'):
        write_pairs(tmp_path / 'pairs', 2)
    assert sorted(tmp_path.rglob('*')) == before
