"""Files that are whole or not there, and their checksums."""

import glob
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

TEMPORARY = '.part'


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
    path.parent.mkdir(parents=True, exist_ok=True)
    # Data sets do not list names with a leading dot; two processes that write the same file do not meet.
    temporary = path.with_name(f'.{path.name}.{os.getpid()}{TEMPORARY}')
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
    """What interrupted calls of :func:`write_atomically` left below a folder."""
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
