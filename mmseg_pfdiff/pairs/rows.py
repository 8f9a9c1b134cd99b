"""The table of a pair folder: one row for each pair, as CSV."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..csv_files import MAX_CELL, CsvRow, CsvTable, csv_text, read_csv

NO_MEASURES: Mapping[str, float] = {}
TEXTS = ('group', 'kept', 'reason')
# `kept` as spreadsheets save it, which write truth in the language of their user.
TRUE = ('true', '1', 'wahr', 'vrai', 'verdadero', 'verdadeiro', 'vero', 'waar')
FALSE = ('false', '0', 'falsch', 'faux', 'falso', 'onwaar')


class PairRow(NamedTuple):
    """One row of `pairs.csv`.

    Attributes:
        index: Index of the pair, >= 0; names its files.
        seed: Seed of the run that drew it.
        group: Group of the fraction sampler it was drawn for.
        target: K phase fractions asked for, in the order of the classes; NaN where nothing was asked for.
        measured: K phase fractions of the label map written.
        kept: False for a pair that training should leave out.
        reason: Why it is not kept, else empty.
        measures: Further numbers, by the name of their column.
    """

    index: int
    seed: int
    group: str
    target: tuple[float, ...]
    measured: tuple[float, ...]
    kept: bool = True
    reason: str = ''
    measures: Mapping[str, float] = NO_MEASURES


class RowTable:
    """Writes rows as CSV and reads them back.

    Args:
        classes: K class names.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)
        self.targets = [f'target_{name}' for name in classes]
        self.measured = [f'measured_{name}' for name in classes]
        self.columns = ['index', 'seed', 'group', *self.targets, *self.measured, 'kept', 'reason']

    def header(self, measures: Sequence[str]) -> bytes:
        """The line with the names of the columns.

        Args:
            measures: Names of the measures, in the order of their columns.
        """
        return csv_text([[*self.columns, *measures]]).encode()

    def format(self, rows: Iterable[PairRow], measures: Sequence[str]) -> bytes:
        """Rows as CSV, without the names of the columns.

        Args:
            rows: Rows; a measure that one lacks is left empty.
            measures: Names of the measures, in the order of their columns.

        Returns:
            Lines, each ended.

        Raises:
            ValueError: A row that could not be read back.
        """
        return csv_text(self._cells(row, measures) for row in rows).encode()

    def _cells(self, row: PairRow, measures: Sequence[str]) -> list[str]:
        target, measured = ([round(value, 9) for value in part] for part in (row.target, row.measured))
        if not len(target) == len(measured) == len(self.classes) or min(row.index, row.seed) < 0:
            raise ValueError(
                f'{row} must have an index and a seed >= 0, and {len(self.classes)} fractions of each kind.'
            )
        if any(not 0 <= value <= 1 for value in (*measured, *(share for share in target if not math.isnan(share)))):
            raise ValueError(f'The fractions of {row} must be from 0 to 1; only those asked for may be NaN.')
        if max(len(row.group), len(row.reason)) >= MAX_CELL:
            raise ValueError(f'Pair {row.index} has a text of {MAX_CELL} characters or more.')
        if not set(row.measures).isdisjoint({'', *self.columns}):
            raise ValueError(f'A measure of {row} has no name, or that of a column.')
        fractions = [f'{value:.9f}' for value in (*target, *measured)]
        numbers = [f'{row.measures[name]:.6g}' if name in row.measures else '' for name in measures]
        return [str(row.index), str(row.seed), row.group, *fractions, str(bool(row.kept)), row.reason, *numbers]

    def read(self, path: Path, *, growing: bool = False) -> list[PairRow]:
        """The rows of a file.

        Args:
            path: File; may be missing.
            growing: Lines are added to it one by one, so the last one, where it has no end, is a part of a row that a
                process is writing, or was killed at: it is passed over.

        Returns:
            Rows in the order of the file.

        Raises:
            ValueError: A row is damaged; the message names file, line and column.
        """
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return []
        content = whole_lines(content) if growing else content
        if growing and not content:
            return []
        table = read_csv(path, content, self.columns, TEXTS)
        return [self._row(table, row) for row in table.rows]

    def _row(self, table: CsvTable, row: CsvRow) -> PairRow:
        return PairRow(
            index=table.whole(row, 'index'),
            seed=table.whole(row, 'seed'),
            group=row.cells['group'],
            target=tuple(table.number(row, name, 0, 1) for name in self.targets),
            measured=tuple(_known(table, row, name) for name in self.measured),
            kept=_truth(table, row, 'kept'),
            reason=row.cells['reason'],
            measures={
                name: table.number(row, name) for name in table.columns if name not in self.columns and row.cells[name]
            },
        )


def _known(table: CsvTable, row: CsvRow, name: str) -> float:
    value = table.number(row, name, 0, 1)
    if math.isnan(value):
        raise table.error(row, name, 'a number from 0 to 1')
    return value


def _truth(table: CsvTable, row: CsvRow, name: str) -> bool:
    word = row.cells[name].strip().lower()
    if word not in TRUE + FALSE:
        raise table.error(row, name, 'True or False')
    return word in TRUE


def whole_lines(content: bytes) -> bytes:
    """The part of a CSV file that ends with a whole row: up to the last line end that stands in no quotes.

    Args:
        content: Of a file to which rows are added; a quote in a cell stands doubled in it.

    Returns:
        The beginning of it.
    """
    end = content.rfind(b'\n')
    while end >= 0 and content.count(b'"', 0, end) % 2:
        end = content.rfind(b'\n', 0, end)
    return content[: end + 1]


def sorted_once(rows: Iterable[tuple[PairRow, Path]]) -> list[PairRow]:
    """Rows by index. A row that stands twice, alike, counts once: a merge may have been killed halfway.

    Args:
        rows: Rows, each with the file that it stands in.

    Returns:
        Rows in the order of their indices.

    Raises:
        ValueError: Two rows of one index differ.
    """
    ordered = sorted(rows, key=lambda row_and_place: row_and_place[0].index)
    kept = [row for row, _ in ordered[:1]]
    for (before, place), (after, other) in itertools.pairwise(ordered):
        if before.index != after.index:
            kept.append(after)
        elif row_values(before) != row_values(after):
            both = (
                f'{place} holds index {after.index} twice'
                if place == other
                else (f'{place} and {other} both hold index {after.index}')
            )
            raise ValueError(
                f'{both}, with different values: two runs wrote into the folder at the same time, or a table was '
                'edited. Remove the line that is wrong, or, where nobody knows, all lines of such indices (or both '
                'tables): the tools/generate_pairs.py command of the folder then draws those pairs anew.'
            )
    return kept


def row_values(row: PairRow) -> str:
    """All that a row says, to be compared: NaN, which nothing was asked for stands as, differs from itself."""
    return repr(row._replace(measures=sorted(row.measures.items())))


def measure_names(rows: Iterable[PairRow]) -> list[str]:
    """Names of the measures that any row has, in the order they come up."""
    return list(dict.fromkeys(name for row in rows for name in row.measures))
