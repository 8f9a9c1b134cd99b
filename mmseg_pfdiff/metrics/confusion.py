"""Pixel counts by labelled and predicted class, and the intersection over union that all metrics take from them."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ..phases.labels import IGNORE_INDEX
from .predictions import named_files

CHUNK = 2**18  # pixels counted at a time: a large label map is never copied as 64-bit numbers


def confusion_matrix(predicted: Tensor, label: Tensor, num_classes: int, ignore_index: int = IGNORE_INDEX) -> Tensor:
    """Numbers of pixels by labelled and by predicted class.

    Args:
        predicted: (H, W) integer, 0..K-1.
        label: (H, W) integer, 0..K-1 or `ignore_index`.
        num_classes: K.
        ignore_index: Label of the pixels that are not counted.

    Returns:
        (K, K) int64 on the CPU; row: labelled, column: predicted. mmseg's float32 histograms end at 2**24 pixels.

    Raises:
        ValueError: The two differ in size, or a value is out of range, e.g. because the data set's classes do not fit
            its label maps.
    """
    if predicted.shape != label.shape:
        raise ValueError(
            f'The prediction is {tuple(predicted.shape)}, the label map {tuple(label.shape)}: both must be '
            '(height, width), equal.'
        )
    counts = torch.zeros(num_classes**2, dtype=torch.int64)
    for guess, truth in zip(predicted.flatten().split(CHUNK), label.flatten().split(CHUNK), strict=True):
        truth = truth.to(guess.device)
        known = truth != ignore_index
        guess, truth = guess[known].long(), truth[known].long()
        for name, values in (('label', truth), ('prediction', guess)):
            if values.numel() and not 0 <= int(values.min()) <= int(values.max()) < num_classes:
                raise ValueError(
                    f'A {name} must be 0..{num_classes - 1} (labels also {ignore_index}, ignored), '
                    f'got {sorted(set(values.unique().tolist()))}.'
                )
        counts += torch.bincount(truth * num_classes + guess, minlength=num_classes**2).cpu()
    return counts.view(num_classes, num_classes)


def sample_confusion(sample: Mapping, num_classes: int, ignore_index: int = IGNORE_INDEX) -> Tensor:
    """The confusion matrix of a data sample.

    Args:
        sample: `pred_sem_seg` and `gt_sem_seg`, each with `data` (1, H, W) integer, and the paths of its files.
        num_classes: K.
        ignore_index: Label of the pixels that are not counted.

    Returns:
        As :func:`confusion_matrix`.

    Raises:
        ValueError: As there; the message names the label map's file.
    """
    predicted, label = (sample[key]['data'][0] for key in ('pred_sem_seg', 'gt_sem_seg'))
    try:
        return confusion_matrix(predicted, label, num_classes, ignore_index)
    except ValueError as error:
        raise ValueError(f'{named_files(sample)}: {error}') from error


def class_areas(confusion: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels of each class.

    Args:
        confusion: (..., K, K), row: labelled, column: predicted.

    Returns:
        Intersection, predicted and labelled pixels, each (..., K).
    """
    return confusion.diagonal(dim1=-2, dim2=-1), confusion.sum(-2), confusion.sum(-1)


def class_iou(intersection: Tensor, predicted: Tensor, labelled: Tensor) -> Tensor:
    """Intersection over union of each class.

    Args:
        intersection: (..., K) pixels, any dtype.
        predicted: Likewise.
        labelled: Likewise.

    Returns:
        (..., K) float64 in [0, 1]; NaN for a class that is not labelled.
    """
    return (intersection.double() / (predicted + labelled - intersection)).where(labelled > 0, torch.nan)
