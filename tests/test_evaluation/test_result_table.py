import csv

import pytest

from mmseg_pfdiff.evaluation.result_table import ResultTable, markdown_table


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
