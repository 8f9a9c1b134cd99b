"""Tells in words and numbers what a conversion of MetalDAM left."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from . import class_shares
from .layout import list_names
from .metaldam import MetalDAMDataset
from .metaldam_release import natural_key

PAPER_MICROGRAPHS, PAPER_TILES = 42, 400  # Section 3.1 of the PF-DiffSeg paper


def format_shares(record: dict) -> str:
    """Table of micrographs, tiles and class shares per part, with the paper's Table 1 as its last row.

    Args:
        record: Content of `dataset.json`.
    """
    paper = [f'{share:.2f}' for share in MetalDAMDataset.paper_shares]
    last = ['MetalDAM in the paper', str(PAPER_MICROGRAPHS), str(PAPER_TILES), *paper]
    return class_shares.format_shares(record, MetalDAMDataset.release_classes, _release_shares, last)


def _release_shares(micrographs: Sequence[dict]) -> np.ndarray:
    """Shares of the release's label values among all pixels, in percent."""
    counts = np.sum([facts['release_class_pixels'] for facts in micrographs], axis=0)
    return 100 * counts / counts.sum()


def format_notes(record: dict) -> str:
    """What was left out or cut, a line each.

    Args:
        record: Content of `dataset.json`.
    """
    notes = ['Shares are of all pixels; precipitate is ignored (255) in what was written.']
    if all('class_pixels' in facts for facts in record['micrographs'].values()):  # not before dataset.json
        notes += class_shares.absent_notes(record)
    cut = defaultdict(list)
    for name, facts in record['micrographs'].items():
        if facts['cropped_rows']:
            cut[facts['cropped_rows']].append(name)
    for rows, names in sorted(cut.items()):
        plural = 's' if rows > 1 else ''
        names = list_names(sorted(names, key=natural_key))
        notes.append(f'Cut {rows} row{plural} without label off the bottom of the image: {names}.')
    for key, text in (
        ('without_label', 'Skipped, image without label'),
        ('without_image', 'Skipped, label without image'),
        ('in_no_part', 'Not used, in no part of the split'),
        ('dropped_tiles', 'Left out, tile with nothing but ignored pixels'),
    ):
        if record[key]:
            notes.append(f'{text}: {list_names(record[key])}.')
    return '\n'.join(notes)
