"""Parts of a page that needs no other file: sections, tables, plots and pictures."""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..texts import shown

# Texts are escaped, but for what these templates made.
TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name('templates')),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
)
MACROS = TEMPLATES.get_template('parts.html').module
DPI = 110


class Section(NamedTuple):
    """A part of a page, and the numbers it shows.

    Attributes:
        name: Its key in JSON, and its anchor.
        title: Its heading.
        body: HTML, made by the functions of this module; other texts are escaped.
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
    return render('page.html', title=title, introduction=introduction, sections=sections)


def render(template: str, **values) -> str:
    """A page from one of the templates.

    Args:
        template: Its name.
        **values: The names it uses.

    Returns:
        HTML.
    """
    return TEMPLATES.get_template(template).render(values) + '\n'


def paragraph(text: str) -> Markup:
    """Plain text as a paragraph."""
    return MACROS.paragraph(text)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """A table of texts; numbers stand to the right, columns of words to the left."""
    rows = list(rows)
    words = [any(row[n][:1].isalpha() for row in rows) for n in range(len(head))]
    return MACROS.table(head, rows, [Markup(' class="text"') if left else '' for left in words])


def record_table(records: Sequence[Mapping[str, object]]) -> Markup:
    """A table of records that all have the same names; numbers with a sensible count of digits."""
    if not records:
        return paragraph('Too few tiles or pairs for this table.')
    return table(list(records[0]), [[shown(value) for value in record.values()] for record in records])


def legend(classes: Sequence[str], palette: Sequence[Sequence[int]]) -> Markup:
    """The colours of the phases."""
    return MACROS.legend([(name, f'rgb{tuple(colour)}') for name, colour in zip(classes, palette, strict=True)])


def picture(pixels: np.ndarray, text: str = '') -> Markup:
    """An RGB picture, (H, W, 3) uint8, drawn with square pixels; `text` is what stands for it."""
    return _embedded(cv2.imencode('.png', pixels[..., ::-1])[1].tobytes(), text, 'pixels')


def plain_label(name: str) -> str:
    """A name for a plot, in which matplotlib would take two dollars for the ends of a formula."""
    return name.replace('$', r'\$')


def plot(figure: Figure, text: str) -> Markup:
    """A figure of matplotlib; `text` is what stands for it where pictures are not shown."""
    file = io.BytesIO()
    # Figures made without pyplot are kept nowhere, so there is nothing to close.
    FigureCanvasAgg(figure).print_png(file)
    # With many classes it is wider than the page: rolling it keeps its words legible.
    return MACROS.wide(_embedded(file.getvalue(), text, 'plot'))


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
    for axis in axes.flat:
        axis.tick_params(labelsize=8)
        axis.spines[['top', 'right']].set_visible(False)
    return figure, axes


def shared_legend(figure: Figure, axis) -> None:
    """Puts the legend of one panel above all of them, in as many rows as its labels need."""
    handles, labels = axis.get_legend_handles_labels()
    # Inches: a handle with its gaps, and a letter at this size.
    column = 0.6 + 0.075 * max(map(len, labels))
    ncols = max(1, min(len(labels), int(figure.get_figwidth() / column)))
    figure.legend(handles, labels, loc='outside upper center', ncols=ncols, fontsize=9, frameon=False, markerscale=1.5)


def _embedded(png: bytes, text: str, kind: str) -> Markup:
    return MACROS.picture(base64.b64encode(png).decode(), text, kind)
