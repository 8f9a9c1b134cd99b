"""PairFolder: the on-disk format of generated pairs, its only reader and writer."""

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from ..files import TEMPORARY, temporary_files, write_atomically
from .micrograph_images import encode_grey, encode_label_map, read_png
from .pair_rows import PairRow, RowTable, measure_names, sorted_once

FORMAT_VERSION = 1
DESCRIPTION_FILE = 'pair_folder.json'
ROWS_FILE = 'pairs.csv'
# Recorded for the reader; a folder may be continued though they changed.
NOT_COMPARED = ('versions',)


class PairFolder:
    """A folder of generated pairs.

    Layout::

        images/00000012.png   uint8, one channel
        labels/00000012.png   uint8 class indices, palette embedded, 255 = ignore
        pairs.csv             a row for each pair whose two files are complete, sorted by index
        pair_folder.json      what the pairs are and what made them
        rows/0.csv            rows of a process that is writing, or was killed; :meth:`merge` moves them to pairs.csv

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
            self.table = RowTable(self.classes)
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
            root: Folder; missing, empty, or a pair folder of the same description or without pairs.
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
            if differing and not folder.rows():
                # Nothing was written under the settings there, so nothing can be mixed up.
                write_atomically(root / DESCRIPTION_FILE, json.dumps(wanted, indent=2).encode())
                folder = cls(root)
            elif differing:
                raise FileExistsError(
                    f'{root} holds pairs made by other settings: {"; ".join(differing)}. '
                    'Repeat the command that made it to continue it, or give another folder.'
                )
        else:
            strangers = [p.name for p in root.glob('*') if not p.name.endswith(TEMPORARY)]
            if strangers:
                raise FileExistsError(
                    f'{root} is not empty and no pair folder (it holds {strangers[0]!r}). Give another folder.'
                )
            root.mkdir(parents=True, exist_ok=True)
            write_atomically(root / DESCRIPTION_FILE, json.dumps(wanted, indent=2).encode())
            folder = cls(root)
        for sub in ('images', 'labels', 'rows'):
            (root / sub).mkdir(exist_ok=True)
        for path in temporary_files(root):
            path.unlink()
        folder.merge()
        return folder

    def image_path(self, index: int) -> Path:
        """Path of image `index`."""
        return self.root / 'images' / f'{index:08d}.png'

    def label_path(self, index: int) -> Path:
        """Path of label map `index`."""
        return self.root / 'labels' / f'{index:08d}.png'

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Image and label map `index`, (H, W) uint8 each."""
        return read_png(self.image_path(index)), read_png(self.label_path(index))

    def has_files(self, index: int) -> bool:
        """Whether both files of pair `index` stand on disk."""
        return self.image_path(index).is_file() and self.label_path(index).is_file()

    def rows(self) -> list[PairRow]:
        """The rows of all processes, sorted by index.

        Returns:
            One :class:`PairRow` for each complete pair.

        Raises:
            ValueError: A row is damaged, or two of one index differ.
        """
        # `pairs.csv` last: what another process moves into it meanwhile is then seen in one of the two places.
        paths = [*sorted((self.root / 'rows').glob('*.csv')), self.root / ROWS_FILE]
        return sorted_once((row for path in paths for row in self.table.read(path)), self.root / ROWS_FILE)

    def missing(self, num: int) -> list[int]:
        """Indices of 0..num-1 that have no row yet."""
        present = {row.index for row in self.rows()}
        return [index for index in range(num) if index not in present]

    def write(self, row: PairRow, image: np.ndarray, label: np.ndarray, rank: int = 0) -> None:
        """Writes a pair: its two files, then its row.

        Args:
            row: Its row; all rows of a run have the same measures.
            image: (H, W) uint8.
            label: (H, W) uint8, class indices or 255.
            rank: Number of the writing process; each has a row file of its own.

        Raises:
            ValueError: Shapes or dtypes that do not fit, before anything is written.
            OSError: Disk full or not writable; the folder stays as it was, temporary files aside.
        """
        self.write_files(row.index, image, label)
        self.append_row(row, rank)

    def write_files(self, index: int, image: np.ndarray, label: np.ndarray) -> None:
        """The files of a pair, each under a temporary name first. Without :meth:`append_row` the pair does not count.

        Args:
            index: Of the pair.
            image: (H, W) uint8.
            label: (H, W) uint8, class indices or 255.

        Raises:
            ValueError: Shapes or dtypes that do not fit, before anything is written.
            OSError: Disk full or not writable.
        """
        for name, array in (('image', image), ('label', label)):
            if array.ndim != 2 or array.dtype != np.uint8 or array.shape != label.shape:
                raise ValueError(
                    f'{name} must be (H, W) uint8 of one size for both, got {array.shape} {array.dtype} '
                    f'with a label of {label.shape}.'
                )
        write_atomically(self.image_path(index), encode_grey(image))
        write_atomically(self.label_path(index), encode_label_map(label, self.palette))

    def append_row(self, row: PairRow, rank: int = 0) -> None:
        """The row of a pair whose files stand; one call at a time for each rank.

        Args:
            row: All rows of a run have the same measures.
            rank: Number of the writing process.
        """
        path = self.root / 'rows' / f'{rank}.csv'
        with open(path, 'ab') as file:
            file.write(self.table.format([row], list(row.measures), header=file.tell() == 0))
            file.flush()
            os.fsync(file.fileno())

    def replace_rows(self, rows: Iterable[PairRow]) -> None:
        """Writes `pairs.csv` anew, in one rename.

        Args:
            rows: All rows of the folder.
        """
        path = self.root / ROWS_FILE
        rows = sorted_once(rows, path)
        content = self.table.format(rows, measure_names(rows))
        if not path.is_file() or path.read_bytes() != content:
            write_atomically(path, content)

    def merge(self) -> None:
        """Moves the rows of all processes into `pairs.csv`; drops rows whose files are gone. No process may write."""
        self.replace_rows([row for row in self.rows() if self.has_files(row.index)])
        for path in (self.root / 'rows').glob('*.csv'):
            path.unlink()

    def finish(self) -> None:
        """Merges the rows and leaves nothing but the pairs, their table and the description."""
        self.merge()
        shutil.rmtree(self.root / 'rows', ignore_errors=True)


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
