"""How well phase fractions asked for are met (Fig. 4 of the paper)."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmseg.registry import METRICS
from prettytable import PrettyTable
from torch import Tensor


class FractionErrors(NamedTuple):
    """Errors of K classes.

    Attributes:
        mae: (K,) mean absolute error, in percentage points.
        r2: (K,) coefficient of determination against the diagonal measured = target, in percent; NaN where all targets
            of a class are equal.
    """

    mae: Tensor
    r2: Tensor


def fraction_errors(target: Tensor, measured: Tensor) -> FractionErrors:
    """Compares the fractions of pairs with those asked for.

    Args:
        target: (N, K) fractions asked for, each row sums to 1.
        measured: (N, K) fractions of the label maps.

    Returns:
        MAE and R2 for each class.

    Raises:
        ValueError: No pairs, or shapes that differ.
    """
    if target.shape != measured.shape or target.ndim != 2 or not len(target):
        raise ValueError(
            f'target and measured must both be (N >= 1, K), got {tuple(target.shape)} and {tuple(measured.shape)}.'
        )
    target, measured = target.double(), measured.double()
    residual = (measured - target).square().sum(0)
    total = (target - target.mean(0)).square().sum(0)
    r2 = torch.where(total > 0, 1 - residual / total, torch.nan)
    return FractionErrors((measured - target).abs().mean(0) * 100, r2 * 100)


def fraction_table(target: Tensor, measured: Tensor, classes: Sequence[str]) -> str:
    """The errors as a table for people.

    Args:
        target: (N, K) fractions asked for.
        measured: (N, K) fractions of the label maps.
        classes: K names.

    Returns:
        Text: for each class the mean target and measured fraction, MAE in points, R2 in percent.
    """
    table = PrettyTable(['class', 'asked %', 'got %', 'MAE (points)', 'R2 %'])
    table.add_rows(fraction_rows(target, measured, classes))
    return table.get_string()


def fraction_rows(target: Tensor, measured: Tensor, classes: Sequence[str]) -> list[list[str]]:
    """The cells of :func:`fraction_table`, a row for each class."""
    errors = fraction_errors(target, measured)
    columns = (100 * target.mean(0), 100 * measured.mean(0), errors.mae)
    return [
        [name, *(f'{column[k]:.2f}' for column in columns), '-' if errors.r2[k].isnan() else f'{errors.r2[k]:.1f}']
        for k, name in enumerate(classes)
    ]


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
