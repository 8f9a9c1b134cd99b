"""Pixels counted by labelled and predicted class, from which all measures of segmentation follow."""

import torch
from torch import Tensor

CHUNK = 2**18  # pixels counted at a time: a large label map is never copied as 64-bit numbers


def confusion_matrix(predicted: Tensor, label: Tensor, num_classes: int, ignore_index: int) -> Tensor:
    """Numbers of pixels by labelled and by predicted class.

    Args:
        predicted: (H, W) integer, 0..K-1.
        label: (H, W) integer, 0..K-1 or `ignore_index`.
        num_classes: K.
        ignore_index: Label of the pixels that are not counted.

    Returns:
        (K, K) int64 on the CPU; row: labelled, column: predicted.

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
