"""Maps of whole micrographs in bands of rows, so that a large one never stands in memory as floats.

A band is a tensor (N, K, rows, W) float; the bands of a map come from top to bottom and do not overlap.
"""

from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

Window = tuple[tuple[int, int], Tensor]


def mean_bands(windows: Iterable[Window], width: int) -> Iterator[Tensor]:
    """Means of overlapping windows. Rows are given out as soon as no further window can touch them.

    Args:
        windows: ((y, x), values) with the upper left corner of a window and its values, (N, K, h, w) float; row by row,
            each row of windows at most h below the one before.
        width: W of the map.

    Yields:
        Bands.
    """
    top, total, count = 0, None, None
    for (y, x), values in windows:
        n, k, height, side = values.shape
        if total is None:
            total, count = values.new_zeros(n, k, height, width), values.new_zeros(height, width)
        if y > top:
            ready = y - top
            yield total[:, :, :ready].div_(count[:ready])
            total = torch.cat([total[:, :, ready:], torch.zeros_like(total[:, :, :ready])], dim=2)
            count = torch.cat([count[ready:], torch.zeros_like(count[:ready])])
            top = y
        total[..., x : x + side] += values
        count[:, x : x + side] += 1
    if total is not None:
        yield total.div_(count)


def join_bands(bands: Iterable[Tensor], height: int) -> Tensor:
    """The whole map.

    Args:
        bands: Bands.
        height: H of the map.

    Returns:
        (N, K, H, W).
    """
    whole, top = None, 0
    for band in bands:
        n, k, rows, width = band.shape
        if whole is None:
            whole = band.new_empty(n, k, height, width)
        whole[:, :, top : top + rows] = band
        top += rows
    return whole


def resize_bands(
    bands: Iterable[Tensor], size: tuple[int, int], target: tuple[int, int], *, align_corners: bool = False
) -> Iterator[Tensor]:
    """Bilinear resizing, as `F.interpolate` resizes the whole map.

    Args:
        bands: Bands of a map.
        size: (H, W) of the map.
        target: (H, W) of the resized map.
        align_corners: As of `F.interpolate`.

    Yields:
        Bands of the resized map; those of the map itself where the two sizes are one.
    """
    if tuple(size) == tuple(target):
        yield from bands
        return
    low, high, share = _source_rows(size[0], target[0], align_corners)
    held, top, done = None, 0, 0
    for band in bands:
        band = F.interpolate(band, (band.shape[2], target[1]), mode='bilinear', align_corners=align_corners)
        held = band if held is None else torch.cat([held, band], dim=2)
        bottom = top + held.shape[2]
        ready = int((high < bottom).sum())
        if ready > done:
            upper, lower = (held[:, :, rows[done:ready] - top] for rows in (low, high))
            weight = share[done:ready, None].to(held.device)
            yield upper * (1 - weight) + lower * weight
            done = ready
        unused = min(int(low[done]) if done < len(low) else bottom, bottom) - top
        held, top = held[:, :, unused:], top + unused


def _source_rows(height: int, target: int, align_corners: bool) -> tuple[Tensor, Tensor, Tensor]:
    """For each row of the resized map the two rows between which it lies, and the share of the second one."""
    rows = torch.arange(target, dtype=torch.float32)
    if align_corners:
        position = rows * ((height - 1) / (target - 1) if target > 1 else 0.0)
    else:
        position = ((rows + 0.5) * (height / target) - 0.5).clamp(min=0)
    low = position.floor().long().clamp(max=height - 1)
    return low, (low + 1).clamp(max=height - 1), position - low
