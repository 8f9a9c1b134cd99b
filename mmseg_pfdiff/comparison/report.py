"""The report of a comparison: one page, the same tables as Markdown, the numbers as JSON."""

import json
from pathlib import Path

import numpy as np

from ..compat import package_versions
from ..files import make_folder, write_atomically
from ..json_files import without_nan
from ..reports.html import Section, page, paragraph, plot, table
from ..reports.tables import markdown_table
from ..texts import markdown_text
from .plots import class_plot, ratio_plot
from .summary import Summary
from .tables import TABLES, Rows

PLOTS = {'IoU of each class': class_plot, 'Validation mean IoU by ratio': ratio_plot}


def description(summary: Summary) -> list[str]:
    """How the numbers came about, in sentences."""
    plan = summary.plan
    budget = {
        'epochs': 'A training on a mix takes the same epochs, so (1 + ratio) times as many iterations.',
        'iterations': 'Every training takes the same iterations, whatever is mixed in.',
    }[plan.budget]
    lines = [
        f'Plan {plan.name}: splits {", ".join(plan.data)}; seeds {", ".join(map(str, plan.seeds))}; ratios '
        f'{", ".join(map(str, plan.ratios))}; {plan.epochs} epochs. {budget}',
        'The weights and the ratio were chosen on the validation part; the test part was read once for each seed'
        f'{_tested_again(summary)}. '
        'Values are means and standard deviations over splits and seeds; fraction errors are in points. '
        'Intervals are 95 % bootstrap intervals over seeds and micrographs, paired, and rather too narrow with as few; '
        'each method rests on one training of its generators for a split, whose luck they do not cover.'
        + _where_classes_are(summary),
        'Seconds are for a pair that is kept, wall clock, with opening models and writing files, and whatever else the '
        'machine did.',
        "The paper's values are of other test micrographs, of ResNet-50 networks at 256x256, and the highest of its "
        'runs.',
    ]
    if summary.unfinished:
        names = ', '.join(f'{method} with {segmentor}' for segmentor, method in summary.unfinished)
        lines.append(f'Not finished yet, and left out: {names}.')
    return lines


def write_report(summary: Summary, folder: Path) -> Path:
    """Writes `index.html`, `report.md` with the tables, and `report.json` with these and what they are made of.

    Args:
        summary: The numbers.
        folder: Where to; made if missing.

    Returns:
        The page.
    """
    make_folder(folder)
    tables = {title: rows for title, make in TABLES.items() if (rows := make(summary))}
    sentences = description(summary)
    sections = [
        Section(f'table{n}', title, [table(_columns(rows), _cells(rows))], {})
        for n, (title, rows) in enumerate(tables.items())
    ]
    plots = [plot(make(summary), title) for title, make in PLOTS.items()] if summary.entries else []
    introduction = [*map(paragraph, sentences), *plots]
    markdown = [f'# Comparison: {markdown_text(summary.plan.name)}', *map(markdown_text, sentences)]
    for title, rows in tables.items():
        markdown += [f'## {title}', markdown_table(rows, _columns(rows))]
    content = dict(description=sentences, versions=package_versions(), tables=tables, **_numbers(summary))
    write_atomically(folder / 'report.md', ('\n\n'.join(markdown) + '\n').encode())
    write_atomically(folder / 'report.json', (json.dumps(content, indent=1) + '\n').encode())
    html = page(f'Comparison: {summary.plan.name}', introduction, sections)
    write_atomically(folder / 'index.html', html.encode())
    return folder / 'index.html'


def _tested_again(summary: Summary) -> str:
    again = summary.tested_again
    return f', and {again} times more, where another ratio was the best once the plan had grown' if again else ''


def _where_classes_are(summary: Summary) -> str:
    if not summary.entries:
        return ''
    labelled = np.concatenate([split[0].labelled for split in summary.entries[0].results])
    counts = ', '.join(f'{n} {name}' for n, name in zip((labelled > 0).sum(0), summary.classes, strict=True))
    return f' Of {len(labelled)} test micrographs, so many hold a class: {counts}.'


def _numbers(summary: Summary) -> dict:
    """The numbers behind the tables, for use elsewhere."""
    entries = [
        {
            'segmentor': entry.segmentor,
            'method': entry.method,
            'ratios': dict(zip(summary.plan.data, entry.ratios, strict=True)),
            # Split after split, seed after seed.
            'mean IoU': entry.miou,
            'accuracy': entry.accuracy,
            'IoU': {name: entry.class_iou[:, k].tolist() for k, name in enumerate(summary.classes)},
            'fraction error': entry.fraction_error,
        }
        for entry in summary.entries
    ]
    validation = [
        {'segmentor': segmentor, 'method': method, 'ratio': ratio, 'mean IoU': scores}
        for (segmentor, method), curve in summary.curves.items()
        for ratio, scores in curve.items()
    ]
    return without_nan(dict(entries=entries, validation=validation))


def _columns(rows: Rows) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _cells(rows: Rows) -> list[list[str]]:
    return [[row.get(name, '') for name in _columns(rows)] for row in rows]
