"""Fields larger than the training tile: overlapping windows denoised together."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ...windows import Corner, window_corners, window_offsets
from ..validation import batches


def field_corners(height: int, width: int, window: int) -> list[Corner]:
    """Upper left corners (y, x) of the windows over a field, row by row: evenly spread, overlapping by at least half.

    Evenly, as in segmentation they need not be: windows that overlap more than others would draw smoother textures.

    Args:
        height: Of the field, at least `window`.
        width: Likewise.
        window: Side of a window.
    """
    return window_corners((height, width), (window, window), (window / 2, window / 2), even=True)


def window_weights(window: int) -> Tensor:
    """Weights of the pixels of a window: most in the middle, least at its border, so that no seam shows.

    Args:
        window: Side of a window.

    Returns:
        (window, window) float32 in (0, 1].
    """
    profile = torch.sin(math.pi * (torch.arange(window) + 0.5) / window).square()
    return torch.outer(profile, profile)


def predict_in_windows(
    predict: Callable[[Tensor, Sequence[Corner]], Tensor], x: Tensor, window: int, window_batch: int
) -> Tensor:
    """Averages the predictions of overlapping windows.

    Args:
        predict: (windows, corners) -> predictions; windows are (n * N, C, window, window), window after window, each of
            all N fields.
        x: (N, C, H, W), noisy fields, H and W at least `window`.
        window: Side of a window.
        window_batch: Windows in one network evaluation, which bounds the memory.

    Returns:
        (N, C, H, W), the weighted mean of the predictions.
    """
    weights = window_weights(window).to(x)
    total, count = torch.zeros_like(x), x.new_zeros(x.shape[-2:])
    corners = field_corners(*x.shape[-2:], window)
    for chunk in batches(corners, max(1, window_batch // len(x))):
        predictions = predict(torch.cat([x[..., a : a + window, b : b + window] for a, b in chunk]), chunk)
        for (a, b), prediction in zip(chunk, predictions.split(len(x)), strict=True):
            total[..., a : a + window, b : b + window] += weights * prediction
            count[a : a + window, b : b + window] += weights
    return total / count


def seam_score(image: Tensor, rows: Sequence[int], columns: Sequence[int]) -> float:
    """Mean grey-level step across the borders of windows over the mean step elsewhere; near 1 where no seam shows.

    Args:
        image: (H, W), any dtype.
        rows: y > 0 such that a window begins or ends between rows y-1 and y.
        columns: The same for columns.

    Returns:
        The ratio; 1 where there are no borders.
    """
    values = image.double()
    across, elsewhere = [], []
    for steps, borders in ((values.diff(dim=0).abs(), rows), (values.diff(dim=1).abs().T, columns)):
        at_border = torch.zeros(len(steps), dtype=torch.bool)
        inside = [border - 1 for border in borders if 0 < border <= len(steps)]
        at_border[inside] = True
        across.append(steps[at_border].flatten())
        elsewhere.append(steps[~at_border].flatten())
    across, elsewhere = torch.cat(across), torch.cat(elsewhere)
    return float(across.mean() / elsewhere.mean().clamp(min=1e-9)) if len(across) else 1.0


def window_borders(length: int, window: int) -> set[int]:
    """Places where a window begins or ends inside a side of a field."""
    offsets = window_offsets(length, window, window / 2, even=True)
    return {edge for offset in offsets for edge in (offset, offset + window)} - {0, length}
