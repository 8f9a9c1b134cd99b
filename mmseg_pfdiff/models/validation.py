"""Pairs drawn for a validation, beside real ones of the same fractions."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from mmengine.structures import PixelData
from torch import Tensor

from ..phases.fractions import phase_fractions

T = TypeVar('T')

# Pairs drawn during validation use this seed, so that the epochs of a run can be compared by eye.
VALIDATION_SEED = 0


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Splits a list into lists of `size`; the last may be shorter."""
    return (items[start : start + size] for start in range(0, len(items), size))


def sample_indices(data_samples: Sequence[Any]) -> list[int]:
    """Which samples of the data set these are, so that what is drawn does not depend on the batch.

    Args:
        data_samples: N data samples, or anything without meta information, which is counted.

    Returns:
        N indices.
    """
    metas = (getattr(sample, 'metainfo', {}) for sample in data_samples)
    return [int(meta.get('sample_idx', position)) for position, meta in enumerate(metas)]


def fill_samples(
    data_samples: Sequence, inputs: dict, labels: Tensor, images: Tensor | None, num_classes: int, *, steered: bool
) -> Sequence:
    """Adds what was drawn to data samples.

    Args:
        data_samples: N data samples; they get `pred_sem_seg`, `pred_image` if there are images, `real_sem_seg`,
            `real_image`, `measured_fractions`, and `target_fractions` of a steered model.
        inputs: What the preprocessor returns: `images`, `labels` and `fractions` of the real pairs.
        labels: (N, H, W) integer, drawn label maps.
        images: (N, H, W) uint8, drawn images; None for a model that draws masks alone.
        num_classes: K.
        steered: Whether fractions were asked for.

    Returns:
        The data samples.
    """
    measured = phase_fractions(labels, num_classes)
    for i, sample in enumerate(data_samples):
        sample.pred_sem_seg = PixelData(data=labels[i : i + 1])
        if images is not None:
            sample.pred_image = PixelData(data=images[i : i + 1])
        sample.real_sem_seg = PixelData(data=inputs['labels'][i : i + 1])
        sample.real_image = PixelData(data=inputs['images'][i : i + 1])
        if steered:
            sample.target_fractions = inputs['fractions'][i]
        sample.measured_fractions = measured[i]
    return data_samples
