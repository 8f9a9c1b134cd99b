"""A lock for a folder that a tool writes: a second process is told who is at it, and ends."""

import errno
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from .files import make_folder, resolved


class FolderInUseError(OSError):
    """Another process writes to the folder."""


def lock_path(folder: str | os.PathLike) -> Path:
    """Where the lock of a folder lies: beside it, so that a folder can be locked before it is there.

    Args:
        folder: Any path to it; links are followed, so that each of them leads to one lock.

    Returns:
        `.NAME.lock` in the folder above.

    Raises:
        OSError: A link leads to itself.
    """
    folder = resolved(folder)
    return folder.with_name(f'.{folder.name}.lock')


@contextmanager
def locked_folder(folder: str | os.PathLike, *, leader: bool = True) -> Iterator[None]:
    """Holds the lock of a folder. The operating system lets go of it when the process ends, however it ends.

    Args:
        folder: Folder that this process is going to write, there or not.
        leader: False for the other processes of a launcher: they share the lock of the first one.

    Raises:
        FolderInUseError: Another process holds it; the message tells which.
        OSError: It cannot be written, or is a link that leads nowhere.
    """
    if not leader:
        yield
        return
    path = lock_path(folder)
    _see_that_it_can_be_written(path, folder)
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise FolderInUseError(
            f'{folder} is being written by another process ({_owner(path)}). Wait until it has ended, or give another '
            'folder.'
        ) from error
    try:
        _write_note(path)
        if Path(folder).is_symlink() and not Path(folder).exists():
            raise FileExistsError(f'{folder} is a link that leads nowhere: remove it, or give another folder.')
        yield
    finally:
        lock.release()


def _see_that_it_can_be_written(path: Path, folder: str | os.PathLike) -> None:
    """Else the lock would count as held by another process."""
    try:
        make_folder(path.parent)
        path.touch()
    except FileExistsError:
        raise
    except OSError as error:
        shorter = ' (give a shorter name)' if error.errno == errno.ENAMETOOLONG else ''
        reason = f'{error.strerror}, so that {folder} cannot be written: its lock lies beside it{shorter}'
        raise OSError(error.errno, reason, str(path)) from error


def _write_note(path: Path) -> None:
    """The file is both the lock and the note for those who come second."""
    try:
        path.write_text(f'process {os.getpid()} on {socket.gethostname()}: {Path(sys.argv[0]).name}')
    except OSError as error:
        # A write that fails does not say of which file.
        raise OSError(error.errno, error.strerror, str(path)) from error


def _owner(path: Path) -> str:
    """The words of the holder of a lock on itself."""
    try:
        return path.read_text().strip() or 'which has just begun'
    except OSError:
        return 'which has just ended'
