"""PairFolder: the on-disk format of generated pairs, its only reader and writer."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from ..data.record import MARKS
from ..files import TEMPORARY, append_whole, make_folder, refuse_no_folder, temporary_files, write_atomically
from .description import description_json, how_to_go_on, new_description, other_settings, read_description
from .files import PairFiles
from .rows import PairRow, RowTable, measure_names, sorted_once

DESCRIPTION_FILE = 'pair_folder.json'
ROWS_FILE = 'pairs.csv'
SUBFOLDERS = ('images', 'labels', 'rows')
MARKS.add(DESCRIPTION_FILE)  # as nothing else is to be written among pairs


class PairFolder(PairFiles):
    """A folder of generated pairs.

    Layout::

        images/00000012.png   uint8, one channel
        labels/00000012.png   uint8 class indices, palette embedded, 255 = ignore
        pairs.csv             a row for each pair whose two files are complete, sorted by index
        pair_folder.json      what the pairs are and what made them
        drawn/00000012.png    the label map as it was drawn, where the one in labels/ was replaced
        rows/0.csv            rows of a process that is writing, or was killed; :meth:`merge` moves them to pairs.csv

    Nothing in it tells where it lies, so it can be moved, renamed and copied. One process, or the processes of one
    launcher, may write to it at a time: tools hold its lock (`mmseg_pfdiff/folder_lock.py`).

    Args:
        root: An existing pair folder; see :meth:`create` for a new one.

    Raises:
        FileNotFoundError: `root` is not a pair folder.
        ValueError: It was written in a format this version does not know, or its description is damaged.
    """

    def __init__(self, root: str | Path) -> None:
        path = Path(root) / DESCRIPTION_FILE
        if not path.is_file():
            raise FileNotFoundError(
                f'{root} is not a pair folder: it has no {DESCRIPTION_FILE}. '
                'Give the folder that tools/generate_pairs.py wrote with --out.'
            )
        self.description = read_description(path)
        super().__init__(Path(root), self.description['classes'], self.description['palette'])
        self.table = RowTable(self.classes)

    @classmethod
    def create(cls, root: str | Path, description: Mapping) -> 'PairFolder':
        """Starts a pair folder, or continues one that the same settings began. No other process may write to it.

        Leftovers of an interrupted run are removed. A row whose files are gone is dropped, so that its pair is
        written again.

        Args:
            root: Folder; missing, empty, or a pair folder of the same description or without pairs.
            description: JSON-like; has `classes` and `palette`. `versions` is recorded but not compared.

        Returns:
            The folder, ready for :meth:`write`.

        Raises:
            FileExistsError: `root` holds something else, or pairs made by other settings, or a file stands where one of
                its folders belongs; nothing is changed then.
            ValueError: The description or the rows are damaged, or rows are of another seed; nothing is changed then.
        """
        root, wanted = Path(root), new_description(description)
        refuse_no_folder(root)
        if (root / DESCRIPTION_FILE).exists():
            _refuse_other_settings(cls(root), wanted)
        else:
            _refuse_strangers(root)
        for sub in SUBFOLDERS:
            refuse_no_folder(root / sub)
        if not (root / DESCRIPTION_FILE).exists() or other_settings(cls(root).description, wanted):
            write_atomically(root / DESCRIPTION_FILE, description_json(wanted))
        for sub in SUBFOLDERS:
            make_folder(root / sub)
        folder = cls(root)
        folder.remove_leftovers()
        folder.merge()
        return folder

    def remove_leftovers(self) -> None:
        """Removes what an interrupted run left of files that it was writing. No process may write."""
        # Subfolders one by one: they may be links, which are not followed otherwise.
        for place in (self.root, *(path for path in self.root.iterdir() if path.is_dir())):
            for path in filter(Path.is_file, list(temporary_files(place))):
                path.unlink()

    def rows(self) -> list[PairRow]:
        """The rows of all processes, sorted by index.

        Returns:
            One :class:`PairRow` for each complete pair.

        Raises:
            ValueError: A row is damaged, or two of one index differ.
        """
        moving = [
            (row, path)
            for path in sorted((self.root / 'rows').glob('*.csv'))
            for row in self.table.read(path, growing=True)
        ]
        # `pairs.csv` last: what another process moves into it meanwhile is then seen in one of the two places.
        path = self.root / ROWS_FILE
        return sorted_once([*moving, *((row, path) for row in self.table.read(path))])

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

    def append_row(self, row: PairRow, rank: int = 0) -> None:
        """The row of a pair whose files stand; one call at a time for each rank.

        Args:
            row: All rows of a run have the same measures.
            rank: Number of the writing process.

        Raises:
            ValueError: A row that could not be read back.
            OSError: Disk full or not writable; the rows stay as they were.
        """
        path, measures = self.root / 'rows' / f'{rank}.csv', list(row.measures)
        content, header = self.table.format([row], measures), self.table.header(measures)
        if path.is_file() and _beginning(path, len(header)) not in (b'', header):
            raise ValueError(f'Pair {row.index} has the measures {measures}, the rows in {path} have others.')
        make_folder(path.parent)  # which the end of an earlier run has removed
        append_whole(path, content, first=header)

    def replace_rows(self, rows: Iterable[PairRow]) -> None:
        """Writes `pairs.csv` anew, in one rename.

        Args:
            rows: All rows of the folder.
        """
        path = self.root / ROWS_FILE
        rows = sorted_once((row, path) for row in rows)
        measures = measure_names(rows)
        content = self.table.header(measures) + self.table.format(rows, measures)
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


def _beginning(path: Path, length: int) -> bytes:
    with open(path, 'rb') as file:
        return file.read(length)


def _refuse_other_settings(folder: PairFolder, wanted: Mapping) -> None:
    """A folder in which nothing was written under its settings may take others: nothing can be mixed up there."""
    rows, differing = folder.rows(), other_settings(folder.description, wanted)
    if differing and (rows or any(folder.root.glob('*/*.png'))):
        raise FileExistsError(
            f'{folder.root} holds pairs made by other settings: {"; ".join(differing)}. '
            f'{how_to_go_on(folder.description)}'
        )
    seeds = {row.seed for row in rows} - {wanted.get('seed')}
    if seeds and 'seed' in wanted:
        raise ValueError(
            f'{folder.root} tells of seed {wanted["seed"]}, but holds rows of seed '
            f'{", ".join(map(str, sorted(seeds)))}: two runs wrote there at the same time. Remove these rows from '
            f'{ROWS_FILE} and from rows/, and the same command draws those pairs anew.'
        )


def _refuse_strangers(root: Path) -> None:
    strangers = [path.name for path in root.glob('*') if not path.name.endswith(TEMPORARY)]
    if strangers:
        raise FileExistsError(
            f'{root} is not empty and no pair folder (it holds {strangers[0]!r}). Give another folder.'
        )
