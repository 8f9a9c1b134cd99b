"""The named splits of MetalDAM, and folders of the same form for other data sets.

A split is a folder with `train.txt`, `val.txt` and `test.txt`, each with one micrograph name a line, so that a part can
also be an mmseg data set's `ann_file`. `deal` tells how those of the package were made.
"""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ...files import write_atomically
from ..layout import PARTS, DataError, plain_name

SPLITS_FOLDER = Path(__file__).parent / 'split_files'


@dataclass(frozen=True)
class Split:
    """Which micrograph stands in which part.

    Attributes:
        name: Name of the split, or the folder it was read from.
        train: Names of the training micrographs.
        val: Names of the validation micrographs.
        test: Names of the test micrographs.

    Raises:
        DataError: A part is empty, or a micrograph is named twice.
    """

    name: str
    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]

    def __post_init__(self) -> None:
        empty = [part for part, names in self.parts.items() if not names]
        if empty:
            raise DataError(f'Split {self.name}: no micrograph in {", ".join(empty)}; every part needs one or more.')
        twice = [name for name, count in Counter(self.micrographs).items() if count > 1]
        if twice:
            raise DataError(
                f'Split {self.name}: {", ".join(twice)} named more than once. A micrograph stands in one part only, '
                f'or the test would be on training data.'
            )

    @property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """Part -> its micrographs."""
        return {part: getattr(self, part) for part in PARTS}

    @property
    def micrographs(self) -> tuple[str, ...]:
        """The micrographs of all parts."""
        return self.train + self.val + self.test


def split_names() -> list[str]:
    """Names of the splits in the package."""
    return sorted(path.parent.name for path in SPLITS_FOLDER.glob('*/train.txt'))


def read_split(split: str | os.PathLike) -> Split:
    """Reads a split.

    Args:
        split: A name out of :func:`split_names`, or else a folder with `train.txt`, `val.txt` and `test.txt`.

    Raises:
        DataError: There is no such split, a file of it is missing, or it breaks a rule of :class:`Split`.
    """
    known = split_names()
    folder = SPLITS_FOLDER / split if str(split) in known else Path(split)
    if not folder.is_dir():
        raise DataError(
            f'There is no split {str(split)!r}. Give one of {", ".join(known)}, or a folder with '
            f'{", ".join(f"{part}.txt" for part in PARTS)}, one micrograph name a line.'
        )
    parts = {}
    for part in PARTS:
        try:
            lines = (folder / f'{part}.txt').read_text(encoding='utf-8-sig').splitlines()  # Windows marks its UTF-8
        except UnicodeDecodeError as error:
            raise DataError(f'{folder / part}.txt is no text in UTF-8 ({error.reason}): save it as UTF-8.') from error
        except OSError as error:
            raise DataError(f'{folder / part}.txt cannot be read ({error}); a split needs a file per part.') from error
        parts[part] = tuple(plain_name(line.strip()) for line in lines if line.strip())
    return Split(name=str(split), **parts)


def write_split(folder: str | os.PathLike, parts: dict[str, tuple[str, ...]]) -> Split:
    """Writes the parts of a split as text files.

    Args:
        folder: Where to; made when missing.
        parts: Part -> micrograph names.
    """
    split = Split(name=str(folder), **parts)
    for part, names in split.parts.items():
        write_atomically(Path(folder, f'{part}.txt'), ''.join(f'{name}\n' for name in names).encode())
    return split
