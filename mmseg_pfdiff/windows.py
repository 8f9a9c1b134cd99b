"""Places of the windows that cover a field: a whole micrograph to be segmented, or a large pair to be drawn."""

import math

Corner = tuple[int, int]


def window_offsets(length: int, window: int, stride: float, *, even: bool = False) -> list[int]:
    """First pixels of the windows along one side.

    Args:
        length: Length of the side.
        window: Side of a window. A side that is shorter has one window, from its first pixel on.
        stride: Largest step from a window to the next.
        even: False takes steps of `stride` and moves the last window back to end at the border, where mmseg puts it.
            True spreads as many windows evenly, so that all overlap alike.

    Returns:
        Increasing offsets; the last window ends at the border.
    """
    last = max(length - window, 0)
    steps = math.ceil(last / stride)
    if even:
        return [i * last // max(steps, 1) for i in range(steps + 1)]
    return [min(i * stride, last) for i in range(steps + 1)]


def window_corners(
    size: tuple[int, int], window: tuple[int, int], stride: tuple[float, float], *, even: bool = False
) -> list[Corner]:
    """Upper left corners of the windows over a field, row by row.

    Args:
        size: (height, width) of the field.
        window: (height, width) of a window.
        stride: (vertical, horizontal) step.
        even: Of :func:`window_offsets`.

    Returns:
        (y, x) of each.
    """
    rows, columns = (window_offsets(*side, even=even) for side in zip(size, window, stride, strict=True))
    return [(y, x) for y in rows for x in columns]
