"""Label maps as tensors: their range, their indices into tables of classes, and lower resolutions of them.

Values are looked at in the memory of the CPU alone. For each look at a tensor on a GPU the host would have to wait, so
label maps are checked before they go there; an index that no table has stops the kernel that meets it.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

IGNORE_INDEX = 255
SHOWN_VALUES = 8


def check_labels(labels: Tensor | np.ndarray, num_classes: int, ignore_index: int = IGNORE_INDEX) -> None:
    """Sees that label maps hold classes.

    Args:
        labels: Any shape and integer dtype. Those on a GPU pass.
        num_classes: K.
        ignore_index: Label of ignored pixels.

    Raises:
        ValueError: A label is neither a class nor ignored.
    """
    if isinstance(labels, Tensor) and labels.device.type != 'cpu':
        return
    wrong = (labels != ignore_index) & ((labels < 0) | (labels >= num_classes))
    if wrong.any():
        values = sorted(set(labels[wrong].tolist()))[:SHOWN_VALUES]
        raise ValueError(f'Labels must be 0..{num_classes - 1} or {ignore_index} (ignored), got {values}.')


def class_indices(labels: Tensor, num_classes: int, ignore_index: int = IGNORE_INDEX) -> Tensor:
    """Label maps as indices into tables of K + 1 rows, the last of which is that of ignored pixels.

    Args:
        labels: Any shape and integer dtype, values 0..K-1 or `ignore_index`.
        num_classes: K.
        ignore_index: Label of ignored pixels.

    Returns:
        int64 of the same shape, 0..K. Labels on a GPU that are neither a class nor ignored become K + 1, beyond the
        end of the table.

    Raises:
        ValueError: Labels in the memory of the CPU are neither a class nor ignored.
    """
    check_labels(labels, num_classes, ignore_index)
    index = labels.long()
    beyond = torch.where(index == ignore_index, num_classes, num_classes + 1)
    return torch.where((index >= 0) & (index < num_classes), index, beyond)


def reduce_labels(labels: Tensor, factor: int, num_classes: int, ignore_index: int = IGNORE_INDEX) -> Tensor:
    """Label maps at a lower resolution: the commonest value of each block, on a tie the one that comes first in it.

    The tie rule favours no class, so that phase fractions keep their mean.

    Args:
        labels: (N, H, W), integer, values 0..K-1 or `ignore_index`; H and W are multiples of the factor.
        factor: Side of a block.
        num_classes: K.
        ignore_index: Label of ignored pixels, which vote like a class.

    Returns:
        (N, H / factor, W / factor), same dtype.

    Raises:
        ValueError: As of :func:`class_indices`.
    """
    if factor == 1:
        return labels
    index = class_indices(labels, num_classes, ignore_index)
    n, height, width = labels.shape
    blocks = index.reshape(n, height // factor, factor, width // factor, factor).transpose(2, 3).flatten(3)
    votes = F.one_hot(blocks, num_classes + 1).float()  # (N, h, w, pixels of a block, K+1)
    # Up to half a vote for coming early: decides ties and nothing else.
    earliness = torch.arange(factor**2, 0, -1, device=labels.device)[:, None] / (2 * factor**2 + 1)
    winner = (votes.sum(3) + (votes * earliness).amax(3)).argmax(3)
    return torch.where(winner == num_classes, ignore_index, winner).to(labels.dtype)


def one_hot(labels: Tensor, num_classes: int) -> Tensor:
    """Label maps to one channel for each class.

    Args:
        labels: (N, H, W), any integer dtype, values 0..K-1 or 255.
        num_classes: K.

    Returns:
        (N, K, H, W) float32, 0 or 1; all channels of an ignored pixel are 0.

    Raises:
        ValueError: A label is neither a class nor ignored.
    """
    check_labels(labels, num_classes)
    return (labels[:, None] == torch.arange(num_classes, device=labels.device)[:, None, None]).float()
