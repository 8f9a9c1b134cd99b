"""Records of a comparison's tasks: what each is made with, how long it took, what came out; marks of those done."""

import json
from pathlib import Path

from ..files import write_atomically


class Records:
    """The folders `state` and `marks` of a comparison, where each task has its files under its own name.

    A record is what counts. A mark only shows Snakemake that a task is done; Snakemake may remove it at any time.

    Args:
        work_dir: Of the comparison.
    """

    def __init__(self, work_dir: Path) -> None:
        self.work_dir = Path(work_dir)

    def read(self, name: str) -> dict | None:
        """The record of a task: `made_with`, `made_from`, `seconds`, once it is done `made`; None before its begin."""
        path = self._record(name)
        return json.loads(path.read_text()) if path.exists() else None

    def write(self, name: str, record: dict) -> None:
        """Writes the record of a task."""
        write_atomically(self._record(name), (json.dumps(record, indent=1) + '\n').encode())

    def made(self, name: str) -> str | None:
        """A digest of the result of a task, or of what it came from; None while there is none."""
        return (self.read(name) or {}).get('made')

    def mark(self, name: str) -> Path:
        """The mark of a task."""
        return self.work_dir / 'marks' / f'{name}.json'

    def set_mark(self, name: str, record: dict) -> None:
        """Marks a task as done, for Snakemake, with what other tasks need of its record."""
        content = {key: record[key] for key in ('made', 'ratio', 'validation') if key in record}
        write_atomically(self.mark(name), (json.dumps(content) + '\n').encode())

    def config(self, name: str) -> Path:
        """Where the config of a training lies."""
        return self.work_dir / 'state' / name / 'config.py'

    def _record(self, name: str) -> Path:
        return self.work_dir / 'state' / name / 'record.json'
