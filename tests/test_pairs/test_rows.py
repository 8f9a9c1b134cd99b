"""Rows of pairs as they are written, as spreadsheets save them, and as damage leaves them."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmseg_pfdiff.csv_files import MAX_CELL
from mmseg_pfdiff.pairs.rows import PairRow, RowTable, measure_names, sorted_once

MEASURES = ('moved', '@sum', 'plain_matrix')
CLASSES = ('matrix', '=1+2;"x"\n')
TABLE = RowTable(CLASSES)
TEXT = st.text(st.characters(exclude_categories=['Cs']), max_size=12)
SHARE = st.floats(0, 1).map(lambda value: round(value, 9))
NUMBER = st.floats().map(lambda value: float(f'{value:.6g}'))
ROW = st.builds(
    PairRow,
    index=st.integers(0, 10**9),
    seed=st.integers(0, 2**64),
    group=TEXT,
    target=st.one_of(st.tuples(SHARE, SHARE), st.just((math.nan, math.nan))),
    measured=st.tuples(SHARE, SHARE),
    kept=st.booleans(),
    reason=TEXT,
    measures=st.dictionaries(st.sampled_from(MEASURES), NUMBER).map(
        lambda found: {name: found[name] for name in MEASURES if name in found}
    ),
)


def make_rows():
    return [
        PairRow(3, 7, 'uniform', (0.25, 0.75), (0.5, 0.5), measures={'moved': 0.012345}),
        PairRow(12, 7, "'rich'", (math.nan, math.nan), (1.0, 0.0), False, 'a comma, a "quote"\n', {'moved': 12.5}),
    ]


def written(rows):
    measures = sorted(measure_names(rows), key=[*MEASURES, *measure_names(rows)].index)
    return TABLE.header(measures) + TABLE.format(rows, measures)


def read(tmp_path, content, growing=False):
    path = tmp_path / 'pairs.csv'
    path.write_bytes(content)
    return TABLE.read(path, growing=growing)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('rows')


@given(rows=st.lists(ROW, max_size=5), growing=st.booleans())
@settings(deadline=None)
def test_any_rows_survive_writing_and_reading(folder, rows, growing):
    assert repr(read(folder, written(rows), growing)) == repr(rows)


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_damaged_bytes_are_an_error_or_give_rows_that_could_have_been_written(folder, data):
    content = bytearray(written(make_rows()))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content)))
        content[start : start + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    try:
        rows = read(folder, bytes(content), data.draw(st.booleans()))
    except ValueError as error:
        assert str(error).startswith(f'{folder / "pairs.csv"}, line ')
    else:
        again = read(folder, written(rows))
        assert [(*row[:3], *row[5:7]) for row in again] == [(*row[:3], *row[5:7]) for row in rows]
        assert all(0 <= value <= 1 for row in rows for value in row.measured)


def test_of_a_row_file_cut_anywhere_the_whole_rows_are_read(folder):
    rows = make_rows()
    content = written(rows)
    ends = [len(written(rows[:1])), len(content)]
    for length in range(len(content) + 1):
        expected = [row for row, end in zip(rows, ends, strict=True) if end <= length]
        assert repr(read(folder, content[:length], growing=True)) == repr(expected), content[:length]


def test_the_last_row_of_a_table_counts_without_a_line_end(folder):
    rows = make_rows()
    content = written(rows)
    assert repr(read(folder, content.removesuffix(b'\n'))) == repr(rows)
    with pytest.raises(ValueError, match=r"line 5, column 'reason': the line ends before it, after 8 cells of 10"):
        read(folder, content[: content.rindex(b',"a comma')])


def test_a_table_saved_by_a_german_spreadsheet_is_read(folder):
    table = RowTable(['matrix', 'austenite'])
    path = folder / 'german.csv'
    path.write_bytes(
        '\ufeffindex;seed;group;target_matrix;target_austenite;measured_matrix;measured_austenite;kept;reason;moved\r\n'
        '3;7;uniform;0,25;0,75;0,5;0,5;WAHR;;1,23E-05\r\n'
        '12;7;"a;b";nan;nan;1;0;FALSCH;zu viel;\r\n;;;;;;;;;\r\n'.encode()
    )
    assert repr(table.read(path)) == repr([
        PairRow(3, 7, 'uniform', (0.25, 0.75), (0.5, 0.5), measures={'moved': 1.23e-5}),
        PairRow(12, 7, 'a;b', (math.nan, math.nan), (1.0, 0.0), False, 'zu viel'),
    ])  # fmt: skip


@pytest.mark.parametrize('word', ['True', 'TRUE', 'true', ' true ', '1', 'VRAI', 'WAHR'])
def test_truth_is_read_as_spreadsheets_write_it(folder, word):
    content = written(make_rows()[:1])
    assert read(folder, content.replace(b'True', word.encode()))[0].kept is True


@pytest.mark.parametrize(
    ('old', 'new', 'told'),
    [
        ('0.500000000,0.5', 'inf,0.5', r"column 'measured_matrix': expected a number from 0 to 1, got 'inf'"),
        ('0.500000000,0.5', 'nan,0.5', r"column 'measured_matrix': expected a number from 0 to 1, got 'nan'"),
        ('0.500000000,0.5', '1.5,0.5', r"column 'measured_matrix': expected a number from 0 to 1, got '1\.5'"),
        ('0.250000000', '-0.25', r"column 'target_matrix': expected a number from 0 to 1, got '-0\.25'"),
        ('0.250000000', '"0,25"', r"column 'target_matrix': expected a number from 0 to 1, got '0,25'"),
        ('True', 'yes', r"column 'kept': expected True or False, got 'yes'"),
        ('3,7,', '-3,7,', r"column 'index': expected a whole number >= 0, got '-3'"),
        ('3,7,', '3,7.5,', r"column 'seed': expected a whole number >= 0, got '7\.5'"),
        ('0.012345', 'much', r"column 'moved': expected a number, got 'much'"),
        ('uniform', 'x' * (MAX_CELL + 1), rf"column 'group': {MAX_CELL + 1} characters in a cell"),
        ('0.012345', '1' * (MAX_CELL + 1), rf"column 'moved': {MAX_CELL + 1} characters in a cell"),
    ],
)
def test_a_cell_that_is_wrong_is_told_with_its_line_and_column(folder, old, new, told):
    content = written(make_rows()[:1]).decode()
    assert content.count(old) == 1
    with pytest.raises(
        ValueError, match=rf'pairs\.csv, line 4, {told}'
    ):  # the name of a class stands there twice, and ends a line
        read(folder, content.replace(old, new).encode())


def test_rows_that_could_not_be_read_back_are_not_written():
    row = make_rows()[0]
    for wrong in (
        dict(index=-1),
        dict(seed=-1),
        dict(target=(0.5,)),
        dict(measured=(math.nan, 0.5)),
        dict(measured=(math.inf, 0.5)),
        dict(target=(1.5, 0.5)),
        dict(reason='x' * MAX_CELL),
        dict(measures={'kept': 1.0}),
        dict(measures={'': 1.0}),
    ):
        with pytest.raises(ValueError, match=r'^(Pair 3 has|PairRow.* must have|The fractions of|A measure of)'):
            TABLE.format([row._replace(**wrong)], [])
    rounded = row._replace(measured=(1 + 1e-12, -1e-12))
    assert b',1.000000000,' in TABLE.format([rounded], [])


def test_an_index_that_stands_twice_is_told_with_the_way_out(tmp_path):
    one = make_rows()[0]._replace(measures={'moved': 0.5, 'seam': 1.5})
    other = one._replace(seed=8)
    places = [tmp_path / 'rows/0.csv', tmp_path / 'pairs.csv']
    turned = other._replace(seed=one.seed, measures=dict(reversed(other.measures.items())))
    assert sorted_once([(one, places[0]), (turned, places[1])]) == [one], 'alike, whatever the order of the columns'
    with pytest.raises(ValueError, match=r'rows/0\.csv and .*pairs\.csv both hold index 3, .*Remove the line that is'):
        sorted_once([(one, places[0]), (other, places[1])])
    with pytest.raises(ValueError, match=r'pairs\.csv holds index 3 twice, .*draws those pairs anew'):
        sorted_once([(one, places[1]), (other, places[1])])
