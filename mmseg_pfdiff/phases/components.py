"""Clean-up of label specks: small components take the class around them."""

from typing import NamedTuple

import numpy as np
import torch
from skimage import measure
from torch import Tensor

from .labels import IGNORE_INDEX

NEIGHBOURS = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]


class CleanedLabels(NamedTuple):
    """Label maps without specks.

    Attributes:
        labels: Like the labels given, shape and dtype too.
        changed: bool of their shape, True where the class is another one now.
    """

    labels: Tensor
    changed: Tensor


def remove_specks(labels: Tensor, min_area: int, ignore_index: int = IGNORE_INDEX) -> CleanedLabels:
    """Gives components smaller than `min_area` pixels the class that is commonest among the pixels around them.

    Pixels of a class belong together when they touch, also by a corner (8-connectivity). A film of a phase that runs
    diagonally, one pixel wide in a reduced mask, so stays one component, where 4-connectivity would take it for a row
    of specks; and all pixels around a component are of other classes.

    Only components of at least `min_area` pixels vote, so two specks that touch do not swap their classes. A speck
    that touches other specks alone waits until one of these has become part of a large component. On a tie the lower
    class wins. The result does not depend on any order and turns with the map. Ignored pixels neither change nor vote;
    specks that no large component ever reaches (a map of specks only) stay.

    To clean scores before a quota is met, raise the score of the new class of the changed pixels.

    Args:
        labels: (N, H, W) or (H, W), integer, classes >= 0 or `ignore_index`.
        min_area: Smallest component that may stay, in pixels; 0 and 1 change nothing.
        ignore_index: Label of ignored pixels.

    Returns:
        Cleaned labels and the changed pixels, on the device of `labels`.

    Raises:
        ValueError: Labels of another shape or dtype, or a negative area.
    """
    if labels.ndim not in (2, 3) or labels.is_floating_point() or labels.dtype == torch.bool:
        raise ValueError(
            f'labels must be (H, W) or (N, H, W) integers, got {tuple(labels.shape)} {labels.dtype}. '
            'Decode mask channels before the clean-up.'
        )
    if min_area < 0:
        raise ValueError(f'min_area must be a number of pixels >= 0, got {min_area}.')
    maps = labels.reshape(-1, *labels.shape[-2:]).cpu().numpy()
    cleaned = np.stack([_clean(label, min_area, ignore_index) for label in maps]) if maps.size else maps
    result = torch.as_tensor(cleaned).to(labels.device).reshape(labels.shape)
    return CleanedLabels(result, result != labels)


def _clean(labels: np.ndarray, min_area: int, ignore_index: int) -> np.ndarray:
    """One label map, (H, W), cleaned."""
    labels = labels.copy()
    components, areas = label_components(labels, ignore_index)
    speck = (areas < min_area)[components] & (labels != ignore_index)
    voter = ~speck & (labels != ignore_index)
    while True:
        votes = count_votes(labels, components, speck, voter, len(areas))
        reached = votes.any(1)
        filled = speck & reached[components]
        if not filled.any():
            return labels
        labels[filled] = votes.argmax(1)[components[filled]]
        # A filled speck has joined a large component and may vote in the next round.
        speck &= ~filled
        voter |= filled


def label_components(labels: np.ndarray, ignore_index: int = IGNORE_INDEX) -> tuple[np.ndarray, np.ndarray]:
    """Numbers the 8-connected components of all classes.

    Args:
        labels: (H, W) integer.
        ignore_index: Label of ignored pixels, which are in component 0.

    Returns:
        (H, W) integer component of each pixel, and (C,) int64 their areas in pixels.
    """
    components = measure.label(labels, background=ignore_index, connectivity=2)
    return components, np.bincount(components.ravel(), minlength=1)


def count_votes(
    labels: np.ndarray, components: np.ndarray, speck: np.ndarray, voter: np.ndarray, number: int
) -> np.ndarray:
    """Counts the voting pixels around each speck, by class; each pixel once for a speck it touches.

    Args:
        labels: (H, W) integer.
        components: (H, W) integer.
        speck: (H, W) bool, pixels of specks.
        voter: (H, W) bool, pixels that vote.
        number: C, number of components.

    Returns:
        (C, K) int64, K above every class that votes; zero for components that are no specks.
    """
    height, width = labels.shape
    contacts = [np.empty(0, np.int64)]
    for dy, dx in NEIGHBOURS:
        inner = np.s_[max(-dy, 0) : height - max(dy, 0), max(-dx, 0) : width - max(dx, 0)]
        outer = np.s_[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)]
        touching = speck[inner] & voter[outer]
        place = np.arange(height * width).reshape(height, width)[outer][touching]
        contacts.append(components[inner][touching].astype(np.int64) * (height * width) + place)
    pairs = np.unique(np.concatenate(contacts))
    component, place = np.divmod(pairs, height * width)
    num_classes = int(labels[voter].max(initial=0)) + 1
    voted = labels.ravel()[place].astype(np.int64)
    votes = np.bincount(component * num_classes + voted, minlength=number * num_classes)
    return votes.reshape(number, num_classes)
