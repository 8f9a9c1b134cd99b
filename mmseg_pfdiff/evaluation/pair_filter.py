"""What a check does to the pairs of a folder: mark those that training should leave out, ignore pixels."""

from collections.abc import Sequence

import numpy as np
import torch

from ..datasets import PairFolder, PairRow
from ..phases import IGNORE_INDEX, phase_fractions
from .pair_check import KINDS, UNFILTERED, PairCheck

COPY = 'copy of training tile'
DISAGREE = 'image and mask disagree'
NOTHING_LEFT = 'image and mask disagree everywhere'


def drop_copies(check: PairCheck) -> int:
    """Marks the pairs whose image or mask is a copy as not kept, in the rows of the check.

    Args:
        check: Has looked for copies.

    Returns:
        Number of copies.
    """
    number = 0
    for n, row in enumerate(check.rows):
        found = {kind: check.nearest['pairs'][kind] for kind in KINDS}
        copied = [kind for kind in KINDS if found[kind].copies[n]]
        if copied:
            names = [f'{check.tiles[found[kind].tile[n]]} ({kind})' for kind in copied]
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


def ignore_pixels(folder: PairFolder, rows: Sequence[PairRow], marks: Sequence[np.ndarray]) -> list[PairRow]:
    """Writes 255 into the label maps where image and mask disagree, and measures their fractions anew.

    The fractions of the masks as they were drawn stay in `unfiltered_<class>`. They are in `pairs.csv` before the first
    label map is touched, each label map is replaced in one rename, and the new fractions follow last; so a run that
    was killed is completed by the same command. A pair of which no pixel would be left is not changed but left out.

    Args:
        folder: Its rows are replaced too. No process may be writing to it.
        rows: All of its rows.
        marks: Packed pixels of each row, by `numpy.packbits`.

    Returns:
        The rows as they stand now in `pairs.csv`.

    Raises:
        OSError: Disk full or not writable; run again when it is.
    """
    names = [f'{UNFILTERED}{name}' for name in folder.classes]
    rows = [
        row if names[0] in row.measures
        else row._replace(measures={**row.measures, **dict(zip(names, row.measured, strict=True))})
        for row in rows
    ]  # fmt: skip
    folder.replace_rows(rows)
    for n, (row, packed) in enumerate(zip(rows, marks, strict=True)):
        image, label = folder.read(row.index)
        marked = np.unpackbits(packed, count=label.size).reshape(label.shape).astype(bool)
        filtered = np.where(marked, np.uint8(IGNORE_INDEX), label)
        if (filtered == IGNORE_INDEX).all():
            rows[n] = leave_out(row, NOTHING_LEFT, NOTHING_LEFT)
            continue
        if (filtered != label).any():
            folder.write_files(row.index, image, filtered)
        measured = phase_fractions(torch.as_tensor(filtered), len(folder.classes))
        rows[n] = row._replace(measured=tuple(measured.tolist()))
    folder.replace_rows(rows)
    return rows
