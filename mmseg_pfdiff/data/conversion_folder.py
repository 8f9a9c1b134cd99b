"""A folder that one conversion fills, safe against interruption and against mixing with other files."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..files import TEMPORARY, write_atomically
from .layout import FOLDERS, DataError, plain_name, refuse_among_data
from .record import FORMER_NAMES, RECORD, UNFINISHED, load_mark


class ConversionFolder:
    """Guards what stands in OUT: files of this conversion and no others.

    Nothing is written or removed before :meth:`begin`. A folder filled by another conversion, finished or not, and a
    folder with files that no conversion wrote are refused: the data set would read old and new files together.

    Args:
        root: OUT.
        identity: What the files depend on, as plain JSON values; it tells one conversion from another.
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
                    f'{_differences(mark["identity"], identity)}. Give another OUT, run with what made it, or '
                    f'remove what stands there ({", ".join((*FOLDERS, RECORD, UNFINISHED))}) yourself.'
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
            write_atomically(self.root / UNFINISHED, _to_json({'identity': self.identity}))

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
        content = _to_json({**record, 'identity': self.identity, 'files': sizes})
        write_atomically(self.root / RECORD, content)
        for name in (*FORMER_NAMES.values(), UNFINISHED):
            (self.root / name).unlink(missing_ok=True)
        return json.loads(content)


def _to_json(value: dict) -> bytes:
    return (json.dumps(value, indent=1) + '\n').encode()


def _differences(there: dict, asked: dict) -> str:
    """Names what differs between two identities, with short values; of lists, what only one of them has."""

    def short(value: object, other: object) -> str:
        if isinstance(value, list) and isinstance(other, list):
            value = [item for item in value if item not in other]
        text = value if isinstance(value, str) else json.dumps(value)
        return text if len(text) <= 80 else f'{text[:77]}...'

    differing = []
    for key in [key for key in {**there, **asked} if there.get(key) != asked.get(key)]:
        old, new = there.get(key), asked.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            differing.append(f'{key}: {_differences(old, new)}')
        else:
            differing.append(f'{key} is {short(old, new)} there, asked for {short(new, old)}')
    return '; '.join(differing)
