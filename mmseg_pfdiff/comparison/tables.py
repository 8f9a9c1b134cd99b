"""The tables of a comparison, as rows of text."""

from collections.abc import Sequence

import numpy as np

from .paper_values import TABLE_4, TABLE_5, table_3
from .plan import REAL
from .statistics import Interval, class_iou
from .summary import Entry, Summary

Rows = list[dict[str, str]]


def mean_and_deviation(values: Sequence[float]) -> str:
    """`71.2 ± 0.8`; the deviation is that of a sample."""
    values = np.asarray(values, float)
    values = values[~np.isnan(values)]
    if not len(values):
        return '-'
    return f'{values.mean():.2f} ± {values.std(ddof=1):.2f}' if len(values) > 1 else f'{values.mean():.2f}'


def interval_text(interval: Interval) -> str:
    """`+1.2 [-0.3, 2.5]`."""
    value, low, high = interval
    if np.isnan(value):
        return '-'
    return f'{value:+.2f}' + ('' if np.isnan(low) else f' [{low:+.2f}, {high:+.2f}]')


def score_table(summary: Summary) -> Rows:
    """Table 3: mean IoU and accuracy of each method with each segmentor, the paper's beside."""
    return [_score_row(entry) for entry in summary.entries]


def _score_row(entry: Entry) -> dict[str, str]:
    paper = table_3(entry.paper, entry.segmentor)
    return {
        'segmentor': entry.segmentor,
        'method': entry.method,
        'ratio': ' '.join(map(str, entry.ratios)),
        'mean IoU %': mean_and_deviation(entry.miou),
        'accuracy %': mean_and_deviation(entry.accuracy),
        'fraction error': mean_and_deviation(entry.fraction_error),
        'paper: mean IoU %': f'{paper.miou:.2f}' if paper else '-',
        'paper: accuracy %': f'{paper.accuracy:.2f}' if paper else '-',
    }


def class_table(summary: Summary) -> Rows:
    """Fig. 6: IoU of each class."""
    return [
        {'segmentor': entry.segmentor, 'method': entry.method}
        | {f'{name} %': mean_and_deviation(entry.class_iou[:, k]) for k, name in enumerate(summary.classes)}
        for entry in summary.entries
    ]


def difference_table(summary: Summary) -> Rows:
    """Paired differences of methods, with 95 % intervals."""
    names = ['mean IoU', *summary.classes]
    return [
        {'segmentor': difference.segmentor, 'method': difference.method, 'against': difference.against}
        | {name: interval_text(gain) for name, gain in zip(names, difference.gains, strict=True)}
        for difference in summary.differences
    ]


def ratio_table(summary: Summary) -> Rows:
    """Fig. 9: mean IoU on the validation part by ratio, and the ratio that it speaks for, none at all included."""
    ratios = sorted({ratio for curve in summary.curves.values() for ratio in curve})
    rows = []
    for (segmentor, method), curve in summary.curves.items():
        real = summary.curves.get((segmentor, REAL), {})
        means = {ratio: np.mean(scores) for ratio, scores in {**real, **curve}.items()}
        row = {'segmentor': segmentor, 'method': method}
        row |= {f'x{ratio}': mean_and_deviation(curve[ratio]) if ratio in curve else '' for ratio in ratios}
        rows.append(row | {'best of all': f'x{max(means, key=means.get)}'})
    return rows


def micrograph_table(summary: Summary) -> Rows:
    """Table 4: each test micrograph, means over seeds; the paper's two at the end."""
    rows = []
    for entry in summary.entries:
        for split, runs in zip(summary.plan.data, entry.results, strict=True):
            for n, name in enumerate(runs[0].micrographs):
                counts = [
                    [getattr(run, key)[n : n + 1] for key in ('intersection', 'predicted', 'labelled')] for run in runs
                ]
                values = np.array([class_iou(*areas) for areas in counts])
                row = {'segmentor': entry.segmentor, 'method': entry.method, 'split': split, 'micrograph': name}
                row['mean IoU %'] = mean_and_deviation(np.nanmean(values, axis=1))
                rows.append(row | {f'{c} %': mean_and_deviation(values[:, k]) for k, c in enumerate(summary.classes)})
    for method, micrographs in TABLE_4.items() if 'martensite_austenite' in summary.classes else ():
        for name, (mean, austenite, matrix, islands) in micrographs.items():
            row = {'segmentor': 'paper', 'method': method, 'micrograph': name, 'mean IoU %': f'{mean:.1f}'}
            row |= {
                'matrix %': f'{matrix:.1f}',
                'austenite %': f'{austenite:.1f}',
                'martensite_austenite %': f'{islands:.1f}',
            }
            rows.append(row)
    return rows


def time_table(summary: Summary) -> Rows:
    """Table 5: seconds for a pair that is kept, and the best mean IoU over segmentors."""
    rows = []
    for method, seconds in summary.pair_seconds.items():
        means = [np.mean(entry.miou) for entry in summary.entries if entry.method == method]
        paper = TABLE_5.get(summary.plan.methods[method].paper or '')
        rows.append({
            'method': method,
            's a kept pair': f'{seconds:.2f}',
            'best mean IoU %': f'{max(means):.2f}' if means else '-',
            'paper: s a pair': f'{paper[0]:.2f}' if paper else '-',
            'paper: mean IoU %': f'{paper[1]:.2f}' if paper else '-',
        })  # fmt: skip
    return rows


TABLES = {
    'Scores on the test micrographs (Table 3)': score_table,
    'IoU of each class (Fig. 6)': class_table,
    'Paired differences of methods, points, with 95 % interval': difference_table,
    'Mean IoU on the validation part by ratio (Fig. 9)': ratio_table,
    'Each test micrograph (Table 4)': micrograph_table,
    'Generation (Table 5)': time_table,
}
