"""Errors of phase fractions: of pairs against those asked for (Fig. 4 of the paper), and of segmentors."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmseg.registry import METRICS
from prettytable import PrettyTable
from torch import Tensor

from ..phases.labels import IGNORE_INDEX
from ..texts import shown
from .confusion import class_areas, sample_confusion
from .predictions import relative_name


class FractionErrors(NamedTuple):
    """Errors of the fractions of N maps and K classes.

    Attributes:
        by_map: (N,) mean absolute error over the classes, in percentage points.
        mae: (K,) mean absolute error over the maps, in percentage points.
        bias: (K,) mean of measured minus target, in percentage points.
        r2: (K,) coefficient of determination against the diagonal measured = target, in percent; NaN where all targets
            of a class are equal.
    """

    by_map: Tensor
    mae: Tensor
    bias: Tensor
    r2: Tensor


def fraction_errors(target: Tensor, measured: Tensor) -> FractionErrors:
    """Compares fractions with those that they should be.

    Args:
        target: (N, K) fractions asked for, or labelled; each row sums to 1.
        measured: (N, K) fractions drawn, or predicted.

    Returns:
        All of them, float64.

    Raises:
        ValueError: No rows, or shapes that differ.
    """
    if target.shape != measured.shape or target.ndim != 2 or not len(target):
        raise ValueError(
            f'target and measured must both be (N >= 1, K), got {tuple(target.shape)} and {tuple(measured.shape)}.'
        )
    target, measured = target.double(), measured.double()
    points = 100 * (measured - target)
    residual = (measured - target).square().sum(0)
    total = (target - target.mean(0)).square().sum(0)
    r2 = torch.where(total > 0, 1 - residual / total, torch.nan)
    return FractionErrors(points.abs().mean(1), points.abs().mean(0), points.mean(0), 100 * r2)


def fraction_records(target: Tensor, measured: Tensor, classes: Sequence[str]) -> list[dict[str, object]]:
    """The errors as a table.

    Args:
        target: (N, K) fractions asked for.
        measured: (N, K) fractions of the label maps.
        classes: K names.

    Returns:
        For each class its name, the mean target and measured fraction in percent, MAE in points, R2 in percent.
    """
    errors = fraction_errors(target, measured)
    columns = {
        'class': list(classes),
        'asked, mean %': (100 * target.mean(0)).tolist(),
        'got, mean %': (100 * measured.mean(0)).tolist(),
        'MAE, points': errors.mae.tolist(),
        'R2 %': errors.r2.tolist(),
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def fraction_rows(target: Tensor, measured: Tensor, classes: Sequence[str]) -> list[list[str]]:
    """The cells of :func:`fraction_records` for people."""
    records = [list(record.values()) for record in fraction_records(target, measured, classes)]
    return [[name, *(f'{value:.2f}' for value in values), shown(r2, '.1f')] for name, *values, r2 in records]


def fraction_table(target: Tensor, measured: Tensor, classes: Sequence[str]) -> str:
    """The errors as text, arguments as those of :func:`fraction_records`."""
    table = PrettyTable(['class', 'asked %', 'got %', 'MAE (points)', 'R2 %'])
    table.add_rows(fraction_rows(target, measured, classes))
    return table.get_string()


@METRICS.register_module()
class PhaseFractionError(BaseMetric):
    """Fraction error of the pairs that a generator draws in validation.

    Logs `fraction_mae` (mean over classes, points) and `fraction_mae.<class>`; prints the table with R2.
    """

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keeps both fraction vectors of each drawn pair."""
        for sample in data_samples:
            self.results.append(
                (sample['target_fractions'].double().cpu(), sample['measured_fractions'].double().cpu())
            )

    def compute_metrics(self, results: list) -> dict[str, float]:
        """MAE over all pairs."""
        target, measured = (torch.stack(column) for column in zip(*results, strict=True))
        classes = self.dataset_meta['classes']
        print_log('\n' + fraction_table(target, measured, classes), logger='current')
        mae = fraction_errors(target, measured).mae
        return {'fraction_mae': mae.mean().item()} | {
            f'fraction_mae.{name}': mae[k].item() for k, name in enumerate(classes)
        }


@METRICS.register_module()
class PhaseFractionMetric(BaseMetric):
    """Error of the predicted phase fractions, in percentage points of the labelled pixels of each micrograph.

    Logged are `fraction_error`, the mean absolute error over micrographs and classes, `fraction_error.<class>`, and
    `fraction_bias.<class>`, the mean of predicted minus labelled. A table of all micrographs is printed, with the error
    of each class. Classes that a micrograph lacks count: predicting some of them is an error of its fractions.

    Args:
        ignore_index: Label of the pixels that are not counted.
        image_root: Folder of the images, below which micrographs are named; without it, by their file names.
        collect_device: Of `BaseMetric`.
        prefix: Of `BaseMetric`.
    """

    def __init__(
        self,
        ignore_index: int = IGNORE_INDEX,
        image_root: str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix)
        self.ignore_index, self.image_root = ignore_index, image_root

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Measures the fractions of a batch.

        Args:
            data_batch: Not used.
            data_samples: Predictions, each as :func:`sample_confusion` takes it.

        Raises:
            ValueError: As there.
        """
        num_classes = len(self.dataset_meta['classes'])
        for sample in data_samples:
            _, predicted, labelled = class_areas(sample_confusion(sample, num_classes, self.ignore_index).double())
            if labelled.any():
                shares = (area / labelled.sum() for area in (predicted, labelled))
                self.results.append((relative_name(sample.get('img_path', '-'), self.image_root), *shares))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Means over the micrographs; prints the table.

        Args:
            results: (name, predicted fractions, labelled fractions) of each micrograph.

        Returns:
            Metric -> points.
        """
        classes = self.dataset_meta['classes']
        if not results:
            return {'fraction_error': math.nan}
        table = PrettyTable(['Micrograph', *classes])
        for name, predicted, labelled in results:
            both = zip((100 * predicted).tolist(), (100 * labelled).tolist(), strict=True)
            table.add_row([name, *(f'{p:.2f} / {t:.2f} ({p - t:+.2f})' for p, t in both)])
        print_log(f'phase fractions in percent, predicted / labelled (error in points):\n{table}', logger='current')
        _, predicted, labelled = zip(*results, strict=True)
        errors = fraction_errors(torch.stack(labelled), torch.stack(predicted))
        metrics = {'fraction_error': errors.mae.mean().item()}
        for name, column in (('fraction_error', errors.mae), ('fraction_bias', errors.bias)):
            metrics |= {f'{name}.{phase}': value for phase, value in zip(classes, column.tolist(), strict=True)}
        return metrics
