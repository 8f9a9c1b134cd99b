"""The rule that deals micrographs to the parts of a split.

A part is a fair sample when it holds its share of everything that the score depends on. A part of n out of N
micrographs should hold n/N of four quantities: pixels (two image sizes occur), martensite/austenite pixels, defect
pixels, and micrographs with any defect (so that a part's defect score does not hang on a single one). The misfit is

    sum over parts and quantities of (held / fair - 1)^2,   fair = total * n / N,

and 100 more for each quantity that a part holds nothing of: a score needs something to score. Micrographs that show
the same piece of specimen stay in one part, or the score would be that of memory: 1000 more for each such pair apart.

Dealing starts from the micrographs ordered by defect, then martensite/austenite, then all pixels, then name, and
gives each in turn to the part that is filled the least. Then, as long as it lowers the misfit, the exchange of two
micrographs that lowers it most is carried out, the first in order among equals. All numbers are exact fractions, so
that the result is the same on every machine.

A `holdout` deals once, to train, val and test. `folds` deals once to the test parts of all folds, then for every fold
deals the rest to val and train.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

import numpy as np

from ..layout import natural_key
from .release import MetalDAMRelease

MA_VALUE, DEFECT_VALUE = 2, 4  # label values of the release
NOTHING = 100  # misfit of a part that holds nothing of a quantity
APART = 1000  # misfit of two overlapping micrographs in different parts
# micrograph12 and micrograph13 share 233 x 1018 pixels, shifted by 470 rows; their grey values correlate by 0.94 there.
# Template matching found no other pair of MetalDAM that overlaps.
OVERLAPPING = (('micrograph12', 'micrograph13'),)

Parts = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class MicrographStatistics:
    """Pixels that the rule balances, counted in one label."""

    name: str
    pixels: int
    ma_pixels: int
    defect_pixels: int

    @classmethod
    def of(cls, name: str, label: np.ndarray) -> 'MicrographStatistics':
        """Counts them in a label with the values of the release, (H, W) uint8."""
        return cls(name, label.size, int((label == MA_VALUE).sum()), int((label == DEFECT_VALUE).sum()))

    @property
    def quantities(self) -> tuple[int, int, int, int]:
        """The four quantities to balance."""
        return self.pixels, self.ma_pixels, self.defect_pixels, int(self.defect_pixels > 0)


def release_statistics(release: MetalDAMRelease, progress=iter) -> list[MicrographStatistics]:
    """The statistics of every labelled micrograph of a release."""
    return [MicrographStatistics.of(name, release.read(name).label) for name in progress(release.names)]


def deal(statistics: Iterable[MicrographStatistics], sizes: Mapping[str, int]) -> Parts:
    """Deals micrographs to parts by the rule above.

    Args:
        statistics: One entry per micrograph.
        sizes: Part -> how many micrographs it gets; they add up to the number of micrographs.

    Returns:
        Part -> its micrographs by name.

    Raises:
        ValueError: A part without a micrograph, or sizes that do not add up.
    """
    order = sorted(statistics, key=lambda s: (-s.defect_pixels, -s.ma_pixels, -s.pixels, natural_key(s.name)))
    if min(sizes.values()) < 1 or sum(sizes.values()) != len(order):
        raise ValueError(f'The parts must get 1 or more each of {len(order)} micrographs in all, got {dict(sizes)}.')
    totals = [sum(column) for column in zip(*(s.quantities for s in order), strict=True)]
    # Row i: micrograph i's quantities as shares of the total; what no micrograph holds plays no part.
    shares = [[Fraction(q, total) for q, total in zip(s.quantities, totals, strict=True) if total] for s in order]
    fair = {part: Fraction(size, len(order)) for part, size in sizes.items()}

    counts = dict.fromkeys(sizes, 0)
    part_of = []
    for _ in order:
        part = min(sizes, key=lambda name: (Fraction(counts[name] + 1, sizes[name]), -sizes[name]))
        counts[part] += 1
        part_of.append(part)
    held = {part: [sum(c) for c in zip(*_rows(shares, part_of, part), strict=True)] for part in sizes}

    def misfit(part: str, change: list[Fraction]) -> Fraction:
        after = [h + c for h, c in zip(held[part], change, strict=True)]
        return sum((share / fair[part] - 1) ** 2 for share in after) + NOTHING * after.count(0)

    place = {s.name: i for i, s in enumerate(order)}
    together = [(place[a], place[b]) for a, b in OVERLAPPING if a in place and b in place]

    def apart_after(i: int, j: int) -> int:
        """Overlapping pairs in different parts, once micrographs i and j have changed places."""
        after = {i: part_of[j], j: part_of[i]}
        return sum(after.get(a, part_of[a]) != after.get(b, part_of[b]) for a, b in together)

    def gain(i: int, j: int) -> Fraction:
        """How much exchanging micrographs i and j lowers the misfit."""
        step = [b - a for a, b in zip(shares[i], shares[j], strict=True)]
        none, back = [Fraction(0)] * len(step), [-x for x in step]
        before = misfit(part_of[i], none) + misfit(part_of[j], none)
        closer = APART * (apart_after(i, i) - apart_after(i, j))
        return before - misfit(part_of[i], step) - misfit(part_of[j], back) + closer

    while True:
        exchanges = [(i, j) for i, j in combinations(range(len(order)), 2) if part_of[i] != part_of[j]]
        best = max(exchanges, key=lambda pair: gain(*pair), default=None)
        if best is None or gain(*best) <= 0:
            break
        part_of[best[0]], part_of[best[1]] = part_of[best[1]], part_of[best[0]]
        held = {part: [sum(c) for c in zip(*_rows(shares, part_of, part), strict=True)] for part in sizes}
    names = {part: [s.name for s, p in zip(order, part_of, strict=True) if p == part] for part in sizes}
    return {part: tuple(sorted(names[part], key=natural_key)) for part in sizes}


def _rows(rows: list, part_of: list[str], part: str) -> list:
    return [row for row, p in zip(rows, part_of, strict=True) if p == part]


def holdout(statistics: Iterable[MicrographStatistics], val: int, test: int) -> Parts:
    """Train, val and test micrographs.

    Args:
        statistics: One entry per micrograph.
        val: Number of validation micrographs.
        test: Number of test micrographs.
    """
    statistics = list(statistics)
    return deal(statistics, {'train': len(statistics) - val - test, 'val': val, 'test': test})


def folds(statistics: Iterable[MicrographStatistics], number: int, val: int) -> list[Parts]:
    """Folds for cross-validation: every micrograph stands in the test part of exactly one.

    Args:
        statistics: One entry per micrograph.
        number: Number of folds.
        val: Number of validation micrographs of each fold, taken from its training micrographs.
    """
    statistics = list(statistics)
    least, more = divmod(len(statistics), number)
    tests = deal(statistics, {str(k): least + (k < more) for k in range(number)})
    result = []
    for test in tests.values():
        rest = [s for s in statistics if s.name not in test]
        result.append({**deal(rest, {'train': len(rest) - val, 'val': val}), 'test': test})
    return result
