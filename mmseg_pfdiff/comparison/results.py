"""What the runs of a comparison found, read from their folders."""

import json
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .plan import Plan
from .task_records import TaskRecords
from .tasks import run_name, tried_ratios


class TestResult(NamedTuple):
    """What one test found.

    Attributes:
        micrographs: N names.
        intersection: (N, K) int64 pixels.
        predicted: (N, K) int64 pixels.
        labelled: (N, K) int64 pixels.
    """

    __test__ = False  # no test of pytest's

    micrographs: tuple[str, ...]
    intersection: np.ndarray
    predicted: np.ndarray
    labelled: np.ndarray


def validation_curve(folder: Path) -> dict[int, float]:
    """Epoch -> mean IoU on the validation part, percent; what was done twice counts as it came out last."""
    scores = {}
    for path in sorted(folder.glob('*/vis_data/scalars.json')):
        for line in path.read_text().splitlines():
            try:
                record = json.loads(line)
            except ValueError:  # the last line of a killed run
                continue
            if not math.isnan(record.get('mIoU', math.nan)):
                scores[record['step']] = record['mIoU']
    return scores


def best_weights(folder: Path) -> tuple[Path, float]:
    """The weights of a training that did best on the validation part.

    Args:
        folder: Work dir of the training, which kept its best weights.

    Returns:
        Path of the weights, and their mean IoU on the validation part, percent.

    Raises:
        ValueError: There are none.
    """
    curve = validation_curve(folder)
    # A kill may leave those of a lower score beside them.
    kept = {path: curve.get(int(path.stem.rpartition('_')[2])) for path in folder.glob('best_mIoU_epoch_*.pth')}
    known = {path: score for path, score in kept.items() if score is not None}
    if not known:
        raise ValueError(
            f'{folder} holds no best_mIoU_epoch_*.pth with a logged mIoU: its config must validate and have '
            "default_hooks.checkpoint.save_best='mIoU'."
        )
    best = max(known, key=known.get)
    return best, known[best]


def chosen_ratio(plan: Plan, records: TaskRecords, split: str, segmentor: str, method: str) -> int:
    """The ratio with the best mean validation score over the seeds; of equal ones the smallest.

    Each split chooses for itself: the validation micrographs of one are test micrographs of another.

    Args:
        plan: The comparison.
        records: Of its tasks; the trainings of the segmentor and the method are done.
        split: Name.
        segmentor: Name.
        method: Name.

    Returns:
        The ratio.
    """
    return max(
        tried_ratios(plan, method),
        key=lambda ratio: (np.mean(validation_scores(plan, records, split, segmentor, method, ratio)), -ratio),
    )


def validation_scores(
    plan: Plan, records: TaskRecords, split: str, segmentor: str, method: str, ratio: int
) -> list[float]:
    """Best validation scores of all seeds, mean IoU in percent."""
    names = [run_name(split, segmentor, method, ratio, seed) for seed in plan.seeds]
    return [records.mark(name)['validation'] for name in names]


def read_test(path: Path) -> TestResult:
    """Reads the report of :class:`MicrographIoUMetric`.

    Args:
        path: `test.json`.

    Returns:
        Pixel counts of each micrograph.
    """
    rows = [row for row in json.loads(path.read_text()) if row['micrograph'] != 'all']
    counts = (np.array([row['pixels'][key] for row in rows]) for key in ('intersection', 'predicted', 'labelled'))
    return TestResult(tuple(row['micrograph'] for row in rows), *counts)
