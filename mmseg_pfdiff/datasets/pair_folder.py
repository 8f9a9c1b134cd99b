"""PairFolder: the on-disk format of generated pairs, its only reader and writer."""

import csv
import io
import itertools
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..files import TEMPORARY, temporary_files, write_atomically
from .micrograph_images import encode_grey, encode_label_map

FORMAT_VERSION = 1
DESCRIPTION_FILE = 'pair_folder.json'
ROWS_FILE = 'pairs.csv'
# Recorded for the reader; a folder may be continued though they changed.
NOT_COMPARED = ('versions',)


class PairRow(NamedTuple):
    """One row of `pairs.csv`.

    Attributes:
        index: Index of the pair, >= 0; names its files.
        seed: Seed of the run that drew it.
        group: Group of the fraction sampler it was drawn for.
        target: K phase fractions asked for, in the order of the classes.
        measured: K phase fractions of the label map written.
        kept: False for a pair that training should leave out.
        reason: Why it is not kept, else empty.
    """

    index: int
    seed: int
    group: str
    target: tuple[float, ...]
    measured: tuple[float, ...]
    kept: bool = True
    reason: str = ''


class PairFolder:
    """A folder of generated pairs.

    Layout::

        images/00000012.png   uint8, one channel
        labels/00000012.png   uint8 class indices, palette embedded, 255 = ignore
        pairs.csv             a row for each pair whose two files are complete
        pair_folder.json      what the pairs are and what made them

    Args:
        root: An existing pair folder; see :meth:`create` for a new one.

    Raises:
        FileNotFoundError: `root` is not a pair folder.
        ValueError: It was written in a format this version does not know, or its description or rows are damaged.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        path = self.root / DESCRIPTION_FILE
        if not path.is_file():
            raise FileNotFoundError(
                f'{self.root} is not a pair folder: it has no {DESCRIPTION_FILE}. '
                'Give the folder that tools/generate_pairs.py wrote with --out.'
            )
        try:
            self.description = json.loads(path.read_text())
            self.classes = tuple(self.description['classes'])
            self.palette = tuple(tuple(colour) for colour in self.description['palette'])
            found = self.description['format_version']
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ValueError(f'{path} is damaged ({error!r}). Restore it or generate the pairs anew.') from error
        if found != FORMAT_VERSION:
            raise ValueError(f'{path} has format version {found}, this version of mmseg_pfdiff reads {FORMAT_VERSION}.')

    @classmethod
    def create(cls, root: str | Path, description: Mapping) -> 'PairFolder':
        """Starts a pair folder, or continues one that the same settings began.

        Leftovers of an interrupted run are removed. A row whose files are gone is dropped, so that its pair is
        written again.

        Args:
            root: Folder; missing, empty, or a pair folder of the same description.
            description: JSON-like; has `classes` and `palette`. `versions` is recorded but not compared.

        Returns:
            The folder, ready for :meth:`write`.

        Raises:
            FileExistsError: `root` holds something else, or pairs made by other settings; nothing is changed then.
        """
        root = Path(root)
        wanted = json.loads(json.dumps({'format_version': FORMAT_VERSION, **description}))
        if root.exists() and not root.is_dir():
            raise FileExistsError(f'{root} is a file; give a folder.')
        if (root / DESCRIPTION_FILE).exists():
            folder = cls(root)
            differing = _differences(folder.description, wanted)
            if differing:
                raise FileExistsError(
                    f'{root} holds pairs made by other settings: {"; ".join(differing)}. '
                    'Repeat the command that made it to continue it, or give another folder.'
                )
        else:
            strangers = [p.name for p in root.glob('*') if not p.name.endswith(TEMPORARY)]
            if strangers:
                raise FileExistsError(f'{root} is not empty and no pair folder (it holds {strangers[0]!r}).')
            root.mkdir(parents=True, exist_ok=True)
            write_atomically(root / DESCRIPTION_FILE, json.dumps(wanted, indent=2).encode())
            folder = cls(root)
        for sub in ('images', 'labels'):
            (root / sub).mkdir(exist_ok=True)
        folder._clean_up()
        return folder

    def image_path(self, index: int) -> Path:
        """Path of image `index`."""
        return self.root / 'images' / f'{index:08d}.png'

    def label_path(self, index: int) -> Path:
        """Path of label map `index`."""
        return self.root / 'labels' / f'{index:08d}.png'

    def has_files(self, index: int) -> bool:
        """Whether both files of pair `index` stand on disk."""
        return self.image_path(index).is_file() and self.label_path(index).is_file()

    def rows(self) -> list[PairRow]:
        """The rows, sorted by index. An unfinished last line, left by a killed run, is passed over.

        Returns:
            One :class:`PairRow` for each complete pair.

        Raises:
            ValueError: A row is damaged or stands twice.
        """
        path = self.root / ROWS_FILE
        if not path.is_file():
            return []
        complete = path.read_text().rpartition('\n')[0]
        rows = [self._parse(record, path) for record in csv.DictReader(io.StringIO(complete))]
        rows.sort(key=lambda row: row.index)
        for before, after in itertools.pairwise(rows):
            if before.index == after.index:
                raise ValueError(f'{path} holds index {after.index} twice.')
        return rows

    def missing(self, num: int) -> list[int]:
        """Indices of 0..num-1 that have no row yet."""
        present = {row.index for row in self.rows()}
        return [index for index in range(num) if index not in present]

    def write(self, row: PairRow, image: np.ndarray, label: np.ndarray) -> None:
        """Writes a pair: both files under temporary names, then renamed, the row last.

        Args:
            row: Its row.
            image: (H, W) uint8.
            label: (H, W) uint8, class indices or 255.

        Raises:
            ValueError: Shapes or dtypes that do not fit, before anything is written.
            OSError: Disk full or not writable; the folder stays as it was, temporary files aside.
        """
        for name, array in (('image', image), ('label', label)):
            if array.ndim != 2 or array.dtype != np.uint8 or array.shape != label.shape:
                raise ValueError(
                    f'{name} must be (H, W) uint8 of one size for both, got {array.shape} {array.dtype} '
                    f'with a label of {label.shape}.'
                )
        write_atomically(self.image_path(row.index), encode_grey(image))
        write_atomically(self.label_path(row.index), encode_label_map(label, self.palette))
        self._append(row)

    def _columns(self) -> list[str]:
        targets = [f'target_{name}' for name in self.classes]
        measured = [f'measured_{name}' for name in self.classes]
        return ['index', 'seed', 'group', *targets, *measured, 'kept', 'reason']

    def _format(self, rows: Iterable[PairRow], header: bool) -> bytes:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator='\n')
        if header:
            writer.writerow(self._columns())
        for row in rows:
            fractions = [f'{value:.9f}' for value in (*row.target, *row.measured)]
            writer.writerow([row.index, row.seed, row.group, *fractions, row.kept, row.reason])
        return text.getvalue().encode()

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
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f'{path}: damaged row {record}: {error!r}.') from error

    def _append(self, row: PairRow) -> None:
        path = self.root / ROWS_FILE
        with open(path, 'ab') as file:
            file.write(self._format([row], header=file.tell() == 0))
            file.flush()
            os.fsync(file.fileno())

    def _clean_up(self) -> None:
        """Removes temporary files, unfinished lines, and rows whose files are gone."""
        for path in temporary_files(self.root):
            path.unlink()
        path = self.root / ROWS_FILE
        if path.is_file():
            content = self._format((row for row in self.rows() if self.has_files(row.index)), header=True)
            if content != path.read_bytes():
                write_atomically(path, content)


def _differences(found: Mapping, wanted: Mapping, prefix: str = '') -> list[str]:
    """Settings that differ, as 'name: found there, wanted here'."""
    lines = []
    for key in sorted({*found, *wanted} - (set(NOT_COMPARED) if not prefix else set())):
        there, here = found.get(key), wanted.get(key)
        if isinstance(there, Mapping) and isinstance(here, Mapping):
            lines += _differences(there, here, f'{prefix}{key}.')
        elif there != here:
            lines.append(f'{prefix}{key} is {there!r} there and {here!r} here')
    return lines
