"""Texts of others in Markdown."""

import re

# What Markdown would take for a sign of its own. Underscores inside of words are none.
MARKDOWN = re.compile(r'[\\`*<&|~$]|(?<=\])\(|(?<![^\W_])_+|_+(?![^\W_])')


def markdown_text(text: str) -> str:
    """A text that Markdown shows as it is, on one line, also in a cell of a table.

    Args:
        text: Any, as a class name.

    Returns:
        The same with a backslash before each sign that would mean something.
    """
    return MARKDOWN.sub(lambda signs: ''.join(f'\\{sign}' for sign in signs[0]), ' '.join(text.splitlines()))
