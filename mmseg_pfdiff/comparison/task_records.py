"""What is recorded of the tasks of a comparison: marks of what is done, time spent, configs, logs, locks."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..files import make_folder, write_atomically


class TaskRecords:
    """The `state` folder of a comparison, where each task has its files under its own name.

    Args:
        folder: The state folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def mark(self, name: str) -> dict | None:
        """What was recorded when a task was done; None while it is not."""
        return self._read(name, 'done')

    def set_mark(self, name: str, record: dict) -> None:
        """Records that a task is done."""
        self._write(name, 'done', record)

    def begun(self, name: str) -> dict | None:
        """What was recorded when a task was begun; None before that."""
        return self._read(name, 'begun')

    def set_begun(self, name: str, record: dict) -> None:
        """Records that a task is begun, and how far it has come."""
        self._write(name, 'begun', record)

    def config(self, name: str) -> Path:
        """Where the config of a training lies."""
        return self.folder / name / 'config.py'

    def log(self, name: str) -> Path:
        """Where the output of a task's commands lies."""
        return self.folder / f'{name}.log'

    @contextmanager
    def locked(self, name: str) -> Iterator[int | None]:
        """The lock of a task, a file descriptor; None if another process holds it."""
        path = self.folder / f'{name}.lock'
        make_folder(path.parent)
        with open(path, 'w') as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            yield file.fileno()

    def _read(self, name: str, what: str) -> dict | None:
        path = self.folder / f'{name}.{what}.json'
        return json.loads(path.read_text()) if path.exists() else None

    def _write(self, name: str, what: str, content: dict) -> None:
        write_atomically(self.folder / f'{name}.{what}.json', (json.dumps(content, indent=1) + '\n').encode())
