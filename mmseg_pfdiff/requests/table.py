"""RequestedFractions: phase fractions that a person wrote down, in a table or as one line of text."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..csv_files import read_csv
from .base import FractionRequest, describe_vectors

# Decimals as people type them: three shares of 0.333 are meant to be thirds.
SUM_TOLERANCE = 1e-3


class RequestedFractions:
    """Serves given fraction vectors: row i of a table to pair i, or one vector to every pair.

    Args:
        vectors: (R, K) float, each row >= 0 and sums to 1 within :data:`SUM_TOLERANCE`; rows are normalised.
        classes: K class names in the order of the vectors.
        repeat: Serve the one vector to every index.

    Attributes:
        vectors: (R, K) float64, each row sums to 1.
        classes: K class names.
        num: R, the pairs that can be served, or None for any number.

    Raises:
        ValueError: Vectors of another shape, negative or not summing to 1; `repeat` with more than one.
    """

    group = 'requested'

    def __init__(self, vectors: Tensor, classes: Sequence[str], *, repeat: bool = False) -> None:
        self.classes = tuple(classes)
        given = torch.as_tensor(vectors, dtype=torch.float64)
        if given.ndim != 2 or given.shape[1] != len(self.classes) or not len(given) or (repeat and len(given) > 1):
            wanted = '1' if repeat else 'R'
            raise ValueError(
                f'vectors must be ({wanted}, {len(self.classes)}) for the classes {self.classes}, '
                f'got {tuple(given.shape)}.'
            )
        self.vectors = torch.stack([_normalised(row, self.classes, f'vector {i}') for i, row in enumerate(given)])
        self.num = None if repeat else len(given)

    @classmethod
    def from_argument(cls, argument: str, classes: Sequence[str]) -> 'RequestedFractions':
        """The requests of a command line: the path of a table, or `matrix=0.3,austenite=0.7`.

        Args:
            argument: A file that exists, or text with `=`.
            classes: K class names, in the order the generator knows them.

        Returns:
            The requests.

        Raises:
            FileNotFoundError: Neither a file nor a list of shares.
            ValueError: As of :meth:`from_csv` and :meth:`from_text`.
        """
        if Path(argument).is_file():
            return cls.from_csv(argument, classes)
        if '=' not in argument:
            example = ','.join(f'{name}={1 / len(classes):.2g}' for name in classes)
            raise FileNotFoundError(
                f'There is no file {argument}. Give a CSV file with a column for each class, or shares as {example}'
            )
        return cls.from_text(argument, classes)

    @classmethod
    def from_text(cls, text: str, classes: Sequence[str]) -> 'RequestedFractions':
        """One vector for every pair.

        Args:
            text: `matrix=0.3,austenite=0.5,martensite_austenite=0.15,defect=0.05`, in any order.
            classes: K class names.

        Returns:
            The requests.

        Raises:
            ValueError: An unknown, missing or repeated class, a share that is no number, negative, or a wrong sum.
        """
        shares = parse_shares(text)
        _check_names(list(shares), classes, repr(text), 'share')
        row = _normalised(torch.tensor([shares[name] for name in classes], dtype=torch.float64), classes, repr(text))
        return cls(row[None], classes, repeat=True)

    @classmethod
    def from_csv(cls, path: str | Path, classes: Sequence[str]) -> 'RequestedFractions':
        """One vector a row; row i, counted from 0 after the header, is for pair i.

        Args:
            path: Comma-separated, UTF-8, or what a spreadsheet made of that. The header names the K classes in any
                order, and nothing else. Empty lines do not count.
            classes: K class names, in the order of the vectors to make.

        Returns:
            The requests.

        Raises:
            FileNotFoundError: No such file.
            ValueError: It is no such table; the message names the file, the line, and the column where it is one.
        """
        path = Path(path)
        table = read_csv(path, path.read_bytes(), classes, stripped=True)
        _check_names(table.columns, classes, f'{path}, line 1', 'column')
        rows = []
        for row in table.rows:
            values = [table.number(row, name) for name in classes]
            for name, value in zip(classes, values, strict=True):
                if not 0 <= value < math.inf:
                    raise table.error(row, name, 'a share, a number from 0 to 1')
            rows.append(_normalised(torch.tensor(values, dtype=torch.float64), classes, f'{path}, line {row.line}'))
        if not rows:
            raise ValueError(f'{path} has a header but no row; write one row for each pair.')
        return cls(torch.stack(rows), classes)

    def __call__(self, seed: int, index: int) -> FractionRequest:
        """The request of pair `index`, whatever the seed.

        Args:
            seed: Unused; there for the signature all request sources share.
            index: Index of the pair, >= 0.

        Returns:
            Its fractions, (K,) float64, and the group 'requested'.

        Raises:
            ValueError: A pair beyond the table.
        """
        if self.num is not None and not 0 <= index < self.num:
            raise ValueError(
                f'Fractions are given for {self.num} pairs (0..{self.num - 1}), pair {index} was asked for. '
                'Add rows to the table, or ask for fewer pairs.'
            )
        return FractionRequest(self.vectors[0 if self.num is None else index], self.group)

    def describe(self) -> dict:
        """The identity of these requests in a pair folder; JSON-like."""
        return dict(type=type(self).__name__, **describe_vectors(self.vectors), num=self.num)


def parse_shares(text: str) -> dict[str, float]:
    """Reads `name=share,name=share`.

    Args:
        text: As typed; spaces around names and numbers do not count.

    Returns:
        Shares by name, in the order of the text.

    Raises:
        ValueError: Another form, a name given twice, or a share that is no number >= 0.
    """
    shares: dict[str, float] = {}
    for item in text.split(','):
        name, equals, value = (part.strip() for part in item.partition('='))
        if not (name and equals and value):
            raise ValueError(f'{text!r}: {item!r} is not name=share. Write class=share,class=share without a gap.')
        if name in shares:
            raise ValueError(f'{text!r} gives {name} twice.')
        shares[name] = _number(value, f'{text!r}, {name}')
    return shares


def _number(text: str, place: str) -> float:
    """A share as a number, finite and >= 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise ValueError(f'{place}: a share must be a number in [0, 1], got {text.strip()!r}.')
    return value


def _check_names(names: Sequence[str], classes: Iterable[str], place: str, thing: str) -> None:
    """Each class once and nothing else."""
    classes = tuple(classes)
    problems = [f'{name!r} is no class' for name in names if name not in classes]
    problems += [f'{thing} {name!r} is missing' for name in classes if name not in names]
    problems += [f'{name!r} stands there twice' for name in classes if names.count(name) > 1]
    if problems:
        raise ValueError(
            f'{place}: {"; ".join(problems)}. There must be one {thing} for each of the classes '
            f'{", ".join(classes)}, separated by commas.'
        )


def _normalised(row: Tensor, classes: Sequence[str], place: str) -> Tensor:
    """A vector that sums to 1, of one that does so nearly."""
    wrong = [name for name, value in zip(classes, row.tolist(), strict=True) if not 0 <= value < math.inf]
    if wrong:
        raise ValueError(f'{place}: the share of {wrong[0]} must be in [0, 1], got {row[classes.index(wrong[0])]:g}.')
    total = row.sum()
    if abs(total - 1) > SUM_TOLERANCE:
        advice = 'Write shares of 1, not percent.' if abs(total - 100) < 1 else 'Change a share so that they do.'
        raise ValueError(f'{place}: the shares of {", ".join(classes)} must sum to 1, got {total:g}. {advice}')
    return row / total
