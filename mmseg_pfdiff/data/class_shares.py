"""Shares of the classes in the parts of a data set, as a table, and notes on classes that a part lacks."""

from collections.abc import Callable, Sequence

import numpy as np

from ..phases.labels import IGNORE_INDEX
from .layout import PARTS, DataError, list_names

STRIP = 2**24  # pixels that are counted at a time


def count_values(label_map: np.ndarray) -> np.ndarray:
    """How often each value stands in a label map.

    Args:
        label_map: (H, W) uint8.

    Returns:
        (256,) int64.
    """
    strips = np.array_split(label_map, -(-label_map.size // STRIP))  # counting takes eight bytes a pixel
    return sum(np.bincount(strip.ravel(), minlength=256) for strip in strips)


def count_pixels(label_map: np.ndarray, num_classes: int) -> dict:
    """Pixels of each class of a label map, as a record holds them.

    Args:
        label_map: (H, W) uint8, class indices or 255.
        num_classes: K.

    Returns:
        `class_pixels`, K counts, and `ignored_pixels`.
    """
    counts = count_values(label_map)
    return dict(class_pixels=counts[:num_classes].tolist(), ignored_pixels=int(counts[IGNORE_INDEX]))


def class_shares(micrographs: Sequence[dict]) -> list[float]:
    """Shares of the classes among the labelled pixels, and of the ignored among all, in percent.

    Args:
        micrographs: `class_pixels` and `ignored_pixels` of each.
    """
    counts = np.sum([facts['class_pixels'] for facts in micrographs], axis=0)
    ignored = sum(facts['ignored_pixels'] for facts in micrographs)
    labelled = counts.sum()
    return [*100 * counts / max(labelled, 1), 100 * ignored / max(labelled + ignored, 1)]


def format_shares(
    record: dict,
    columns: Sequence[str] | None = None,
    shares_of: Callable[[Sequence[dict]], Sequence[float]] = class_shares,
    last_row: Sequence[str] | None = None,
) -> str:
    """Table of micrographs, tiles and shares of each part.

    Args:
        record: Content of `dataset.json`.
        columns: What the shares are of; by default the classes, and ignored pixels.
        shares_of: Facts of some micrographs -> their shares in percent, one for each column.
        last_row: Cells of one row more.
    """
    columns = columns or [*record['classes'], 'ignored']
    facts, tiles = record['micrographs'], str(len(record['tiles']))
    parts = {part: record['split'][part] for part in PARTS if record['split'][part]}
    rows = [['', 'micrographs', 'tiles', *(f'{name} %' for name in columns)]]
    for part, names in {**parts, 'all': list(facts)}.items():
        shares = [f'{share:.2f}' for share in shares_of([facts[name] for name in names])]
        rows.append([part, str(len(names)), tiles if part in ('train', 'all') else '-', *shares])
    rows += [list(last_row)] if last_row else []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        '  '.join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
    return '\n'.join(line.rstrip() for line in lines)


def require_classes(record: dict, *, allow_absent: bool) -> None:
    """Refuses data on which a class cannot be learnt.

    Args:
        record: What will be the content of `dataset.json`: classes, split and micrographs are looked at.
        allow_absent: Whether a class without a pixel is accepted.

    Raises:
        DataError: The training part lacks a class, or a part of two classes holds 0 and 255 alone.
    """
    if allow_absent:
        return
    lacking = {part: _absent(record, part) for part in PARTS if record['split'][part]}
    for part, absent in lacking.items():
        if len(record['classes']) == 2 and absent == [1] and _ignored(record, part):
            raise DataError(
                f'The label maps of {part} hold 0 and 255 alone. 255 marks pixels that are ignored, so that nothing of '
                f'{record["classes"][1]} would be left: write 1 where it is meant, e.g. with Pillow and numpy '
                '`label[label == 255] = 1`. --allow-absent takes them as they are.'
            )
    if absent := lacking['train']:
        names = list_names(f'{record["classes"][index]} ({index})' for index in absent)
        hint = ''
        if 0 in absent:
            hint = (
                ' The values seem to start at 1: class indices start at 0, so subtract 1 from those that are not 255.'
            )
        raise DataError(
            f'The training part has no pixel of {names}: a network cannot learn what it never sees. Move a micrograph '
            f'that shows it to the training part, or lower the number of classes.{hint} --allow-absent goes on without.'
        )


def list_notes(record: dict, **texts: str) -> list[str]:
    """Lines for the classes that parts lack, and for the lists of a record.

    Args:
        record: Content of `dataset.json`.
        **texts: Key of a list in the record -> how its line begins; empty lists get none.
    """
    notes = []
    if all('class_pixels' in facts for facts in record['micrographs'].values()):  # not in former records
        notes = [note for part in PARTS if record['split'][part] for note in _absent_notes(record, part)]
    return notes + [f'{text}: {list_names(record[key])}.' for key, text in texts.items() if record[key]]


def _absent_notes(record: dict, part: str) -> list[str]:
    """The line for the classes that a part lacks, if there are any."""
    names = list_names(record['classes'][index] for index in _absent(record, part))
    effect = 'it cannot be learnt' if part == 'train' else f'no score of it on {part}'
    return [f'No pixel in {part}: {names} ({effect}).'] if names else []


def _absent(record: dict, part: str) -> list[int]:
    """Classes without a pixel in a part."""
    facts = [record['micrographs'][name] for name in record['split'][part]]
    return np.flatnonzero(np.sum([each['class_pixels'] for each in facts], axis=0) == 0).tolist()


def _ignored(record: dict, part: str) -> int:
    return sum(record['micrographs'][name]['ignored_pixels'] for name in record['split'][part])
