"""Results of the runs of a comparison, read from their folders."""

import json
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np


class TestResult(NamedTuple):
    """Pixels of each class that one test counted.

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


def last_checkpoint(folder: Path) -> str:
    """The last weights of a training.

    Args:
        folder: Its work dir.

    Returns:
        Path.

    Raises:
        FileNotFoundError: There are none.
    """
    mark = folder / 'last_checkpoint'
    if not mark.is_file():
        raise FileNotFoundError(f'{mark} is not there: the training has left no checkpoint.')
    # The folder may have been moved since.
    return str(folder / Path(mark.read_text().strip()).name)


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
