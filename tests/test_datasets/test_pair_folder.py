import json
import threading

import numpy as np
import pytest
from PIL import Image

from mmseg_pfdiff.datasets import PairFolder, PairRow

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
    with pytest.raises(ValueError, match='damaged row'):
        folder.rows()
    description = json.loads((tmp_path / 'pairs/pair_folder.json').read_text())
    (tmp_path / 'pairs/pair_folder.json').write_text(json.dumps({**description, 'format_version': 99}))
    with pytest.raises(ValueError, match='format version 99'):
        PairFolder(tmp_path / 'pairs')
    (tmp_path / 'pairs/pair_folder.json').write_text('{')
    with pytest.raises(ValueError, match='is damaged'):
        PairFolder(tmp_path / 'pairs')


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
