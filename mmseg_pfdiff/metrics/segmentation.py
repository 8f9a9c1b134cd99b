"""IoU and pixel accuracy over the test set and for each micrograph."""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from mmengine.logging import MMLogger, print_log
from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS
from prettytable import PrettyTable
from torch import Tensor

from ..csv_files import csv_text
from ..files import write_atomically
from ..texts import ABSENT, shown
from .confusion import class_areas, class_iou, sample_confusion
from .fractions import fraction_errors
from .predictions import MicrographNames, write_prediction


@METRICS.register_module()
class MicrographIoUMetric(IoUMetric):
    """mmseg's IoU metric that also reports each micrograph, as the paper's Table 4 does.

    All values are percentages. Logged are `aAcc` (pixel accuracy), `mIoU`, `mAcc` and each class's `IoU.<class>` and
    `Acc.<class>` (`mDice`, `Dice.<class>`, ... with other `iou_metrics`), from the pixels of all micrographs together;
    and `wIoU`, the mean IoU of the micrographs, each weighted by the number of its labelled pixels.
    Two tables are printed: the classes over the whole set, and the micrographs one by one.

    A class without a pixel in a micrograph's label map is absent there: a dash in the table, null in JSON, an empty
    cell in CSV, and no part of that micrograph's mean. Where it is predicted all the same, the pixels are false
    positives: misses of the micrograph's true classes, and part of the class's union in its IoU over the whole set.
    A class absent from every label map is NaN in the log and left out of `mIoU` (mmseg's own metric gives it 0 as soon
    as one pixel is predicted, and so lets an untestable class decide the mean).

    Args:
        report_file: Where the values are written, `.json` or `.csv`; nothing is by default. Replaced whole at each
            evaluation.
        output_dir: Where predictions are written, see :func:`write_prediction`; they are not by default.
        image_root: Folder of the images, below which micrographs are named; without it, by their file names.
        **kwargs: As mmseg's `IoUMetric`: `ignore_index=255`, `iou_metrics=['mIoU']`, `format_only`,
            `prefix`, `collect_device`, `nan_to_num`, `beta`.

    Raises:
        ValueError: `report_file` has another suffix.
    """

    def __init__(
        self,
        report_file: str | None = None,
        output_dir: str | None = None,
        image_root: str | None = None,
        *,
        format_only: bool = False,
        **kwargs,
    ):
        if format_only and output_dir is None:
            raise ValueError('format_only=True writes predictions and nothing else: give output_dir as well.')
        super().__init__(**kwargs)
        # mmseg's own would write them under their file names alone, and without palette.
        self.predictions_dir, self.image_root, self.format_only = output_dir, image_root, format_only
        self.names = MicrographNames(image_root, unique=output_dir is not None or report_file is not None)
        self.report_file = None if report_file is None else Path(report_file)
        if self.report_file is not None and self.report_file.suffix not in ('.json', '.csv'):
            raise ValueError(f'report_file must end in .json or .csv, got {report_file!r}.')

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Counts the pixels of a batch.

        Args:
            data_batch: Not used.
            data_samples: Predictions, each as :func:`sample_confusion` takes it, with `img_path`.

        Raises:
            ValueError: As there, or two micrographs have one name.
            KeyError: A sample has no `img_path`.
        """
        num_classes = len(self.dataset_meta['classes'])
        for sample in data_samples:
            if 'img_path' not in sample:
                raise KeyError("A sample has no 'img_path' to name its micrograph: add it to PackSegInputs' meta_keys.")
            path, predicted = sample['img_path'], sample['pred_sem_seg']['data'][0]
            name = self.names.add(path)
            counts = None if self.format_only else sample_confusion(sample, num_classes, self.ignore_index)
            self.results.append((name, counts))
            if self.predictions_dir is not None:
                palette = self.dataset_meta['palette']
                write_prediction(self.predictions_dir, name, path, predicted.cpu().numpy(), palette)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Values over the whole set; prints the tables and writes the report.

        Args:
            results: (name, confusion matrix) of each micrograph.

        Returns:
            Metric -> per cent.
        """
        if self.format_only:
            return {}
        logger = MMLogger.get_current_instance()
        classes = self.dataset_meta['classes']
        total = sum(counts for _, counts in results)
        intersection, predicted, labelled = (area.double() for area in class_areas(total))
        union = predicted + labelled - intersection
        scores = self.total_area_to_metrics(intersection, union, predicted, labelled, self.metrics, beta=self.beta)
        metrics = {'aAcc': 100 * float(scores.pop('aAcc'))}
        table = PrettyTable()
        table.add_column('Class', list(classes))
        for name, values in scores.items():
            percent = (100 * torch.as_tensor(values)).where(labelled > 0, torch.nan)
            if self.nan_to_num is not None:
                percent = percent.nan_to_num(nan=self.nan_to_num)
            metrics[f'm{name}'] = float(percent.nanmean())
            metrics.update({f'{name}.{c}': float(value) for c, value in zip(classes, percent, strict=True)})
            table.add_column(name, [_percent(value) for value in percent.tolist()])
        print_log(f'per class results:\n{table}', logger)

        metrics['wIoU'] = area_weighted_iou([counts for _, counts in results])
        rows = [micrograph_row(name, counts, classes) for name, counts in [*results, ('all', total)]]
        rows[-1]['wIoU'] = None if math.isnan(metrics['wIoU']) else metrics['wIoU']
        table = PrettyTable(['Micrograph', 'aAcc', 'mIoU', *(f'IoU.{c}' for c in classes)])
        for row in rows:
            table.add_row([row['micrograph'], *map(_percent, (row['aAcc'], row['mIoU'], *row['IoU'].values()))])
        print_log(f'per micrograph results ({ABSENT} where no pixel of the class is labelled):\n{table}', logger)
        if self.report_file is not None:
            write_report(self.report_file, rows)
            print_log(f'per micrograph results are saved to {self.report_file}', logger)
        return metrics


def micrograph_row(name: str, confusion: Tensor, classes: Sequence[str]) -> dict:
    """The values that are reported of one micrograph.

    Args:
        name: The micrograph's name.
        confusion: (K, K) integer, row: labelled, column: predicted.
        classes: K names.

    Returns:
        `micrograph`, `aAcc`, `mIoU` and `IoU` (class -> value), in per cent; None for a class that is absent from the
        label map, and for all when no pixel is labelled. `fraction_error` (class -> predicted minus labelled phase
        fraction, in points). And `pixels`: `intersection`, `predicted` and `labelled`, each a list of K counts, from
        which all else follows.
    """
    intersection, predicted, labelled = class_areas(confusion)
    number = labelled.sum()
    iou = 100 * class_iou(intersection, predicted, labelled)
    accuracy, mean, *iou = _known([100 * intersection.sum().double() / number, iou.nanmean(), *iou])
    errors = _known(fraction_errors((labelled / number)[None], (predicted / number)[None]).bias)
    pixels = dict(intersection=intersection, predicted=predicted, labelled=labelled)
    return dict(
        micrograph=name,
        aAcc=accuracy,
        mIoU=mean,
        IoU=dict(zip(classes, iou, strict=True)),
        fraction_error=dict(zip(classes, errors, strict=True)),
        pixels={key: area.tolist() for key, area in pixels.items()},
    )


def _known(values: Iterable[Tensor]) -> list[float | None]:
    return [None if value.isnan() else float(value) for value in values]


def area_weighted_iou(confusions: Sequence[Tensor]) -> float:
    """Mean over micrographs of their mean IoU, weighted by labelled pixels.

    Args:
        confusions: (K, K) integer of each micrograph.

    Returns:
        Per cent; NaN where nothing is labelled.
    """
    counts = torch.stack(list(confusions))
    weights = counts.sum((1, 2)).double()
    means = 100 * class_iou(*class_areas(counts)).nanmean(1)
    return ((means.nan_to_num() * weights).sum() / weights.sum()).item()


def write_report(path: Path, rows: Sequence[dict]) -> None:
    """Writes the rows of :func:`micrograph_row`, the whole file or none.

    Args:
        path: `.json`: the rows as a list; `.csv`: `micrograph,aAcc,mIoU,IoU.<class>...,fraction_error.<class>...`,
            absent classes empty.
        rows: At least one.
    """
    if path.suffix == '.json':
        text = json.dumps(list(rows), indent=2) + '\n'
    else:
        by_class = [f'{key}.{name}' for key in ('IoU', 'fraction_error') for name in rows[0][key]]
        values = ([*row['IoU'].values(), *row['fraction_error'].values()] for row in rows)
        cells = ([row['micrograph'], row['aAcc'], row['mIoU'], *line] for row, line in zip(rows, values, strict=True))
        text = csv_text([['micrograph', 'aAcc', 'mIoU', *by_class], *cells])
    write_atomically(path, text.encode())


def _percent(value: float | None) -> str:
    return shown(value, '.2f', math.inf)
