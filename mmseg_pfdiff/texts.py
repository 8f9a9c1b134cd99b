"""Texts for people: numbers, values cut short, and texts of others in Markdown."""

import math
import re
from reprlib import Repr

ABSENT = '-'
LARGE = 10
LONGEST = 100  # characters of a value in a message
# Stops early in large and deep values, which a stranger may have written; what it leaves out of texts lies further on.
SHORT = Repr()
SHORT.maxlist = SHORT.maxtuple = SHORT.maxdict = SHORT.maxset = SHORT.maxfrozenset = LONGEST
SHORT.maxstring = SHORT.maxlong = SHORT.maxother = 4 * LONGEST
# What Markdown would take for a sign of its own. Underscores inside of words are none.
MARKDOWN = re.compile(r'[\\`*<&|~$]|(?<=\])\(|(?<![^\W_])_+|_+(?![^\W_])')


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


def short(value: object) -> str:
    """A value in a message: as Python writes it, cut where it is long, however large and deep it is."""
    text = SHORT.repr(value)
    return text if len(text) <= LONGEST else f'{text[:LONGEST]}...'


def markdown_text(text: str) -> str:
    """A text that Markdown shows as it is, on one line, also in a cell of a table.

    Args:
        text: Any, as a class name.

    Returns:
        The same with a backslash before each sign that would mean something.
    """
    return MARKDOWN.sub(lambda signs: ''.join(f'\\{sign}' for sign in signs[0]), ' '.join(text.splitlines()))
