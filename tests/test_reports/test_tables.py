import csv
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from mmseg_pfdiff.reports.tables import ResultTable, markdown_lines, markdown_table
from mmseg_pfdiff.texts import markdown_text

HOSTILE = '<b>|a*b*_c_ `d`\n[x](y) ~~e~~ &lt; \\\\| $z$ <http://x> snake_case __init__'
TEXT = st.text(st.one_of(st.characters(exclude_categories=['Cs', 'Cc']), st.sampled_from('\\`*_{}[]()<>#+-.!|~&$\n')))


def test_rows_are_found_again(tmp_path):
    table = ResultTable(tmp_path / 'a', 'speed', dict(num=3), ['sampler', 'steps'])
    table.add(dict(sampler='ddim', steps=10, error=1.23456789), ['Measured.'])
    again = ResultTable(tmp_path / 'a', 'speed', dict(num=3), ['sampler', 'steps'])
    assert again.has(sampler='ddim', steps=10) and not again.has(sampler='ddim', steps=20)
    again.add(dict(sampler='ddim', steps=20, error=123.4, KID=2.0), ['Measured.'])
    rows = list(csv.DictReader((tmp_path / 'a/speed.csv').open()))
    assert [row['error'] for row in rows] == ['1.23457', '123.4'] and [row['KID'] for row in rows] == ['', '2']
    text = (tmp_path / 'a/speed.md').read_text()
    assert '| ddim | 10 | 1.23 |  |' in text and '| ddim | 20 | 123.4 | 2 |' in text and text.endswith('Measured.\n')


def test_a_table_made_otherwise_is_refused(tmp_path):
    ResultTable(tmp_path, 'speed', dict(num=3, seed=0), ['steps'])
    with pytest.raises(ValueError, match='made with other num'):
        ResultTable(tmp_path, 'speed', dict(num=4, seed=0), ['steps'])


def test_words_stay_words():
    assert markdown_table([dict(a='v1.2', b='1e-05')], ['a', 'b']).splitlines()[-1] == '| v1.2 | 0.00 |'


def rendered(markdown):
    """The cells of a table as a reader sees them; kinds of signs that Markdown found in them."""
    inlines = [token for token in MarkdownIt('commonmark').enable(['table', 'strikethrough']).parse(markdown)
               if token.type == 'inline']  # fmt: skip
    kinds = {child.type for token in inlines for child in token.children}
    return [''.join(child.content for child in token.children) for token in inlines], kinds


def test_a_hostile_name_is_shown_as_it_is():
    cells, kinds = rendered(markdown_lines([HOSTILE, 'b'], [[HOSTILE, '-0.5']]))
    assert cells == [HOSTILE.replace('\n', ' '), 'b', HOSTILE.replace('\n', ' '), '-0.5'] and kinds == {'text'}
    assert markdown_text('martensite_austenite, 1.5 [0.1, 2]') == 'martensite_austenite, 1.5 [0.1, 2]'


@given(TEXT)
@settings(deadline=None)
def test_any_name_is_shown_as_it_is(name):
    cells, kinds = rendered(markdown_lines(['a', 'b'], [[name, 'x']]))
    assert len(cells) == 4 and cells[2].split() == name.split() and kinds <= {'text'}


def test_rows_that_spreadsheets_would_compute_come_back(tmp_path):
    table = ResultTable(tmp_path, 'speed', {}, ['sampler', 'scale'])
    table.add(dict(sampler='=cmd|x', scale='-0.5', error=-1.5))
    assert (tmp_path / 'speed.csv').read_text() == "sampler,scale,error\n'=cmd|x,-0.5,-1.5\n"
    again = ResultTable(tmp_path, 'speed', {}, ['sampler', 'scale'])
    assert again.has(sampler='=cmd|x', scale='-0.5') and again.rows == [
        dict(sampler='=cmd|x', scale='-0.5', error='-1.5')
    ]


def test_a_row_counts_once_both_files_show_it(tmp_path):
    """A run that is killed between the two files measures its row again."""
    table = ResultTable(tmp_path, 'speed', {}, ['steps'])
    (tmp_path / f'.speed.csv.{os.getpid()}.part').mkdir()
    with pytest.raises(OSError):
        table.add(dict(steps=5, error=1.5))
    assert '| 5 | 1.50 |' in (tmp_path / 'speed.md').read_text()
    assert not ResultTable(tmp_path, 'speed', {}, ['steps']).has(steps=5)


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('speed.csv', b'steps,error\n5\n', r"speed\.csv, line 2, column 'error': the line ends before it"),
        ('speed.csv', b'', r"speed\.csv, line 1: the column 'steps' is missing"),
        ('speed.csv', b'steps;error\n5;1,5\n', r'speed\.csv was saved with decimal commas'),
        ('speed.json', b'{', r'speed\.json is no JSON'),
        ('speed.json', b'[' * 100_000, r'speed\.json is nested too deeply'),
        ('speed.json', json.dumps([1]).encode(), r'speed\.json must hold a JSON object, got a list'),
    ],
)
def test_damaged_files_are_told(tmp_path, name, content, message):
    ResultTable(tmp_path, 'speed', {}, ['steps']).add(dict(steps=5, error=1.5))
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        ResultTable(tmp_path, 'speed', {}, ['steps'])
