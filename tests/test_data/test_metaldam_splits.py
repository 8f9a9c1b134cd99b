from collections import Counter
from itertools import combinations

import pytest

from mmseg_pfdiff.data.layout import PARTS, DataError
from mmseg_pfdiff.data.metaldam.deal import (
    OVERLAPPING,
    MicrographStatistics,
    deal,
    folds,
    holdout,
    release_statistics,
)
from mmseg_pfdiff.data.metaldam.release import MetalDAMRelease
from mmseg_pfdiff.data.metaldam.splits import read_split, split_names, write_split

ALL = {f'micrograph{i}' for i in range(42)}
FOLDS = [f'fold{k}' for k in range(5)]


def test_names():
    assert split_names() == [*FOLDS, 'holdout5']


@pytest.mark.parametrize('name', [*FOLDS, 'holdout5'])
def test_no_micrograph_stands_in_two_parts(name):
    split = read_split(name)
    for one, other in combinations(PARTS, 2):
        assert not set(split.parts[one]) & set(split.parts[other])
    assert Counter(split.micrographs) == Counter(ALL)  # all of them, each once


def test_sizes():
    assert {part: len(names) for part, names in read_split('holdout5').parts.items()} == dict(train=32, val=5, test=5)
    assert [len(read_split(name).test) for name in FOLDS] == [9, 9, 8, 8, 8]
    assert all(len(read_split(name).val) == 5 for name in FOLDS)


def test_every_micrograph_is_tested_in_one_fold():
    assert Counter(name for fold in FOLDS for name in read_split(fold).test) == Counter(ALL)


def test_unknown_split_lists_the_known():
    with pytest.raises(DataError, match=r"no split 'fold5'.*fold0, fold1, fold2, fold3, fold4, holdout5"):
        read_split('fold5')


def test_folder_of_ones_own(tmp_path):
    parts = dict(train=('b', 'a'), val=('c',), test=('d',))
    write_split(tmp_path / 'mine', parts)
    assert (tmp_path / 'mine' / 'train.txt').read_text() == 'b\na\n'
    (tmp_path / 'mine' / 'test.txt').write_text('\n  d \r\n\n')  # hand-edited
    assert read_split(tmp_path / 'mine').parts == parts


def test_files_of_windows_and_of_macos(tmp_path):
    write_split(tmp_path, dict(train=('a',), val=('b',), test=('c',)))
    (tmp_path / 'train.txt').write_bytes(b'\xef\xbb\xbfgefu\xcc\x88ge\r\nd\r\n')
    assert read_split(tmp_path).train == ('gef\u00fcge', 'd')


@pytest.mark.parametrize(
    ('file', 'text', 'reason'),
    [
        ('val.txt', 'a\n', 'a named more than once'),
        ('train.txt', 'a\na\n', 'a named more than once'),
        ('test.txt', '\n', 'no micrograph in test'),
        ('val.txt', None, 'cannot be read'),
        ('train.txt', 'a\n'.encode('utf-16'), r'train\.txt is no text in UTF-8 .*: save it as UTF-8'),
    ],
)
def test_bad_folder(tmp_path, file, text, reason):
    write_split(tmp_path, dict(train=('a',), val=('b',), test=('c',)))
    (tmp_path / file).unlink()
    if text is not None:
        (tmp_path / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=reason):
        read_split(tmp_path)


def statistics(number):
    return [
        MicrographStatistics(f'm{i}', 100 + 50 * (i % 4 == 0), 7 * i % 40, 11 * (i % 3 == 0)) for i in range(number)
    ]


def test_deal_balances():
    counted = {s.name: s.quantities for s in statistics(24)}
    parts = deal(statistics(24), dict(train=12, val=6, test=6))
    assert {part: len(names) for part, names in parts.items()} == dict(train=12, val=6, test=6)
    assert sorted(name for names in parts.values() for name in names) == sorted(counted)
    for part, share in dict(train=0.5, val=0.25, test=0.25).items():
        for quantity in range(4):
            total = sum(row[quantity] for row in counted.values())
            held = sum(counted[name][quantity] for name in parts[part])
            assert held / total == pytest.approx(share, abs=0.04)


def test_every_part_gets_of_the_rare_when_there_is_enough():
    rare = [MicrographStatistics(f'm{i}', 100, 10, 50 * (i < 3)) for i in range(9)]
    parts = deal(rare, dict(train=7, val=1, test=1))
    # A third of all defect is far more than a ninth, but none could not be scored.
    assert all({'m0', 'm1', 'm2'} & set(names) for names in parts.values())


def test_deal_does_not_depend_on_the_order_given():
    assert deal(statistics(20), dict(a=15, b=5)) == deal(statistics(20)[::-1], dict(a=15, b=5))


def test_deal_without_any_defect():
    plain = [MicrographStatistics(f'm{i}', 100, i, 0) for i in range(6)]
    assert {part: len(names) for part, names in deal(plain, dict(a=3, b=3)).items()} == dict(a=3, b=3)


@pytest.mark.parametrize('sizes', [dict(a=3, b=4), dict(a=6, b=0)])
def test_deal_refuses_sizes_that_do_not_add_up(sizes):
    with pytest.raises(ValueError, match='1 or more each of 6 micrographs in all'):
        deal(statistics(6), sizes)


@pytest.fixture(scope='module')
def real_statistics(metaldam_root):
    return release_statistics(MetalDAMRelease(metaldam_root))


@pytest.mark.metaldam
def test_stored_splits_are_what_the_rule_makes(real_statistics):
    assert read_split('holdout5').parts == holdout(real_statistics, val=5, test=5)
    assert [read_split(name).parts for name in FOLDS] == folds(real_statistics, 5, val=5)


@pytest.mark.metaldam
def test_every_part_holds_defect_and_ma(real_statistics):
    counted = {s.name: s for s in real_statistics}
    for name in (*FOLDS, 'holdout5'):
        for names in read_split(name).parts.values():
            assert sum(counted[n].defect_pixels > 0 for n in names) >= 2
            assert sum(counted[n].ma_pixels for n in names) > 0.07 * sum(counted[n].pixels for n in names)


@pytest.mark.parametrize('name', split_names())
def test_micrographs_of_one_place_stand_in_one_part(name):
    split = read_split(name)
    for a, b in OVERLAPPING:
        assert [a in part for part in (split.train, split.val, split.test)] == [
            b in part for part in (split.train, split.val, split.test)
        ]
