"""What is recorded of the tasks of a comparison: marks of what is done, time spent, configs, logs, locks."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..files import write_atomically


class TaskRecords:
    """The `state` folder of a comparison, where each task has its files under its own name.

    Args:
        folder: The state folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def done(self, name: str) -> dict | None:
        """What was recorded when a task was done; None while it is not."""
        path = self.folder / f'{name}.done.json'
        return json.loads(path.read_text()) if path.exists() else None

    def set_done(self, name: str, record: dict) -> None:
        """Records that a task is done."""
        self._write(name, 'done', record)

    def spent(self, name: str) -> float:
        """Seconds that went into a task before it was interrupted."""
        path = self.folder / f'{name}.spent.json'
        return json.loads(path.read_text())['seconds'] if path.exists() else 0.0

    def set_spent(self, name: str, seconds: float) -> None:
        """Records the seconds of an interrupted task."""
        self._write(name, 'spent', dict(seconds=seconds))

    def clear_spent(self, name: str) -> None:
        """Forgets them: the task is done, and its record has them."""
        (self.folder / f'{name}.spent.json').unlink(missing_ok=True)

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
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, 'w') as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            yield file.fileno()

    def _write(self, name: str, what: str, content: dict) -> None:
        write_atomically(self.folder / f'{name}.{what}.json', (json.dumps(content, indent=1) + '\n').encode())
