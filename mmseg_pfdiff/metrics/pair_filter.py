"""Findings of a check of pairs, and what they do to a folder: pairs are marked, pixels ignored."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ..pairs.folder import PairFolder
from ..pairs.rows import PairRow
from ..phases.fractions import phase_fractions
from ..phases.labels import IGNORE_INDEX
from ..progress import progress
from .agreement import AgreementLimits
from .distances import KINDS, SetDistance
from .memorisation import NearestTiles

# Measures that tell of a mask as it was drawn, before pixels of it were ignored, and how exact they are.
UNFILTERED, UNFILTERED_DIGITS = 'unfiltered_', 1e-5
COPY = 'copy of training tile'
DISAGREE = 'image and mask disagree'
NOTHING_LEFT = 'image and mask disagree everywhere'


@dataclass
class PairCheck:
    """Findings of a check of pairs; those of each pair are in the order of `rows`.

    Attributes:
        rows: Rows with their new measures: `nearest_<kind>` and `copy_ratio_<kind>` for image and mask, and, where a
            segmentor has read the pairs, `agreement` (mean IoU), `agreement_<class>` (missing for a class that the
            mask lacks) and `disagreeing` (share of the known pixels that FreeMask's rule marks).
        tiles: Names of the training tiles.
        nearest: Who -> kind -> nearest tiles; who is 'pairs', a part of the data set, or 'disguised'. A larger pair
            is represented by its window of the lowest ratio.
        limits: Of the agreement; None without a segmentor.
        agreement: Who -> (N, K) IoU, as in `Reading`.
        disagreeing: Who -> mean of that share.
        marks: Such pixels of each pair, packed by `numpy.packbits`.
        distances: (from, to) -> kind -> distances.
    """

    rows: list[PairRow]
    tiles: list[str]
    nearest: dict[str, dict[str, NearestTiles]] = field(default_factory=dict)
    limits: AgreementLimits | None = None
    agreement: dict[str, Tensor] = field(default_factory=dict)
    disagreeing: dict[str, float] = field(default_factory=dict)
    marks: list[np.ndarray] = field(default_factory=list)
    distances: dict[tuple[str, str], dict[str, SetDistance]] = field(default_factory=dict)


def drop_copies(check: PairCheck) -> int:
    """Marks the pairs whose image or mask is a copy as not kept, in the rows of the check.

    Args:
        check: Has looked for copies.

    Returns:
        Number of copies.
    """
    number = 0
    for n, row in enumerate(check.rows):
        nearest = check.nearest['pairs']
        copied = [kind for kind in KINDS if nearest[kind].copies[n]]
        if copied:
            names = [f'{check.tiles[nearest[kind].tile[n]]} ({kind})' for kind in copied]
            check.rows[n] = leave_out(row, COPY, f'{COPY} {" and ".join(names)}')
            number += 1
    return number


def mark_disagreeing(check: PairCheck) -> int:
    """Marks the pairs whose agreement is below the limit of real tiles as not kept, in the rows of the check.

    Args:
        check: A segmentor has read the pairs.

    Returns:
        Number of such pairs.
    """
    number = 0
    for n, row in enumerate(check.rows):
        if disagrees(check, row):
            text = f'{DISAGREE}: mean IoU {row.measures["agreement"]:.3f}, limit {check.limits.mean_iou:.3f}'
            check.rows[n] = leave_out(row, DISAGREE, text)
            number += 1
    return number


def disagrees(check: PairCheck, row: PairRow) -> bool:
    """Whether a pair agrees less than nearly all real held-out tiles do."""
    return row.measures.get('agreement', torch.inf) < check.limits.mean_iou


def leave_out(row: PairRow, cause: str, reason: str) -> PairRow:
    """A row marked as not kept; a reason it had before stays, and the same cause is told once.

    Args:
        row: Any row.
        cause: How reasons of this cause begin.
        reason: Begins with `cause`.

    Returns:
        The row with `kept = False`.
    """
    if row.kept or not row.reason:
        return row._replace(kept=False, reason=reason)
    return row if cause in row.reason else row._replace(reason=f'{row.reason}; {reason}')


def plan_ignored(folder: PairFolder, rows: Sequence[PairRow], marks: Sequence[np.ndarray]) -> list[PairRow]:
    """The rows of pairs as :func:`ignore_pixels` leaves them; nothing is written.

    The fractions of the masks as they were drawn go into the measures `unfiltered_<class>`. A pair of which no pixel
    would be left is not changed but left out.

    Args:
        folder: The pairs.
        rows: All of its rows.
        marks: Packed pixels of each row, by `numpy.packbits`.

    Returns:
        The new rows.
    """
    planned = []
    for row, packed in zip(rows, marks, strict=True):
        drawn = folder.read(row.index, drawn=True)[1]
        filtered = _filtered(drawn, packed)
        before, after = (
            phase_fractions(torch.as_tensor(label), len(folder.classes)).tolist() for label in (drawn, filtered)
        )
        names = [f'{UNFILTERED}{name}' for name in folder.classes]
        row = row._replace(measured=tuple(after), measures={**row.measures, **dict(zip(names, before, strict=True))})
        emptied = filtered is drawn and np.unpackbits(packed, count=drawn.size).any()
        planned.append(leave_out(row, NOTHING_LEFT, NOTHING_LEFT) if emptied else row)
    return planned


def ignore_pixels(
    folder: PairFolder, rows: Sequence[PairRow], marks: Sequence[np.ndarray], progress: Callable = progress
) -> None:
    """Writes 255 into the label maps where image and mask disagree, and then the rows.

    The masks as they were drawn stay in `drawn/`, and it is they that a check looks at. So a run that was killed is
    completed by the same command, another segmentor decides anew, and the same check finds the same.

    Args:
        folder: No other process may write to it.
        rows: Of :func:`plan_ignored`.
        marks: What these were planned with.
        progress: Wraps an iterable to show progress, as the default does.

    Raises:
        OSError: Disk full or not writable; run again when it is.
    """
    with folder.changing():
        for row, packed in progress(list(zip(rows, marks, strict=True)), desc='label maps', unit='pair'):
            filtered = _filtered(folder.read(row.index, drawn=True)[1], packed)
            if (filtered != folder.read(row.index)[1]).any():
                folder.replace_label(row.index, filtered)
        folder.replace_rows(rows)


def refuse_lost_masks(folder: PairFolder, rows: Sequence[PairRow]) -> None:
    """Ends what judges masks as they were drawn, where filtered ones are all there is.

    Args:
        folder: The pairs.
        rows: Those to be judged.

    Raises:
        ValueError: An earlier check ignored pixels, and `drawn/` is gone.
    """
    lost = [row.index for row in rows if _was_filtered(row, folder) and not folder.drawn_path(row.index).is_file()]
    if lost:
        raise ValueError(
            f'{folder.root}: an earlier check ignored pixels of {len(lost)} label maps, first index {lost[0]}, and '
            f'{folder.drawn_path(lost[0])} is gone, which holds what was drawn. Bring the folder drawn/ back, or leave '
            'the segmentor out: masks agree the better for it once pixels of them are ignored.'
        )


def _was_filtered(row: PairRow, folder: PairFolder) -> bool:
    drawn = [row.measures.get(f'{UNFILTERED}{name}', math.nan) for name in folder.classes]
    return any(abs(a - b) > UNFILTERED_DIGITS for a, b in zip(drawn, row.measured, strict=True))


def _filtered(drawn: np.ndarray, packed: np.ndarray) -> np.ndarray:
    """A label map with 255 where it is marked; the very one that was drawn where nothing would be left of it."""
    marked = np.unpackbits(packed, count=drawn.size).reshape(drawn.shape).astype(bool)
    filtered = np.where(marked, np.uint8(IGNORE_INDEX), drawn)
    return drawn if (filtered == IGNORE_INDEX).all() else filtered
