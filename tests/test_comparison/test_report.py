"""A report over several splits, one of which lacks a class."""

import json

import numpy as np
import pytest

from mmseg_pfdiff.comparison.plan_file import read_plan
from mmseg_pfdiff.comparison.report import write_report
from mmseg_pfdiff.comparison.results import TestResult
from mmseg_pfdiff.comparison.statistics import pixel_accuracy, scores
from mmseg_pfdiff.comparison.summary import Entry, Summary, differences, fraction_error
from mmseg_pfdiff.comparison.tables import class_table, micrograph_table, ratio_table, score_table

CLASSES = ('matrix', 'austenite', 'defect')
AUSTENITE = [100 * 50 / 70, 100 * 20 / 50]  # of real tiles alone, in either split


def result(names, hits, labelled):
    """Micrographs of 100 labelled pixels of which `hits` are right, the others called the first class."""
    hits, labelled = np.array(hits), np.array(labelled)
    predicted = hits.copy()
    predicted[:, 0] += (labelled - hits).sum(1)
    return TestResult(tuple(names), hits, predicted, labelled)


def entry(method, results):
    runs = [one for split in results for one in split]
    values = np.array([scores(one) for one in runs])
    accuracy, errors = [pixel_accuracy(one) for one in runs], [fraction_error(one) for one in runs]
    return Entry('unet', method, None, [0, 0], values[:, 0].tolist(), accuracy, values[:, 1:], errors, results)


@pytest.fixture
def summary(plan_file):
    """Two splits of one seed; nothing of the third class in the second."""
    plan = read_plan(plan_file)._replace(data=dict(fold0='a', fold1='b'))
    two, one = [[50, 40, 10], [60, 30, 10]], [[50, 50, 0]]
    real = [[result('ab', [[50, 30, 5], [60, 20, 5]], two)], [result('c', [[50, 20, 0]], one)]]
    mixed = [[result('ab', [[50, 40, 5], [60, 30, 5]], two)], [result('c', one, one)]]
    entries = [entry('real', real), entry('pf-diffseg', mixed)]
    curves = {('unet', 'real'): {0: [60.0, 50.0]}, ('unet', 'pf-diffseg'): {1: [50.0, 56.0], 2: [58.0, 50.0]}}
    return Summary(plan, CLASSES, entries, differences(entries), curves, {'pf-diffseg': 0.5}, [], 2)


def test_tables_over_splits(summary):
    by_class = class_table(summary)
    assert by_class[0]['austenite %'] == f'{np.mean(AUSTENITE):.2f} ± {np.std(AUSTENITE, ddof=1):.2f}'
    assert by_class[1]['austenite %'] == '100.00 ± 0.00'
    assert by_class[0]['defect %'] == by_class[1]['defect %'] == '50.00', 'of the one split that holds it'
    assert score_table(summary)[0]['ratio'] == '0 0'
    rows = micrograph_table(summary)
    assert [(row['split'], row['micrograph']) for row in rows if row['method'] == 'real'] == [
        ('fold0', 'a'), ('fold0', 'b'), ('fold1', 'c'),
    ]  # fmt: skip
    assert rows[2]['defect %'] == '-'


def test_the_ratio_that_validation_speaks_for_may_be_none_at_all(summary):
    rows = ratio_table(summary)
    assert rows[1]['x1'].startswith('53.00') and rows[1]['x2'].startswith('54.00')
    assert [row['best of all'] for row in rows] == ['x0', 'x0']


def test_the_report_is_written(summary, tmp_path):
    page = write_report(summary, tmp_path / 'report').read_text()
    assert 'read once for each seed, and 2 times more' in page and 'Of 3 test micrographs' in page
    found = json.loads((tmp_path / 'report/report.json').read_text())
    assert found['versions']['mmseg_pfdiff'] and found['versions']['torch']
    assert found['entries'][0]['IoU']['defect'] == [50, None]
    [gain] = found['tables']['Paired differences of methods, points, with 95 % interval']
    assert gain['austenite'].startswith(f'{100 - np.mean(AUSTENITE):+.2f}')
    assert found['tables']['Generation (Table 5)'][0]['s a kept pair'] == '0.50'
