"""Changes from one nested setting to another, as dotted paths with both values."""

from collections.abc import Iterator, Mapping
from typing import Any

from .texts import short

Change = tuple[str, Any, Any]


def changes(before: Any, now: Any, path: str = '', *, lists: bool = False) -> Iterator[Change]:
    """Changes as deep down as both values are dicts.

    Args:
        before: A value, or settings.
        now: What stands in its place.
        path: Where they stand.
        lists: Go into lists of one length, too, whose places count like keys.

    Yields:
        Path, and both values; None where there is none.
    """
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        keys = [*before, *(key for key in now if key not in before)]
        items = [(key, before.get(key), now.get(key)) for key in keys]
    elif lists and isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        items = [(str(place), *values) for place, values in enumerate(zip(before, now, strict=True))]
    else:
        if before != now:
            yield path, before, now
        return
    for key, old, new in items:
        yield from changes(old, new, f'{path}.{key}' if path else key, lists=lists)


def describe_changes(there: Any, here: Any) -> list[str]:
    """Changes in words, sorted by their paths.

    Args:
        there: A value, or settings.
        here: Those asked for in their place.

    Returns:
        'PATH is A there and B here' for each. Of two lists, only what the other one lacks is told. Long values are cut;
        'PATH differs' where nothing else would be seen.
    """
    return [_in_words(*change) for change in sorted(changes(there, here), key=lambda change: change[0])]


def _in_words(path: str, there: Any, here: Any) -> str:
    if isinstance(there, list) and isinstance(here, list):
        there, here = ([item for item in ours if item not in theirs] for ours, theirs in ((there, here), (here, there)))
    there, here = short(there), short(here)
    return f'{path} differs' if there == here else f'{path} is {there} there and {here} here'
