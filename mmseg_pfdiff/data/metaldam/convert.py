"""MetalDAM's release as a data set: dealt by a split, its labels turned into classes."""

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ...files import resolved
from ...progress import progress
from .. import class_shares
from ..converter import Conversion, Micrograph, Micrographs, convert
from ..layout import DataError, list_names, natural_key, refuse_long_name, same_but_for_case
from .dataset import MetalDAMDataset
from .release import MetalDAMRelease
from .splits import Split, read_split

CLASS_OF_VALUE = np.array(MetalDAMDataset.release_to_class, dtype=np.uint8)
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
    """Lines for what was left out or cut.

    Args:
        record: Content of `dataset.json`.
    """
    cut = defaultdict(list)
    for name, facts in record['micrographs'].items():
        if facts['cropped_rows']:
            cut[facts['cropped_rows']].append(name)
    notes = ['Shares are of all pixels; precipitate is ignored (255) in what was written.']
    for rows, names in sorted(cut.items()):
        plural = 's' if rows > 1 else ''
        names = list_names(sorted(names, key=natural_key))
        notes.append(f'Cut {rows} row{plural} without label off the bottom of the image: {names}.')
    notes += class_shares.list_notes(
        record,
        without_label='Skipped, image without label',
        without_image='Skipped, label without image',
        in_no_part='Not used, in no part of the split',
        dropped_tiles='Left out, tile with nothing but ignored pixels',
    )
    return '\n'.join(notes)


def convert_release(
    source: str | os.PathLike,
    out: str | os.PathLike,
    split: str | os.PathLike = 'holdout5',
    tile_size: int = 256,
    tiling: str = 'cover',
    *,
    progress: Callable = progress,
    allow_absent: bool = False,
) -> Conversion:
    """Converts a release; see :func:`convert` for what is written.

    Args:
        source: Zip or folder of the release.
        out: Folder to fill.
        split: Name of a split, or a folder with one; see :func:`read_split`.
        tile_size: Side of the tiles in pixels; no micrograph of the split may be smaller.
        tiling: `cover` or `grid`; see :func:`tile_offsets`.
        progress: Wraps an iterable to show progress, as the default does.
        allow_absent: Whether a class may be without a pixel in the training part.

    Returns:
        What stands there then.

    Raises:
        DataError: The source, the split or `out` cannot be used.
        OSError: A file cannot be written, or another process writes to `out`.
    """
    chosen = read_split(split)
    if Path(source).is_dir() and resolved(out).is_relative_to(resolved(source)):
        raise DataError(f'OUT {out} lies in the release {source}, which stays as it is: give a place of its own.')
    release = MetalDAMRelease(source)
    _require_micrographs(release, chosen)
    for part, names in chosen.parts.items():
        for name in names:
            refuse_long_name(name, part, f'{source}: {name}')
    checksum, zip_sha256 = release.checksum(), release.zip_checksum()
    micrographs = Micrographs(
        **MetalDAMDataset.METAINFO,
        parts=chosen.parts,
        read=lambda name: _in_classes(release, name),
        identity={'source_sha256': checksum, **{part: sorted(names) for part, names in chosen.parts.items()}},
        split=str(split),
        facts={
            'source': {
                'path': str(release.source),
                'sha256': checksum,
                'zip_sha256': zip_sha256,
                'is_release_1_0': zip_sha256 == MetalDAMDataset.sha256 if zip_sha256 else None,
            },
            'without_label': release.unlabelled,
            'without_image': release.imageless,
            'in_no_part': [name for name in release.names if name not in chosen.micrographs],
        },
    )
    return convert(micrographs, out, tile_size=tile_size, tiling=tiling, allow_absent=allow_absent, progress=progress)


def _in_classes(release: MetalDAMRelease, name: str) -> Micrograph:
    """A micrograph of the release with class indices in place of the release's label values."""
    image, values, cropped_rows = release.read(name)
    counts = np.bincount(values.ravel(), minlength=len(CLASS_OF_VALUE)).tolist()
    place = f'{release.source}: {name}'
    facts = dict(cropped_rows=cropped_rows, release_class_pixels=counts)
    return Micrograph(image, CLASS_OF_VALUE[values], place, f'{place}: its label', facts)


def _require_micrographs(release: MetalDAMRelease, split: Split) -> None:
    """Refuses a split with micrographs that the release does not have."""
    reasons = {**dict.fromkeys(release.unlabelled, ' (no label)'), **dict.fromkeys(release.imageless, ' (no image)')}
    for name in split.micrographs:
        if name not in release.names and (near := same_but_for_case(name, release.names)):
            reasons.setdefault(name, f' (there is {near}: write it so)')
    missing = [name + reasons.get(name, '') for name in split.micrographs if name not in release.names]
    if missing:
        raise DataError(
            f'{release.source} lacks {len(missing)} of the {len(split.micrographs)} micrographs of the split '
            f'{split.name}: {", ".join(missing)}. For other micrographs, give a folder with train.txt, val.txt and '
            f'test.txt as the split.'
        )
