"""Conversion of the MetalDAM release into the folders that `MetalDAMDataset` reads."""

from collections import defaultdict
from collections.abc import Sequence
import numpy as np
from .. import class_shares
from ..layout import list_names
from .dataset import MetalDAMDataset
from .release import natural_key
import os
from collections.abc import Callable
from pathlib import Path
from ...files import resolved
from ...folder_lock import locked_folder
from ...phases.fractions import IGNORE_INDEX
from ...progress import progress
from ...version import __version__
from ..class_shares import count_pixels, require_classes
from ..converter import Conversion, ConversionFolder
from ..layout import DataError, same_but_for_case
from .release import MetalDAMRelease, Micrograph
from .splits import Split, read_split
from ..png import encode_grey, encode_label_map
from ..layout import TILINGS, refuse_long_name, tile_name, tile_positions

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

FORMAT = 1
CLASS_OF_VALUE = np.array(MetalDAMDataset.release_to_class, dtype=np.uint8)


def convert_release(
    source: str | os.PathLike,
    out: str | os.PathLike,
    split: str | os.PathLike = 'holdout5',
    tile_size: int = 256,
    tiling: str = 'cover',
    progress: Callable = progress,
    allow_absent: bool = False,
) -> Conversion:
    """Writes whole micrographs by part, tiles of the training micrographs, and `dataset.json`.

    Everything that is read is checked before anything in `out` is touched. The micrographs are dealt to the parts
    first and cut second, so that no micrograph has tiles in two parts.

    Args:
        source: Zip or folder of the release.
        out: Folder to fill; see :class:`MetalDAMDataset` for what it holds then.
        split: Name of a split, or a folder with one; see :func:`read_split`.
        tile_size: Side of the tiles in pixels.
        tiling: `cover` or `grid`; see :func:`tile_offsets`.
        progress: Wraps an iterable to show progress, as the default does.
        allow_absent: Whether a class may be without a pixel in the training part.

    Raises:
        DataError: The source, the split or `out` cannot be used.
        OSError: A file cannot be written, or another process writes to `out`.
    """
    if tiling not in TILINGS:
        raise DataError(f'Tiling must be one of {", ".join(TILINGS)}, got {tiling!r}.')
    chosen = read_split(split)
    if Path(source).is_dir() and resolved(out).is_relative_to(resolved(source)):
        raise DataError(f'OUT {out} lies in the release {source}, which stays as it is: give a place of its own.')
    release = MetalDAMRelease(source)
    _require_micrographs(release, chosen)
    for part, names in chosen.parts.items():
        for name in names:
            refuse_long_name(name, part, f'{source}: {name}')
    identity = {
        'format': FORMAT,
        'source_sha256': release.checksum(),
        'tile_size': tile_size,
        'tiling': tiling,
        **{part: sorted(names) for part, names in chosen.parts.items()},
    }
    with locked_folder(out):
        folder = ConversionFolder(out, identity)
        if record := folder.finished():
            return Conversion(record, changed=False)
        micrographs = {name: release.read(name) for name in progress(chosen.micrographs, desc='reading')}
        files, tiles, dropped = _cut(micrographs, chosen, tile_size, tiling)
        record = _record(release, chosen, identity, micrographs)
        record |= {'split': {'name': str(split), **chosen.parts}, 'tiles': tiles, 'dropped_tiles': dropped}
        require_classes(record, allow_absent)
        folder.begin(files)
        sizes = {path: folder.write(path, _encode(path, files[path])) for path in progress(files, desc='writing')}
        return Conversion(folder.finish(record, sizes), changed=True)


def _record(release: MetalDAMRelease, chosen: Split, identity: dict, micrographs: dict[str, Micrograph]) -> dict:
    """What is told of a conversion, but for split and tiles."""
    zip_sha256 = release.zip_checksum()
    return {
        'version': __version__,
        **MetalDAMDataset.METAINFO,
        'ignore_index': IGNORE_INDEX,
        'source': {
            'path': str(release.source),
            'sha256': identity['source_sha256'],
            'zip_sha256': zip_sha256,
            'is_release_1_0': zip_sha256 == MetalDAMDataset.sha256 if zip_sha256 else None,
        },
        'tile_size': identity['tile_size'],
        'tiling': identity['tiling'],
        'micrographs': {
            name: {
                'height': label.shape[0],
                'width': label.shape[1],
                'cropped_rows': cropped_rows,
                **count_pixels(CLASS_OF_VALUE[label], len(MetalDAMDataset.METAINFO['classes'])),
                'release_class_pixels': np.bincount(label.ravel(), minlength=len(CLASS_OF_VALUE)).tolist(),
            }
            for name, (_, label, cropped_rows) in micrographs.items()
        },
        'without_label': release.unlabelled,
        'without_image': release.imageless,
        'in_no_part': [name for name in release.names if name not in micrographs],
    }


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


def _cut(
    micrographs: dict[str, Micrograph], split: Split, tile_size: int, tiling: str
) -> tuple[dict[str, np.ndarray], dict[str, dict], list[str]]:
    """Files to write, as arrays by path below OUT; position of every tile; tiles left out as all of them is ignored."""
    files, tiles, dropped = {}, {}, []
    for part, names in split.parts.items():
        for name in names:
            files[f'img_dir/{part}/{name}.png'] = micrographs[name].image
            files[f'ann_dir/{part}/{name}.png'] = CLASS_OF_VALUE[micrographs[name].label]
    for name in split.train:
        image, label_map = files[f'img_dir/train/{name}.png'], files[f'ann_dir/train/{name}.png']
        height, width = image.shape
        if not 1 <= tile_size <= min(height, width):
            raise DataError(
                f'Tiles of {tile_size} pixels do not fit {name}, which is {width}x{height} (width x height). Give a '
                f'tile size from 1 to {min(height, width)}.'
            )
        for y, x in tile_positions(height, width, tile_size, tiling):
            tile = tile_name(name, y, x)
            window = np.s_[y : y + tile_size, x : x + tile_size]
            if (label_map[window] == IGNORE_INDEX).all():
                dropped.append(tile)
                continue
            tiles[tile] = {'micrograph': name, 'y': y, 'x': x}
            files[f'tiles/img_dir/train/{tile}.png'] = image[window]
            files[f'tiles/ann_dir/train/{tile}.png'] = label_map[window]
    return files, tiles, dropped


def _encode(path: str, array: np.ndarray) -> bytes:
    return encode_label_map(array, MetalDAMDataset.METAINFO['palette']) if 'ann_dir/' in path else encode_grey(array)
