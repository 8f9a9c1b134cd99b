"""The table of a pair folder: one row for each pair, as CSV."""

import csv
import io
import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

NO_MEASURES: Mapping[str, float] = {}


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
        targets = [f'target_{name}' for name in classes]
        measured = [f'measured_{name}' for name in classes]
        self.columns = ['index', 'seed', 'group', *targets, *measured, 'kept', 'reason']

    def format(self, rows: Iterable[PairRow], measures: Sequence[str], header: bool = True) -> bytes:
        """Rows as CSV.

        Args:
            rows: Rows; a measure that one lacks is left empty.
            measures: Names of the measures, in the order of their columns.
            header: Whether the names of the columns come first.

        Returns:
            Lines, each ended.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator='\n')
        if header:
            writer.writerow([*self.columns, *measures])
        for row in rows:
            fractions = [f'{value:.9f}' for value in (*row.target, *row.measured)]
            numbers = [f'{row.measures[name]:.6g}' if name in row.measures else '' for name in measures]
            writer.writerow([row.index, row.seed, row.group, *fractions, row.kept, row.reason, *numbers])
        return text.getvalue().encode()

    def read(self, path: Path) -> list[PairRow]:
        """The complete rows of a file. An unfinished last line, left by a killed run, is passed over.

        Args:
            path: File; may be missing.

        Returns:
            Rows in the order of the file.

        Raises:
            ValueError: A row is damaged.
        """
        try:
            complete = path.read_text().rpartition('\n')[0]
        except FileNotFoundError:
            return []
        return [self._parse(record, path) for record in csv.DictReader(io.StringIO(complete))]

    def _parse(self, record: dict, path: Path) -> PairRow:
        try:
            return PairRow(
                index=int(record['index']),
                seed=int(record['seed']),
                group=record['group'],
                target=tuple(float(record[f'target_{name}']) for name in self.classes),
                measured=tuple(float(record[f'measured_{name}']) for name in self.classes),
                kept={'True': True, 'False': False}[record['kept']],
                reason=record['reason'],
                measures={name: float(text) for name, text in record.items() if name not in self.columns and text},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f'{path}: damaged row {record}: {error!r}.') from error


def sorted_once(rows: Iterable[PairRow], path: Path) -> list[PairRow]:
    """Rows by index. A row that stands twice, alike, counts once: a merge may have been killed halfway.

    Args:
        rows: Rows.
        path: Where they come from, for the message.

    Returns:
        Rows in the order of their indices.

    Raises:
        ValueError: Two rows of one index differ.
    """
    ordered = sorted(rows, key=lambda row: row.index)
    kept = ordered[:1]
    for before, after in itertools.pairwise(ordered):
        if before.index != after.index:
            kept.append(after)
        elif repr(before) != repr(after):  # NaN, which nothing was asked for stands as, differs from itself
            raise ValueError(f'{path} holds index {after.index} twice, with different values.')
    return kept


def measure_names(rows: Iterable[PairRow]) -> list[str]:
    """Names of the measures that any row has, in the order they come up."""
    return list(dict.fromkeys(name for row in rows for name in row.measures))
