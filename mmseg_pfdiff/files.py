"""Files that are whole or not there, and their checksums."""

import errno
import glob
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

TEMPORARY = '.part'
MAX_NAME_BYTES = 255  # of a file's name, in nearly all file systems
MAX_PROCESS = 2**22  # the largest number that Linux gives a process


def name_is_too_long(name: str) -> bool:
    """Whether a file system has no room for a file's name, or for the name it has while it is written.

    Args:
        name: Without folders.
    """
    return len(os.fsencode(_temporary_name(name, MAX_PROCESS))) > MAX_NAME_BYTES


def _temporary_name(name: str, process: int) -> str:
    # Data sets do not list names with a leading dot; two processes that write the same file do not meet.
    return f'.{name}.{process}{TEMPORARY}'


def make_folder(folder: str | os.PathLike) -> None:
    """Makes a folder, and those above it, unless it is there.

    Args:
        folder: Its path.

    Raises:
        FileExistsError: A file, or a link that leads nowhere, stands in its place; the message names it.
        OSError: No permission, or the disk is full.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        refuse_no_folder(folder)
        raise error


def refuse_no_folder(folder: str | os.PathLike) -> None:
    """Refuses a path at which no folder can be made.

    Args:
        folder: A folder, there or not.

    Raises:
        FileExistsError: A file, or a link that leads nowhere, stands there or above; the message names it.
    """
    for place in (Path(folder), *Path(folder).parents):
        if os.path.lexists(place) and not place.is_dir():
            kind = 'a link that leads nowhere' if place.is_symlink() and not place.is_file() else 'a file'
            raise FileExistsError(f'{place} is {kind}, where a folder is needed: remove it, or give another folder.')


def resolved(path: str | os.PathLike) -> Path:
    """A path with all links followed.

    Args:
        path: To what is there, or is not.

    Raises:
        OSError: A link leads to itself; the error names the path.
    """
    try:
        return Path(path).resolve()
    except RuntimeError as error:  # how Python tells it
        reason = 'A link that leads to itself: remove it, or give another path'
        raise OSError(errno.ELOOP, reason, str(path)) from error


def write_atomically(path: str | os.PathLike, content: bytes) -> None:
    """Writes a file that is either whole or not there, even when the machine stops in between.

    Args:
        path: Where to; missing folders are made. A file there is replaced.
        content: What it holds.

    Raises:
        OSError: Disk full, or no permission; it names the file. What stood there stays.
    """
    with open_atomically(path) as file:
        file.write(content)


@contextmanager
def open_atomically(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """Opens a file for writing piece by piece that is there once the block ends well, and else as it was before.

    Args:
        path: Where to; missing folders are made. A file there is replaced.

    Yields:
        A binary file.

    Raises:
        OSError: Disk full, or no permission; it names the file. What stood there stays.
    """
    path = Path(path)
    make_folder(path.parent)
    temporary = path.with_name(_temporary_name(path.name, os.getpid()))
    try:
        with open(temporary, 'wb') as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if error.filename not in (None, str(temporary)):
            raise
        # A write that fails does not say of which file.
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name, too, survives a crash of the machine
    finally:
        os.close(folder)


def append_whole(path: str | os.PathLike, content: bytes, first: bytes = b'') -> None:
    """Adds to the end of a file, on disk when this returns. One call at a time for each file.

    Args:
        path: The file; begun if it is not there.
        content: What is added.
        first: What a new or empty file begins with.

    Raises:
        OSError: Disk full, or no permission; it names the file, which is as long as it was.
    """
    # Without a buffer, which would keep what could not be written, and write it later.
    with open(path, 'ab', buffering=0) as file:
        size = file.tell()
        rest = memoryview(content if size else first + content)
        try:
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except OSError as error:
            with suppress(OSError):
                file.truncate(size)
            raise OSError(error.errno, error.strerror, str(path)) from error


def temporary_files(folder: str | os.PathLike) -> Iterator[Path]:
    """Files that interrupted calls of :func:`write_atomically` left below a folder."""
    return Path(folder).rglob(f'.*{TEMPORARY}')


def remove_leftovers(*paths: str | os.PathLike) -> None:
    """Removes what interrupted calls of :func:`write_atomically` left of files. No other process may write these.

    Args:
        *paths: The files, there or not.
    """
    for path in map(Path, paths):
        for temporary in path.parent.glob(f'.{glob.escape(path.name)}.*{TEMPORARY}'):
            if temporary.is_file():
                temporary.unlink()


def file_sha256(path: str | os.PathLike) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
