"""PhaseFractionMetric: by how much a segmentor misses the phase fractions, the number that metallographers report."""

import math
from collections.abc import Sequence

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmseg.registry import METRICS
from prettytable import PrettyTable

from ..phases import IGNORE_INDEX
from .confusion import confusion_matrix
from .prediction_files import named_files, relative_name


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
            data_samples: Predictions as dicts: `pred_sem_seg` and `gt_sem_seg`, each with `data` (1, H, W) integer,
                and `img_path`.

        Raises:
            ValueError: A label is neither a class nor the ignored one, or a prediction and its label map differ in
                size; the message names the label map's file.
        """
        num_classes = len(self.dataset_meta['classes'])
        for sample in data_samples:
            predicted, label = (sample[key]['data'][0] for key in ('pred_sem_seg', 'gt_sem_seg'))
            try:
                counts = confusion_matrix(predicted, label, num_classes, self.ignore_index).double()
            except ValueError as error:
                raise ValueError(f'{named_files(sample)}: {error}') from error
            if counts.any():
                found = (100 * (counts.sum(axis) / counts.sum()) for axis in (0, 1))
                self.results.append((relative_name(sample.get('img_path', '-'), self.image_root), *found))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Means over the micrographs; prints the table.

        Args:
            results: (name, predicted fractions, labelled fractions) of each micrograph, in percent.

        Returns:
            Metric -> points.
        """
        classes = self.dataset_meta['classes']
        if not results:
            return {'fraction_error': math.nan}
        table = PrettyTable(['Micrograph', *classes])
        for name, predicted, labelled in results:
            both = zip(predicted.tolist(), labelled.tolist(), strict=True)
            table.add_row([name, *(f'{p:.2f} / {t:.2f} ({p - t:+.2f})' for p, t in both)])
        print_log(f'phase fractions in percent, predicted / labelled (error in points):\n{table}', logger='current')
        errors = torch.stack([predicted - labelled for _, predicted, labelled in results])
        by_class, bias = errors.abs().mean(0), errors.mean(0)
        metrics = {'fraction_error': by_class.mean().item()}
        metrics |= {f'fraction_error.{name}': value.item() for name, value in zip(classes, by_class, strict=True)}
        return metrics | {f'fraction_bias.{name}': value.item() for name, value in zip(classes, bias, strict=True)}
