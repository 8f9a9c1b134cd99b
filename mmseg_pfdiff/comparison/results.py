"""What the runs of a comparison found, read from their folders."""

import json
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .plan import Plan
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


def validation_curve(folder: Path) -> list[float]:
    """Mean IoU on the validation part, percent, in the order of the training; what was done twice stands twice."""
    scores = []
    for path in sorted(folder.glob('*/vis_data/scalars.json')):
        for line in path.read_text().splitlines():
            try:
                scores.append(json.loads(line).get('mIoU'))
            except ValueError:  # the last line of a killed run
                continue
    return [score for score in scores if score is not None and not math.isnan(score)]


def validation_score(work_dir: Path, name: str) -> float:
    """Best mean IoU of a training on the validation part, percent; the weights that made it are kept."""
    curve = validation_curve(work_dir / name)
    if not curve:
        raise ValueError(f'{work_dir / name} holds no validation: its config must validate and log mIoU.')
    return max(curve)


def chosen_ratio(plan: Plan, work_dir: Path, segmentor: str, method: str) -> int:
    """The ratio with the best mean validation score over splits and seeds; of equal ones the smallest.

    Args:
        plan: The comparison.
        work_dir: Where its runs lie; those of the segmentor and the method are done.
        segmentor: Name.
        method: Name.

    Returns:
        The ratio.
    """
    return max(
        tried_ratios(plan, method),
        key=lambda ratio: (np.mean(validation_scores(plan, work_dir, segmentor, method, ratio)), -ratio),
    )


def validation_scores(plan: Plan, work_dir: Path, segmentor: str, method: str, ratio: int) -> list[float]:
    """Validation scores of all splits and seeds."""
    return [
        validation_score(work_dir, run_name(split, segmentor, method, ratio, seed))
        for split in plan.data
        for seed in plan.seeds
    ]


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
