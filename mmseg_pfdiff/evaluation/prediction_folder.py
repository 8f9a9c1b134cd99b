"""The folder that the predictions of a test go to: what it holds is of one test, and nothing of anyone else is lost."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..files import resolved, temporary_files, write_atomically
from .prediction_files import prediction_paths

RECORD = 'predictions.json'


class PredictionFolder:
    """Guards a folder of predictions.

    It must be new or empty, or hold predictions of the same test, which are written anew. Predictions of other weights,
    windows or micrographs, and files that no test wrote, stay as they are: the test is refused.

    Args:
        root: The folder.
        identity: What predictions depend on -> its short description; it tells one test from another.

    Raises:
        ValueError: The folder holds something else.
        OSError: It is no folder, or cannot be read.
    """

    def __init__(self, root: str | Path, identity: Mapping[str, str]) -> None:
        self.root, self.identity = Path(root), dict(identity)
        if not self.root.exists():
            return
        if not self.root.is_dir():
            raise NotADirectoryError(
                f'--out {self.root} is a file; it must be a folder, or a path where one can be made.'
            )
        if not (self.root / RECORD).exists():
            strangers = sorted(path.name for path in self.root.iterdir() if not path.name.startswith('.'))
            if strangers:
                raise ValueError(
                    f'--out {self.root} holds files that no test wrote ({", ".join(strangers[:3])}'
                    f'{", ..." if len(strangers) > 3 else ""}), which predictions might replace: give a new folder.'
                )
            return
        there = self._read()
        differing = [name for name in {**there, **self.identity} if there.get(name) != self.identity.get(name)]
        if differing:
            raise ValueError(
                f'--out {self.root} holds the predictions of another test: '
                f'{"; ".join(_difference(name, there.get(name), self.identity.get(name)) for name in differing)}. Give '
                'another folder, or remove this one.'
            )

    def _read(self) -> dict:
        path = self.root / RECORD
        try:
            return dict(json.loads(path.read_text(encoding='utf-8'))['test'])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(f'{path} is not the record of a test ({error!r}). Give another --out.') from error

    def begin(self) -> None:
        """Marks the predictions as unfinished, before the first one is written.

        Raises:
            OSError: The folder cannot be written.
        """
        self._write(finished=False)
        for path in temporary_files(self.root):
            path.unlink()

    def finish(self) -> None:
        """Marks them as finished."""
        self._write(finished=True)

    def _write(self, finished: bool) -> None:
        content = json.dumps(dict(finished=finished, test=self.identity), indent=1) + '\n'
        write_atomically(self.root / RECORD, content.encode())


def _difference(name: str, there: str | None, now: str | None) -> str:
    """Two values, if they are short."""
    if max(len(str(there)), len(str(now))) > 200:
        return f'another {name}'
    return f'{name} {there}, now {now}'


def refuse_among_data(
    out: str | Path, names: Iterable[str], folders: Iterable[str | Path], files: Iterable[str | Path]
) -> None:
    """Refuses to write predictions, which are named like micrographs, among or over the data. Links are followed.

    Args:
        out: Folder for predictions.
        names: Of the micrographs.
        folders: Folders of images and of label maps.
        files: The images and the label maps themselves, which may be links to somewhere else.

    Raises:
        ValueError: `out` lies in one of the folders, or a prediction would replace one of the files.
    """
    for folder in folders:
        if resolved(out).is_relative_to(resolved(folder)):
            raise ValueError(f'--out {out} lies in {folder}, whose files it would replace: give a folder of its own.')
    data = {resolved(file) for file in files}
    for name in names:
        for path in prediction_paths(out, name):
            if resolved(path) in data:
                raise ValueError(f'--out {out}: {path} is a file of the data set: give a folder of its own.')
