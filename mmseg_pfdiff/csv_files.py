"""CSV files: written so that no cell is a formula to a spreadsheet, read as spreadsheets save them."""

import csv
import io
import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

from .texts import short

DELIMITERS = (',', ';', '\t')
MAX_CELL = 131_072  # characters
# What spreadsheets take for the start of a formula, be it behind apostrophes of ours or of others.
FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
SEPARATOR = re.compile(r'"?sep=([,;\t])"?[\r\n]', re.IGNORECASE)  # the first line of what Excel reads anywhere
NUMBER = re.compile(r'[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?', re.ASCII | re.IGNORECASE)


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV for programs and spreadsheets.

    A text that a spreadsheet would compute gets an apostrophe in front, which :func:`read_csv` takes off again, so
    that every text comes back as it was.

    Args:
        rows: Cells; texts, or what `str` makes one of.

    Returns:
        Lines, each ended by a line feed.
    """
    lines: list[str] = []
    # With its own line ends, csv quotes both characters of these wherever they stand in a cell.
    writer = csv.writer(SimpleNamespace(write=lines.append), lineterminator='\r\n')
    writer.writerows([_defused(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return ''.join(line.removesuffix('\r\n') + '\n' for line in lines)


def _defused(text: str) -> str:
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def _as_it_was(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


class CsvRow(NamedTuple):
    """A row of a table.

    Attributes:
        line: Its first line in the file, counted from 1.
        cells: Text by the name of the column.
    """

    line: int
    cells: dict[str, str]


class CsvTable(NamedTuple):
    """A table that was read.

    Attributes:
        path: Its file, for messages.
        columns: Names of the columns.
        rows: Rows in the order of the file.
        decimal_comma: Whether numbers are written as 0,25.
    """

    path: Path
    columns: list[str]
    rows: list[CsvRow]
    decimal_comma: bool

    def number(self, row: CsvRow, column: str, low: float = -math.inf, high: float = math.inf) -> float:
        """A cell as a number; NaN and infinity are written `nan` and `inf`.

        Args:
            row: Of this table.
            column: Its name.
            low: Least number; NaN is never refused.
            high: Largest number.

        Raises:
            ValueError: It is none, or out of range; the message names file, line and column.
        """
        text = row.cells[column].strip()
        if self.decimal_comma and '.' not in text:
            text = text.replace(',', '.')
        elif self.decimal_comma:
            raise self.error(row, column, 'a decimal comma, as other numbers of the file have')
        try:
            value = float(text) if text.isascii() and '_' not in text else None
        except ValueError:
            value = None
        if value is None or value < low or value > high:
            limits = '' if (low, high) == (-math.inf, math.inf) else f' from {low:g} to {high:g}'
            raise self.error(row, column, f'a number{limits}')
        return value

    def whole(self, row: CsvRow, column: str) -> int:
        """A cell as a whole number >= 0.

        Args:
            row: Of this table.
            column: Its name.

        Raises:
            ValueError: It is none; the message names file, line and column.
        """
        text = row.cells[column].strip()
        if not re.fullmatch('[0-9]{1,30}', text):
            raise self.error(row, column, 'a whole number >= 0')
        return int(text)

    def error(self, row: CsvRow, column: str, expected: str) -> ValueError:
        """The error to raise for a cell.

        Args:
            row: Of this table.
            column: Its name.
            expected: What belongs there.
        """
        return ValueError(
            f'{_place(self.path, row.line, column)}: expected {expected}, got {short(row.cells[column])}. Correct the '
            'cell, or take the file from a copy.'
        )


def read_csv(
    path: Path, content: bytes, required: Sequence[str], texts: Sequence[str] = (), *, stripped: bool = False
) -> CsvTable:
    """A table with a line of column names.

    Read is also what a spreadsheet made of it: a byte-order mark, a first line `sep=;`, other line ends, semicolons or
    tabs between the cells and then perhaps decimal commas, quotes, empty lines, and empty cells beyond the last column.

    Args:
        path: Name of the file, for messages.
        content: What it holds.
        required: Names of columns that it must have.
        texts: Names of columns that hold no numbers.
        stripped: Whether spaces around a cell do not count, as in tables that people write.

    Returns:
        The table.

    Raises:
        ValueError: It is no such table; the message names file, line and, where it is one, column.
    """
    try:
        text = content.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        line = content.count(b'\n', 0, error.start) + 1
        raise ValueError(f'{path}, line {line}: no text in UTF-8. Save the table as CSV in UTF-8.') from error

    separator = SEPARATOR.match(text)

    def read(delimiter: str) -> Iterator[tuple[int, list[str]]]:
        for line, cells in itertools.islice(_records(path, text, delimiter), 1 if separator else 0, None):
            yield line, [cell.strip() for cell in cells] if stripped else cells

    with _cells_of_any_length():  # an overlong one is named by its column
        delimiter = _delimiter(path, read, required, separator)
        (_, header), *records = read(delimiter)
    columns = _columns(path, header)
    rows = [_row(path, line, columns, cells) for line, cells in records if any(cells)]
    numbers = [name for name in columns if name and name not in texts]
    decimal_comma = delimiter != ',' and any(',' in row.cells[name] for row in rows for name in numbers)
    return CsvTable(path, list(filter(None, columns)), rows, decimal_comma)


def _delimiter(path: Path, read: Callable, required: Sequence[str], separator: re.Match | None) -> str:
    """The sign between the cells: that with which the first line holds the names required."""
    missing = {}
    for delimiter in separator.groups() if separator else DELIMITERS:
        names = _names(read(delimiter))
        missing[delimiter] = [name for name in required if name not in names]
        if not missing[delimiter]:
            return delimiter
    fewest = min(missing.values(), key=len)
    raise ValueError(
        f'{path}, line 1: the column {short(fewest[0])} is missing. The first line must name the columns '
        f'{", ".join(map(short, required))}, separated by commas. Correct it, or take the file from a copy.'
    )


def _names(records: Iterator[tuple[int, list[str]]]) -> set[str]:
    """Names of the columns, if the delimiter is right."""
    try:
        return {_as_it_was(cell) for _, cells in itertools.islice(records, 1) for cell in cells}
    except ValueError:  # quotes at places that another delimiter makes right
        return set()


def _records(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """First line and cells of each row of a file."""
    reader = csv.reader(io.StringIO(text, newline=''), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise ValueError(
                f'{path}, line {line}: {error}. Correct the line, or take the file from a copy.'
            ) from error
        yield line, cells


@contextmanager
def _cells_of_any_length() -> Iterator[None]:
    before = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _columns(path: Path, header: list[str]) -> list[str]:
    """Names of the columns, empty ones too."""
    columns = [_as_it_was(cell) for cell in header]
    twice = [name for name in columns if name and columns.count(name) > 1]
    if twice:
        raise ValueError(f'{path}, line 1: the column {short(twice[0])} stands there twice. Remove one of them.')
    return columns


def _row(path: Path, line: int, columns: list[str], cells: list[str]) -> CsvRow:
    if len(cells) < len(columns):
        name = columns[len(cells)]
        raise ValueError(
            f'{_place(path, line, name)}: the line ends before it, after {len(cells)} cells of {len(columns)}. '
            'Complete or remove the line, or take the file from a copy.'
        )
    names = columns + [''] * (len(cells) - len(columns))
    for name, cell in zip(names, cells, strict=True):
        if cell and not name:
            raise ValueError(
                f'{path}, line {line}: {short(cell)} stands in no column, after {len(columns)} cells. Remove it; '
                'where commas separate the cells, decimals are written with a point.'
            )
        if len(cell) > MAX_CELL:
            raise ValueError(
                f'{_place(path, line, name)}: {len(cell)} characters in a cell, expected were {MAX_CELL} at most. '
                'Correct the cell, or take the file from a copy.'
            )
    return CsvRow(line, {name: _as_it_was(cell) for name, cell in zip(names, cells, strict=True) if name})


def _place(path: Path, line: int, column: str) -> str:
    return f'{path}, line {line}, column {short(column)}'
