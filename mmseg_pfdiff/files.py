"""Files that are whole or not there, and their checksums."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

TEMPORARY = '.part'


def write_atomically(path: str | os.PathLike, content: bytes) -> None:
    """Writes a file that is either whole or not there, even when the machine stops in between.

    Args:
        path: Where to; missing folders are made. A file there is replaced.
        content: What it holds.

    Raises:
        OSError: Disk full, or no permission; it names the file. What stood there stays.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Data sets do not list names with a leading dot; two processes that write the same file do not meet.
    temporary = path.with_name(f'.{path.name}.{os.getpid()}{TEMPORARY}')
    try:
        with open(temporary, 'wb') as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        # A write that fails does not say of which file.
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name, too, survives a crash of the machine
    finally:
        os.close(folder)


def temporary_files(folder: str | os.PathLike) -> Iterator[Path]:
    """What interrupted calls of :func:`write_atomically` left below a folder."""
    return Path(folder).rglob(f'.*{TEMPORARY}')


def file_sha256(path: str | os.PathLike) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
