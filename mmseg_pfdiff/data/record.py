"""A converted folder: its record, dataset.json, the mark of one that is not finished, and who may fill it."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..changes import describe_changes
from ..files import TEMPORARY, resolved, write_atomically
from ..json_files import write_json
from ..phases.labels import IGNORE_INDEX
from .layout import FOLDERS, DataError, plain_name

RECORD = 'dataset.json'  # stands in the folder when everything else does
UNFINISHED = 'dataset.unfinished.json'  # stands there from the first file written to the last
# Their names before own data had them too; what was converted then stays valid.
FORMER_NAMES = {RECORD: 'metaldam.json', UNFINISHED: 'metaldam.unfinished.json'}
# Names of files that stand in a folder whose files belong together. Rooms above add theirs.
MARKS = {*FORMER_NAMES, *FORMER_NAMES.values()}


def refuse_among_data(path: str | os.PathLike) -> None:
    """Refuses a place for new files inside a data set or a folder of pairs, whose files they could replace.

    Args:
        path: Where something is to be written; a data set's own folder is not refused.

    Raises:
        DataError: It lies in one; the message names it.
    """
    for folder in resolved(path).parents:
        if any((folder / mark).is_file() for mark in MARKS):
            raise DataError(f'{path} lies in {folder}, whose files belong together: give a place of its own.')


def check_finished(folder: str | os.PathLike) -> None:
    """Refuses a data set whose conversion was stopped; a folder that no converter wrote is taken as it is.

    Args:
        folder: The data set, or a folder in it, such as `data/metaldam/tiles/img_dir/train`.

    Raises:
        DataError: The conversion is marked as unfinished.
    """
    folder = Path(folder)
    for root in (folder, *folder.parents):
        if root != folder and folder.relative_to(root).parts[0] not in FOLDERS:
            continue  # a data set may lie in a folder that is one itself
        if mark := _find(root, UNFINISHED):
            raise DataError(
                f'{root} is a data set whose conversion was stopped before its end, so that files are missing ({mark} '
                'marks it). Run the same command of tools/dataset_converters again: it goes on.'
            )


def read_record(root: str | os.PathLike) -> dict | None:
    """Reads what a converter recorded of a data set.

    Args:
        root: The data set.

    Returns:
        Content of `dataset.json`, whose `identity` tells what the data set was made of and how; None for a folder
        that no converter wrote.

    Raises:
        DataError: The conversion is unfinished, or the record is damaged.
    """
    check_finished(root)
    return load_mark(Path(root), RECORD)


def require_record(root: str | os.PathLike) -> dict:
    """Reads the record of a data set that must have one, with its classes.

    Args:
        root: The data set.

    Returns:
        Content of `dataset.json`.

    Raises:
        FileNotFoundError: There is no such folder.
        DataError: No converter wrote it, its conversion is unfinished, or the record is damaged.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f'There is no data set {root}: convert one with tools/dataset_converters.')
    record = read_record(root)
    if record is None:
        raise DataError(
            f'{root} has no {RECORD}, which says what its classes are: give the folder that a tool of '
            'tools/dataset_converters filled (micrographs.py takes your own data), or name the classes of a data set '
            'in its `metainfo`.'
        )
    classes, palette = record.get('classes'), record.get('palette')
    if not isinstance(classes, list) or not isinstance(palette, list) or not 0 < len(classes) == len(palette):
        raise DataError(f'{root / RECORD} does not name classes with a colour for each: convert the data anew.')
    if record.get('ignore_index', IGNORE_INDEX) != IGNORE_INDEX:
        raise DataError(
            f'{root / RECORD} says that {record["ignore_index"]} is ignored; it must be {IGNORE_INDEX} here: convert '
            'the data anew.'
        )
    return record


def load_mark(root: Path, name: str) -> dict | None:
    """Reads :data:`RECORD` or :data:`UNFINISHED` of a data set; None where there is none.

    Args:
        root: Of the data set.
        name: One of the two.

    Returns:
        Its content: an object `identity`, and `files` in a record.

    Raises:
        DataError: What stands there is neither.
    """
    path = _find(root, name)
    if path is None:
        return None
    try:
        mark = json.loads(path.read_text(encoding='utf-8'))
        if not all(isinstance(mark[key], dict) for key in (('identity', 'files') if name == RECORD else ('identity',))):
            raise TypeError('its fields are of another kind')
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f'{path} is not the record of a conversion ({error!r}). Convert into another folder, or move it away.'
        ) from error
    return mark


def _find(root: Path, name: str) -> Path | None:
    """The record or the mark of that name, as it is called now or was called once."""
    return next((path for path in (root / name, root / FORMER_NAMES[name]) if path.exists()), None)


class ConversionFolder:
    """Guards what stands in OUT: files of this conversion and no others.

    Nothing is written or removed before :meth:`begin`. A folder filled by another conversion, finished or not, and a
    folder with files that no conversion wrote are refused: the data set would read old and new files together.

    Args:
        root: OUT.
        identity: What the files depend on, as plain JSON values; it tells one conversion from another.

    Raises:
        DataError: OUT is a file, lies among the files of a data set, or was filled by another conversion.
    """

    def __init__(self, root: str | os.PathLike, identity: dict) -> None:
        self.root = Path(root)
        self.identity = identity
        if self.root.exists() and not self.root.is_dir():
            raise DataError(f'{self.root} is a file; OUT must be a folder, or a path where one can be made.')
        refuse_among_data(self.root)
        self._record = load_mark(self.root, RECORD)
        self._unfinished = load_mark(self.root, UNFINISHED)
        for mark, state in ((self._record, 'a finished'), (self._unfinished, 'an unfinished')):
            if mark is not None and mark['identity'] != identity:
                raise DataError(
                    f'{self.root} holds {state} conversion made from something else: '
                    f'{"; ".join(describe_changes(mark["identity"], identity))}. Give another OUT, run with what made '
                    f'it, or remove what stands there ({", ".join((*FOLDERS, RECORD, UNFINISHED))}) yourself.'
                )

    def _present(self) -> set[str]:
        """Files in the folders of the data set, by path below OUT."""
        paths = [path for path in self._walk() if not path.name.startswith('.')]
        return {plain_name(path.relative_to(self.root).as_posix()) for path in paths}

    def _walk(self) -> Iterator[Path]:
        """All files in the folders of the data set, also behind links: what reads the data set follows them."""
        for folder in FOLDERS:
            for place, subfolders, names in os.walk(self.root / folder, followlinks=True):
                for path in [Path(place, name) for name in subfolders]:
                    if path.is_symlink() and any(path.samefile(folder) for folder in path.absolute().parents):
                        raise DataError(f'{path} is a link to a folder that it lies in, without an end: remove it.')
                yield from (Path(place, name) for name in names)

    def _refuse_other_kinds(self, files: Iterable[str]) -> None:
        """Refuses folders where files belong, and what is no folder where files belong in one."""
        paths = [self.root / file for file in files]
        for path in paths:
            if path.is_dir():
                raise DataError(f'{path} is a folder, a file of the data set belongs there: move it away.')
        for folder in {folder for path in paths for folder in path.parents if folder.is_relative_to(self.root)}:
            if os.path.lexists(folder) and not folder.is_dir():
                kind = 'a link that leads nowhere' if folder.is_symlink() else 'a file'
                raise DataError(f'{folder} is {kind}, a folder of the data set belongs there: move it away.')

    def _refuse_changed(self, present: set[str]) -> None:
        files = self._record['files']
        for path in sorted(present & set(files)):
            if (size := (self.root / path).stat().st_size) != files[path]:
                raise DataError(
                    f'{self.root / path} was changed after the conversion: it has {size} bytes, {files[path]} were '
                    f'written. Delete it to have it written again, or give another OUT.'
                )

    def _refuse_foreign(self, expected: Iterable[str], present: set[str]) -> None:
        foreign = sorted(present - set(expected))
        if foreign:
            raise DataError(
                f'{self.root} holds {len(foreign)} files that this conversion did not write ({", ".join(foreign[:3])}'
                f'{", ..." if len(foreign) > 3 else ""}); the data set would read them too. Move them away, or give '
                f'another OUT.'
            )

    def finished(self) -> dict | None:
        """The record of a finished conversion whose files are all there, or None when there is something to write.

        Raises:
            DataError: There are foreign files, a file was changed since, or a folder stands in its place.
        """
        if self._record is None or self._unfinished is not None:
            return None
        present = self._present()
        files = self._record['files']
        self._refuse_other_kinds(files)
        self._refuse_foreign(files, present)
        self._refuse_changed(present)
        return self._record if present == set(files) else None

    def begin(self, files: Iterable[str]) -> None:
        """Makes sure that only `files` (paths below OUT) can be there, and marks the folder as unfinished.

        Args:
            files: All that will be written.

        Raises:
            DataError: There are foreign files, a file was changed since, or a folder stands in its place.
        """
        begun, present = self._record is not None or self._unfinished is not None, self._present()
        self._refuse_other_kinds(files)
        self._refuse_foreign(files if begun else (), present)
        if self._record is not None:
            self._refuse_changed(present)
        leftovers = [path for path in self._walk() if path.name.startswith('.') and path.name.endswith(TEMPORARY)]
        for path in (*leftovers, *self.root.glob(f'.dataset.*{TEMPORARY}')):
            path.unlink()
        # Also where a finished one is mended: until its end, files are missing.
        if self._unfinished is None:
            write_json(self.root / UNFINISHED, dict(identity=self.identity))

    def write(self, file: str, content: bytes) -> int:
        """Writes a file unless it stands there already.

        Args:
            file: Path below OUT.
            content: What it holds.

        Returns:
            Size in bytes of what stands there.
        """
        path = self.root / file
        if path.exists():
            # A finished file may be the user's by now; one of an unfinished run may predate a crash of the machine.
            if self._record is not None:
                return path.stat().st_size
            if path.read_bytes() == content:
                return len(content)
        write_atomically(path, content)
        return len(content)

    def finish(self, record: dict, sizes: dict[str, int]) -> dict:
        """Writes the record, which marks the conversion as complete.

        Args:
            record: What is recorded of the conversion.
            sizes: Every file's size in bytes.

        Returns:
            The record as it stands there.
        """
        write_json(self.root / RECORD, {**record, 'identity': self.identity, 'files': sizes})
        for name in (*FORMER_NAMES.values(), UNFINISHED):
            (self.root / name).unlink(missing_ok=True)
        return load_mark(self.root, RECORD)
