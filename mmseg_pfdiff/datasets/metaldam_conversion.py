"""Turns the MetalDAM release into the folders that `MetalDAMDataset` reads."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..files import resolved
from ..folder_lock import locked_folder
from ..phases import IGNORE_INDEX
from ..progress import progress
from ..version import __version__
from .class_shares import count_pixels, require_classes
from .conversion_folder import Conversion, ConversionFolder
from .layout import DataError, same_but_for_case
from .metaldam import MetalDAMDataset
from .metaldam_release import MetalDAMRelease, Micrograph
from .metaldam_splits import Split, read_split
from .micrograph_images import encode_grey, encode_label_map
from .tiling import TILINGS, refuse_long_name, tile_name, tile_positions

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
