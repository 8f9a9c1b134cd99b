"""Tells in words and numbers what a conversion of MetalDAM left."""

from collections import defaultdict

import numpy as np

from .metaldam import MetalDAMDataset
from .metaldam_release import natural_key
from .metaldam_splits import PARTS

PAPER_MICROGRAPHS, PAPER_TILES = 42, 400  # Section 3.1 of the PF-DiffSeg paper


def format_shares(record: dict) -> str:
    """Table of micrographs, tiles and class shares per part, with the paper's Table 1 as its last row.

    Args:
        record: Content of `metaldam.json`.
    """
    pixels = {name: np.array(facts['release_class_pixels']) for name, facts in record['micrographs'].items()}
    parts = {part: record['split'][part] for part in PARTS}
    parts['all'] = list(pixels)
    tiles = len(record['tiles'])
    rows = [['', 'micrographs', 'tiles', *(f'{name} %' for name in MetalDAMDataset.release_classes)]]
    for part, names in parts.items():
        counts = sum(pixels[name] for name in names)
        shares = [f'{share:.2f}' for share in 100 * counts / counts.sum()]
        rows.append([part, str(len(names)), str(tiles) if part in ('train', 'all') else '-', *shares])
    paper = [f'{share:.2f}' for share in MetalDAMDataset.paper_shares]
    rows.append(['MetalDAM in the paper', str(PAPER_MICROGRAPHS), str(PAPER_TILES), *paper])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        '  '.join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
    return '\n'.join(line.rstrip() for line in lines)


def format_notes(record: dict) -> str:
    """What was left out or cut, a line each.

    Args:
        record: Content of `metaldam.json`.
    """
    notes = ['Shares are of all pixels; precipitate is ignored (255) in what was written.']
    cut = defaultdict(list)
    for name, facts in record['micrographs'].items():
        if facts['cropped_rows']:
            cut[facts['cropped_rows']].append(name)
    for rows, names in sorted(cut.items()):
        plural = 's' if rows > 1 else ''
        names = _listed(sorted(names, key=natural_key))
        notes.append(f'Cut {rows} row{plural} without label off the bottom of the image: {names}.')
    for key, text in (
        ('without_label', 'Skipped, image without label'),
        ('without_image', 'Skipped, label without image'),
        ('in_no_part', 'Not used, in no part of the split'),
        ('dropped_tiles', 'Left out, tile with nothing but ignored pixels'),
    ):
        if record[key]:
            notes.append(f'{text}: {_listed(record[key])}.')
    return '\n'.join(notes)


def _listed(names: list[str]) -> str:
    return ', '.join(names) if len(names) <= 6 else f'{", ".join(names[:3])} and {len(names) - 3} more'
