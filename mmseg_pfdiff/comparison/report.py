"""The report of a comparison: one page, the same tables as Markdown, the numbers as JSON."""

import html
import json
from pathlib import Path

from ..evaluation.result_table import markdown_table
from ..files import write_atomically
from .plots import as_image, class_plot, ratio_plot
from .summary import Summary
from .tables import TABLES, Rows
from .workbench import installed_versions

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2em auto; padding: 0 1em; color: #222; }
img { max-width: 100%; } table { border-collapse: collapse; margin: 1em 0; font-size: 14px; }
td, th { padding: .2em .7em; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap; }
td:first-child, td:nth-child(2), th:first-child, th:nth-child(2) { text-align: left; }
"""


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
        'The weights and the ratio were chosen on the validation part; the test part was read once for each seed. '
        'Values are means and standard deviations over splits and seeds; fraction errors are in points. '
        'Intervals are 95 % bootstrap intervals over seeds and micrographs, paired.',
        "The paper's values are of other test micrographs, and the highest of its runs.",
    ]
    if summary.unfinished:
        names = ', '.join(f'{method} with {segmentor}' for segmentor, method in summary.unfinished)
        lines.append(f'Not finished yet, and left out: {names}.')
    return lines


def write_report(summary: Summary, folder: Path) -> Path:
    """Writes `index.html`, `report.md` and `report.json`.

    Args:
        summary: The numbers.
        folder: Where to; made if missing.

    Returns:
        The page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = {title: rows for title, make in TABLES.items() if (rows := make(summary))}
    sections = ''.join(f'<h2>{html.escape(title)}</h2>{_html_table(rows)}' for title, rows in tables.items())
    plots = ''.join(as_image(plot(summary)) for plot in (class_plot, ratio_plot)) if summary.entries else ''
    told = description(summary)
    paragraphs = ''.join(f'<p>{html.escape(line)}</p>' for line in told)
    title = f'Comparison: {html.escape(summary.plan.name)}'
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f'<h1>{title}</h1>{paragraphs}{plots}{sections}</html>\n'
    )
    markdown = [f'# Comparison: {summary.plan.name}', *told]
    for title, rows in tables.items():
        markdown += [f'## {title}', markdown_table(rows, _columns(rows))]
    content = dict(description=told, versions=installed_versions(), tables=tables)
    write_atomically(folder / 'report.md', ('\n\n'.join(markdown) + '\n').encode())
    write_atomically(folder / 'report.json', (json.dumps(content, indent=1) + '\n').encode())
    write_atomically(folder / 'index.html', page.encode())
    return folder / 'index.html'


def _columns(rows: Rows) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _html_table(rows: Rows) -> str:
    columns = _columns(rows)
    head = ''.join(f'<th>{html.escape(name)}</th>' for name in columns)
    body = ''.join('<tr>' + ''.join(f'<td>{html.escape(row.get(name, ""))}</td>' for name in columns) for row in rows)
    return f'<table><tr>{head}</tr>{body}</table>'
