"""Parts of a page that needs no other file: sections, tables, plots and pictures."""

import base64
import html
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..numbers import shown

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 1080px; margin: 2em auto; padding: 0 1em; color: #222; }
img { max-width: 100%; } img.plot { max-width: none; } img.pixels { image-rendering: pixelated; }
table { border-collapse: collapse; margin: 1em 0; font-size: 15px; }
td, th { padding: .2em .8em; border-bottom: 1px solid #ddd; text-align: right; vertical-align: bottom; }
td { white-space: nowrap; } .text, td:first-child, th:first-child { text-align: left; }
pre { white-space: pre-wrap; font-size: 12px; }
.key span { display: inline-block; width: 1em; height: 1em; border: 1px solid #888; margin: 0 .3em 0 1em; }
.wide { overflow-x: auto; }
"""
DPI = 110


class Section(NamedTuple):
    """A part of a page, and the numbers it shows.

    Attributes:
        name: Its key in JSON, and its anchor.
        title: Its heading.
        body: HTML.
        numbers: JSON-like; every number of its tables and plots.
    """

    name: str
    title: str
    body: Sequence[str]
    numbers: Mapping


def page(title: str, introduction: Sequence[str], sections: Sequence[Section]) -> str:
    """A whole page, with a table of contents.

    Args:
        title: Its heading.
        introduction: HTML in front of the contents.
        sections: Its parts.

    Returns:
        HTML.
    """
    contents = ''.join(f'<li><a href="#{html.escape(one.name)}">{html.escape(one.title)}</a></li>' for one in sections)
    parts = [
        f'<h2 id="{html.escape(one.name)}">{n}. {html.escape(one.title)}</h2>{"".join(one.body)}'
        for n, one in enumerate(sections, 1)
    ]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title><style>{STYLE}'
        f'</style><h1>{html.escape(title)}</h1>{"".join(introduction)}<ol>{contents}</ol>{"".join(parts)}</html>\n'
    )


def paragraph(text: str) -> str:
    """Plain text as a paragraph."""
    return f'<p>{html.escape(text)}</p>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts; numbers stand to the right, columns of words to the left."""
    rows = list(rows)
    kinds = [' class="text"' if any(row[n][:1].isalpha() for row in rows) else '' for n in range(len(head))]
    lines = [
        ''.join(f'<{tag}{kind}>{html.escape(cell)}</{tag}>' for kind, cell in zip(kinds, row, strict=True))
        for tag, row in [('th', head), *(('td', row) for row in rows)]
    ]
    return f'<div class="wide"><table>{"".join(f"<tr>{line}</tr>" for line in lines)}</table></div>'


def record_table(records: Sequence[Mapping[str, object]]) -> str:
    """A table of records that all have the same names; numbers with a sensible count of digits."""
    if not records:
        return paragraph('Too few tiles or pairs for this table.')
    return table(list(records[0]), [[shown(value) for value in one.values()] for one in records])


def legend(classes: Sequence[str], palette: Sequence[Sequence[int]]) -> str:
    """The colours of the phases."""
    keys = ''.join(
        f'<span style="background:rgb{tuple(colour)}"></span>{html.escape(name)}'
        for name, colour in zip(classes, palette, strict=True)
    )
    return f'<p class="key">Phases:{keys}<span style="background:#fff"></span>ignored</p>'


def picture(pixels: np.ndarray, text: str = '') -> str:
    """An RGB picture, (H, W, 3) uint8, drawn with square pixels; `text` is what stands for it."""
    return _embedded(cv2.imencode('.png', pixels[..., ::-1])[1].tobytes(), text, 'pixels')


def plain_label(name: str) -> str:
    """A name for a plot, in which matplotlib would take two dollars for the ends of a formula."""
    return name.replace('$', r'\$')


def plot(figure: Figure, text: str) -> str:
    """A figure of matplotlib; `text` is what stands for it where pictures are not shown."""
    file = io.BytesIO()
    # Figures made without pyplot are kept nowhere, so there is nothing to close.
    FigureCanvasAgg(figure).print_png(file)
    # With many classes it is wider than the page: rolling it keeps its words legible.
    return f'<div class="wide">{_embedded(file.getvalue(), text, "plot")}</div>'


def panels(rows: int, columns: int, width: float = 2.35, height: float = 2.4, **settings) -> tuple[Figure, np.ndarray]:
    """An empty figure and its axes.

    Args:
        rows: Number of rows.
        columns: Number of columns.
        width: Of a panel, in inches.
        height: Of a panel, in inches.
        **settings: Of `Figure.subplots`.

    Returns:
        Figure and (rows, columns) axes.
    """
    figure = Figure((columns * width, rows * height), dpi=DPI, layout='constrained')
    axes = figure.subplots(rows, columns, squeeze=False, **settings)
    for one in axes.flat:
        one.tick_params(labelsize=8)
        one.spines[['top', 'right']].set_visible(False)
    return figure, axes


def shared_legend(figure: Figure, axis) -> None:
    """Puts the legend of one panel above all of them, in as many rows as its labels need."""
    handles, labels = axis.get_legend_handles_labels()
    # Inches: a handle with its gaps, and a letter at this size.
    column = 0.6 + 0.075 * max(map(len, labels))
    ncols = max(1, min(len(labels), int(figure.get_figwidth() / column)))
    figure.legend(handles, labels, loc='outside upper center', ncols=ncols, fontsize=9, frameon=False, markerscale=1.5)


def _embedded(png: bytes, text: str, kind: str) -> str:
    return (
        f'<img class="{kind}" alt="{html.escape(text)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
    )
