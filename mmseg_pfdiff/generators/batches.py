"""Lists in parts."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar('T')


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Splits a list into lists of `size`; the last may be shorter."""
    return (items[start : start + size] for start in range(0, len(items), size))
