"""CSV files as programs write them and as spreadsheets save them."""

import csv
import io
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmseg_pfdiff.csv_files import MAX_CELL, csv_text, read_csv

PATH = Path('a.csv')
# All that can be written: no halves of surrogate pairs.
TEXT = st.text(st.characters(exclude_categories=['Cs']), max_size=12)
HOSTILE = (
    '=HYPERLINK("http://x")',
    '+1+2',
    '-2+3',
    '@SUM(A1)',
    '\ttab',
    '\rreturn',
    "'=1",
    "''-x",
    "it's",
    '＝1',
    '-5',
)


def read(text, required=('a', 'b'), **kwargs):
    return read_csv(PATH, text.encode(), required, **kwargs)


def cells(table):
    return [list(row.cells.values()) for row in table.rows]


@given(st.lists(st.tuples(TEXT, st.one_of(TEXT, st.sampled_from(HOSTILE))), max_size=6), st.sampled_from(HOSTILE))
@settings(deadline=None)
def test_every_text_comes_back_as_it_was(rows, name):
    content = csv_text([['a', name], *rows]).encode()
    table = read_csv(PATH, content, ['a', name], texts=['a', name])
    assert cells(table) == [list(row) for row in rows if any(row)], 'a line of empty cells is none'


@given(st.lists(st.lists(TEXT, min_size=1, max_size=4), min_size=1, max_size=4))
@settings(deadline=None)
def test_no_cell_is_a_formula_and_no_row_is_lost(rows):
    written = list(csv.reader(io.StringIO(csv_text(rows), newline='')))
    assert len(written) == len(rows)
    for row in written:
        assert not any(cell[:1] in tuple('=+-@\t\r\n') and not is_number(cell) for cell in row if cell)


def is_number(text):
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def test_formulas_get_an_apostrophe_and_numbers_none():
    text = csv_text([['=1+1', 'plain', '-0.5', '+1e-3', "it's", -0.25, '@x', "'=x"]])
    assert text == "'=1+1,plain,-0.5,+1e-3,it's,-0.25,'@x,''=x\n"


@pytest.mark.parametrize(
    'content',
    [
        b'a,b\n0.25,x\n1,"y, z"\n',
        b'a,b\n0.25,x\n1,"y, z"',  # no line end after the last row
        b'\xef\xbb\xbfa,b\r\n0.25,x\r\n1,"y, z"\r\n',
        b'"a";"b"\r\n"0,25";"x"\r\n1;"y, z"\r\n',
        b'a\tb\n0,25\tx\n1\ty, z\n',
        b'a;b;;\n0.25;x;;\n;;;\n1;y, z;;\n\n',  # empty cells and lines that a spreadsheet adds
        b'a,b\r0.25,x\r1,"y, z"\r',
        b'\xef\xbb\xbfsep=;\r\na;b\r\n0,25;x\r\n1;y, z\r\n',  # the line with which Excel reads it anywhere
        b'"sep=\t"\na\tb\n0.25\tx\n1\ty, z\n',
    ],
)
def test_what_spreadsheets_save_is_read(content):
    table = read_csv(PATH, content, ['a', 'b'], texts=['b'])
    assert [(table.number(row, 'a'), row.cells['b']) for row in table.rows] == [(0.25, 'x'), (1, 'y, z')]


def test_lines_are_counted_as_an_editor_counts_them():
    table = read('a,b\n1,"two\nlines"\n\n2,x\n')
    assert [row.line for row in table.rows] == [2, 5] and cells(table)[0] == ['1', 'two\nlines']


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', r"line 1: the column 'a' is missing"),
        ('a;c\n1;2\n', r"line 1: the column 'b' is missing"),
        ('a,b,a\n1,2,3\n', r"line 1: the column 'a' stands there twice"),
        ('a,b\n1,2\n3\n', r"line 3, column 'b': the line ends before it, after 1 cells of 2"),
        ('a,b\n1,2,3\n', r"line 2: '3' stands in no column"),
        ('a,b\n1,"2\n', r'line 2: unexpected end of data'),
        ('a,b\n1,"2"3\n', r"line 2: ',' expected after"),
        (f'a,b\n1,{"x" * (MAX_CELL + 1)}\n', rf"line 2, column 'b': {MAX_CELL + 1} characters"),
    ],
)
def test_damage_is_told_with_its_line_and_column(text, message):
    before = csv.field_size_limit()
    with pytest.raises(ValueError, match=rf'^a\.csv, {message}'):
        read(text)
    assert csv.field_size_limit() == before


def test_other_encodings_are_told():
    with pytest.raises(ValueError, match=r'a\.csv, line 2: no text in UTF-8\. Save the table as CSV in UTF-8'):
        read_csv(PATH, 'a,b\n1,ä\n'.encode('cp1252'), ['a', 'b'])
    with pytest.raises(ValueError, match=r'a\.csv, line 1: no text in UTF-8'):
        read_csv(PATH, 'a,b\n1,2\n'.encode('utf-16'), ['a', 'b'])


@pytest.mark.parametrize('cell', ['x', '1_000', '1,5', '１', '', '0x1', '2', '-1', '0.25 %'])
def test_what_is_no_number_of_the_range_is_told(cell):
    table = read(f'a,b\n0,"{cell}"\n')
    with pytest.raises(ValueError, match=r"^a\.csv, line 2, column 'b': expected a number from 0 to 1, got "):
        table.number(table.rows[0], 'b', 0, 1)


def test_points_and_decimal_commas_in_one_file_are_ambiguous():
    table = read('a;b\n0,5;1.234\n')
    assert table.number(table.rows[0], 'a') == 0.5
    with pytest.raises(ValueError, match=r"column 'b': expected a decimal comma, as other numbers .* got '1\.234'"):
        table.number(table.rows[0], 'b')


@pytest.mark.parametrize('cell', ['-1', '1.0', '1e3', '²', '', '9' * 31])
def test_what_is_no_whole_number_is_told(cell):
    table = read(f'a,b\n{cell},x\n')
    with pytest.raises(ValueError, match=r"line 2, column 'a': expected a whole number >= 0, got "):
        table.whole(table.rows[0], 'a')
