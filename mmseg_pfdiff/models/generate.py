"""Filling a pair folder: the loop of drawing, and the row of `pairs.csv` for each pair."""

import math
from collections.abc import Callable, Sequence

import torch
from mmengine.dist import barrier, get_dist_info
from torch import Tensor

from ..pairs.folder import PairFolder
from ..pairs.rows import PairRow
from ..pairs.writer import PairWriter
from ..phases.fractions import phase_fractions
from ..progress import progress
from ..requests.base import FractionRequest, RequestSource
from ..requests.support import FractionSupport
from .cascade import PairCascade
from .given_masks import GivenMaskCascade
from .preprocessor import DecodedPairs
from .two_stage import TwoStageCascade
from .validation import batches

MAX_MOVED = 0.03
MAX_INVENTED = 0.5
# A class that gained no more than this share of the pixels was not invented: a few pixels at a border do no harm. Nor
# does it if no more than this was asked of a class that was not drawn at all.
MIN_GAIN = 0.002
# Pairs drawn beyond those that shall be kept, as some are not; with fewer kept than this share, it would take for ever.
SPARE = 1.05
LEAST_KEPT = 0.1


def invented_shares(labels: Tensor, plain: Tensor, num_classes: int) -> Tensor:
    """The part of each class that the networks did not draw.

    Args:
        labels: (N, H, W) integer, label maps as they are written.
        plain: (N, H, W) integer, label maps as the networks drew them.
        num_classes: K.

    Returns:
        (N, K) float64 in [0, 1]: of the pixels of a class in `labels`, those that are of another one in `plain`; 0 for
        a class that gained no more than a five-hundredth of all pixels.
    """
    classes = torch.arange(num_classes)[:, None, None]
    written = labels[:, None] == classes
    gained = (written & (labels != plain)[:, None]).double().mean((2, 3))
    present = written.double().mean((2, 3))
    return torch.where(gained > MIN_GAIN, gained / present.clamp(min=MIN_GAIN), 0.0)


class PairRecorder:
    """Makes the rows of drawn pairs.

    Measures: `plain_<class>`, the fraction that the nearest codes alone gave; `moved`, the share of pixels that have
    another class in the label map (the quota's doing, and the clean-up's of specks); `moved_margin`, by how much those
    pixels had been decided, on the mean; `invented`, see :func:`invented_shares`, the largest over the classes; `seam`
    of the windows; `support_distance`, from the fractions asked for to the nearest real vector, and `out_of_support`,
    1 where it exceeds the limit, else 0.

    Args:
        cascade: What draws the pairs.
        classes: K names.
        max_moved: Largest share of pixels that may have moved. A pair beyond it is marked as not kept: its image no
            longer shows what its mask says.
        max_invented: Largest share of a class's pixels that may have moved into it: else that phase is in the mask
            alone, which matters for rare ones, whatever their part of the pixels.
        support: The real fraction vectors; None leaves the last two measures out.

    Raises:
        ValueError: A share out of range.
    """

    def __init__(
        self,
        cascade: PairCascade | TwoStageCascade | GivenMaskCascade,
        classes: Sequence[str],
        *,
        max_moved: float = MAX_MOVED,
        max_invented: float = MAX_INVENTED,
        support: FractionSupport | None = None,
    ) -> None:
        for name, share in (('max_moved', max_moved), ('max_invented', max_invented)):
            if not 0 <= share <= 1:
                raise ValueError(f'{name} must be a share in [0, 1], got {share}.')
        self.cascade, self.classes = cascade, tuple(classes)
        self.max_moved, self.max_invented, self.support = max_moved, max_invented, support

    def __call__(
        self, seed: int, indices: Sequence[int], requests: Sequence[FractionRequest], pairs: DecodedPairs
    ) -> list[PairRow]:
        """The rows of N pairs.

        Args:
            seed: Seed of the run.
            indices: N indices.
            requests: What was asked for, N times.
            pairs: N pairs.

        Returns:
            N rows.
        """
        targets = torch.stack([request.target for request in requests])
        measured = phase_fractions(pairs.labels, len(self.classes))
        invented = invented_shares(pairs.labels, pairs.plain, len(self.classes))
        measures = self._measures(targets, pairs, invented)
        # Who lets all of a class be invented does not ask for it to be drawn either.
        strict = self.cascade.exact and self.max_invented < 1
        lacking = torch.where((measured == 0) & strict, targets, 0.0)
        reasons = [self._reason(*each) for each in zip(measures, invented, lacking, strict=True)]
        return [
            PairRow(
                index,
                seed,
                requests[n].group,
                tuple(targets[n].tolist()),
                tuple(measured[n].tolist()),
                kept=not reasons[n],
                reason=reasons[n],
                measures=measures[n],
            )
            for n, index in enumerate(indices)
        ]

    def _reason(self, measures: dict[str, float], invented: Tensor, lacking: Tensor) -> str:
        """Why a pair is not kept; empty if it is."""
        if lacking.max() > MIN_GAIN:
            name, share = self.classes[int(lacking.argmax())], 100 * lacking.max().item()
            return f'{share:.1f} % of {name} was asked for, none was drawn'
        if measures['moved'] > self.max_moved:
            return f'{100 * measures["moved"]:.1f} % of the pixels changed their class to meet the fractions'
        if measures['invented'] > self.max_invented:
            name = self.classes[int(invented.argmax())]
            return f'{100 * measures["invented"]:.0f} % of the {name} was not drawn but moved there'
        return ''

    def _measures(self, targets: Tensor, pairs: DecodedPairs, invented: Tensor) -> list[dict[str, float]]:
        plain = phase_fractions(pairs.plain, len(self.classes)).tolist()
        moved = pairs.labels != pairs.plain
        measures = []
        for n in range(len(targets)):
            numbers = {f'plain_{name}': value for name, value in zip(self.classes, plain[n], strict=True)}
            numbers['moved'] = moved[n].double().mean().item()
            numbers['moved_margin'] = pairs.margins[n][moved[n]].mean().item() if moved[n].any() else 0.0
            numbers['invented'] = invented[n].max().item()
            numbers['seam'] = self.cascade.seam_score(pairs.images[n])
            measures.append(numbers)
        if self.support is not None:
            for numbers, distance in zip(measures, self.support(targets).tolist(), strict=True):
                numbers['support_distance'] = distance
                numbers['out_of_support'] = int(distance > self.support.limit)
        return measures


def generate_pairs(
    cascade: PairCascade | TwoStageCascade | GivenMaskCascade,
    source: RequestSource,
    folder: PairFolder,
    *,
    num: int,
    seed: int,
    batch_size: int,
    size: tuple[int, int] | None = None,
    record: PairRecorder | None = None,
) -> int:
    """Writes the pairs 0..num-1 that the folder lacks. Under a launcher, each process writes its share.

    Args:
        cascade: Draws them.
        source: Says what each of them shall be.
        folder: Where to.
        num: Pairs the folder shall hold.
        seed: Seed of the run, >= 0.
        batch_size: Pairs (of larger fields: windows) drawn together, >= 1; changes nothing but speed and memory.
        size: Height and width of the pairs; default: those of the training tiles.
        record: Makes the rows; default: one with its own defaults.

    Returns:
        Number of pairs written now, by all processes.

    Raises:
        ValueError: num or batch_size below 1.
    """
    if num < 1 or batch_size < 1:
        raise ValueError(f'num and batch_size must be at least 1; got num={num}, batch_size={batch_size}.')
    record = record or PairRecorder(cascade, folder.classes)
    rank, world_size = get_dist_info()
    missing = folder.missing(num)
    # All processes have looked before any writes: they deal out the same list.
    barrier()
    share = missing[rank::world_size]
    together = batch_size if size is None else 1
    with (
        PairWriter(folder, rank) as writer,
        progress(total=len(share), desc='pairs', unit='pair', disable=rank > 0) as bar,
    ):
        for indices in batches(share, together):
            requests = [source(seed, index) for index in indices]
            targets = torch.stack([request.target for request in requests])
            pairs = cascade.draw(targets, seed, indices, size=size, window_batch=batch_size)
            for n, row in enumerate(record(seed, indices, requests, pairs)):
                writer.put(row, pairs.images[n].numpy(), pairs.labels[n].numpy())
            bar.update(len(indices))
    barrier()
    if rank == 0:
        folder.finish()
    barrier()
    return len(missing)


def generate_until_kept(
    draw: Callable[[int], object], folder: PairFolder, needed: int, most: int | None = None
) -> None:
    """Draws pairs until enough of a folder are kept.

    How many are drawn is found anew from the first pair on, so that a run that was interrupted, wherever that was, ends
    with the same pairs as one that was not.

    Args:
        draw: Number -> has the folder hold so many, as :func:`generate_pairs` does.
        folder: Where to. A pair that was marked as not kept since it was drawn counts as such.
        needed: Pairs that shall be kept, >= 1.
        most: Pairs that can be drawn, `num` of the request source; None for any number.

    Raises:
        ValueError: needed below 1, so few pairs are kept that it would take for ever, or all that can be drawn are.
    """
    if needed < 1:
        raise ValueError(f'The number of pairs to be kept must be at least 1; got {needed}.')
    number = _capped(SPARE * needed, most)
    # Several processes that were killed leave gaps below the last pair that they wrote.
    last = max((row.index for row in folder.rows()), default=-1)
    if last >= number:
        draw(last + 1)
    while True:
        draw(number)
        rows = [row for row in folder.rows() if row.index < number]
        kept = sum(row.kept for row in rows)
        if kept >= needed:
            return
        _check_enough(folder, rows, kept, needed)
        if number == most:
            raise ValueError(
                f'{folder.root}: all {most} rows of the table are drawn and {kept} of the pairs are kept, {needed} are '
                f'needed. Ask for fewer (--kept {kept} has them already), or give a table of more rows and another '
                'folder.'
            )
        number = _capped(SPARE * number * needed / kept, most)


def _capped(number: float, most: int | None) -> int:
    whole = math.ceil(number)
    return whole if most is None else min(whole, most)


def _check_enough(folder: PairFolder, rows: Sequence[PairRow], kept: int, needed: int) -> None:
    """Stops where next to no pair is kept."""
    if kept < LEAST_KEPT * len(rows):
        example = next(row.reason for row in reversed(rows) if not row.kept)
        raise ValueError(
            f'{folder.root}: only {kept} of {len(rows)} pairs are kept, {needed} are needed. Others are not, as '
            f'the last one: {example}. Train the generator longer, guide it (model.fraction_guidance), let more '
            'pixels move (--max-moved, --max-invented), or ask for fewer.'
        )
