"""A table of results that grows row by row on disk: CSV for programs, Markdown for people."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..csv_files import csv_text, read_csv
from ..files import make_folder, remove_leftovers, write_atomically
from ..json_files import read_json_object, write_json
from ..texts import markdown_text, shown


class ResultTable:
    """Rows of numbers, each under the settings that made it; a run that was cut off finds what is there.

    One process may use it at a time: tools hold the lock of its folder.

    Files: `<name>.json`, what all rows have in common; `<name>.csv` and `<name>.md`, the rows.

    Args:
        folder: Where the files lie; made if missing.
        name: Of the files.
        common: JSON-like; what all rows have in common.
        settings: Names of the columns that tell rows apart.

    Raises:
        ValueError: The files on disk were made with something else in common, or are damaged.
    """

    def __init__(self, folder: str | Path, name: str, common: Mapping, settings: Sequence[str]) -> None:
        self.path, self.settings = Path(folder) / name, tuple(settings)
        make_folder(self.path.parent)
        common = json.loads(json.dumps({**common, 'settings': self.settings}))
        written = self.path.with_name(f'{name}.json')
        remove_leftovers(*(self.path.with_name(f'{name}.{kind}') for kind in ('json', 'csv', 'md')))
        if written.exists():
            before = read_json_object(written)
            differing = [key for key in sorted(common.keys() | before.keys()) if common.get(key) != before.get(key)]
            if differing:
                raise ValueError(
                    f'{written} is of a table made with other {", ".join(differing)}. Give another folder, or remove '
                    'this one.'
                )
        write_json(written, common)
        self.rows = self._read()

    def _read(self) -> list[dict[str, str]]:
        path = self.path.with_name(f'{self.path.name}.csv')
        if not path.exists():
            return []
        table = read_csv(path, path.read_bytes(), self.settings)
        if table.decimal_comma:
            raise ValueError(f'{path} was saved with decimal commas, which would stay in it. Take it from a copy.')
        return [row.cells for row in table.rows]

    def has(self, **settings) -> bool:
        """Whether there is a row of these settings."""
        wanted = {name: str(value) for name, value in settings.items()}
        return any(all(row[name] == value for name, value in wanted.items()) for row in self.rows)

    def add(self, row: Mapping[str, object], notes: Sequence[str] = ()) -> None:
        """Adds a row and writes both files.

        Args:
            row: Settings and numbers by the name of their column.
            notes: Lines below the Markdown table.
        """
        texts = {name: f'{value:.6g}' if isinstance(value, float) else str(value) for name, value in row.items()}
        self.rows.append(texts)
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        content = '\n\n'.join([markdown_table(self.rows, columns), *notes]) + '\n'
        write_atomically(self.path.with_name(f'{self.path.name}.md'), content.encode())
        # Last, as it is what tells which rows are there.
        rows = [columns, *([row.get(name, '') for name in columns] for row in self.rows)]
        write_atomically(self.path.with_name(f'{self.path.name}.csv'), csv_text(rows).encode())


def markdown_table(rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> str:
    """Rows as a Markdown table, numbers with a sensible count of digits.

    Args:
        rows: Texts by the name of their column; a missing one is left empty.
        columns: The columns to show, in order.

    Returns:
        The table.
    """
    return markdown_lines(columns, [[_shown(row.get(name, '')) for name in columns] for row in rows])


def markdown_lines(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells as a Markdown table.

    PrettyTable's Markdown style takes sixteen times as long, refuses two columns of one name, escapes nothing, and pads
    all cells, so that one longer cell changes every line of a file that grows.

    Args:
        head: Names of the columns.
        rows: As many cells each.

    Returns:
        The table.
    """
    lines = [list(map(markdown_text, cells)) for cells in (head, *rows)]
    lines.insert(1, ['---'] * len(head))
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)


def _shown(text: str) -> str:
    """A few digits are enough to read; whole numbers and words stay."""
    if '.' not in text and 'e' not in text:
        return text
    try:
        value = float(text)
    except ValueError:
        return text
    return shown(value, '.2f', 100)
