"""Numbers as text for people."""

import math

ABSENT = '-'
LARGE = 10


def shown(value: object, style: str = '.3g', large: float = LARGE) -> str:
    """A number with as many digits as a reader needs.

    Args:
        value: Text and whole numbers stay as they are; None and NaN are a dash.
        style: Format of a fractional number.
        large: From here on a single decimal is enough.

    Returns:
        Text.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ABSENT
    if not isinstance(value, float):
        return str(value)
    return format(value, style if abs(value) < large else '.1f')
