"""Conversion of micrographs into a data set: whole ones by part, tiles of the training part, and their record."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..folder_lock import locked_folder
from ..phases.labels import IGNORE_INDEX
from ..progress import progress
from ..version import __version__
from .class_shares import count_pixels, require_classes
from .layout import PARTS, TILINGS, DataError, labelled_positions, tile_name, tile_positions
from .png import encode_grey, encode_label_map
from .record import ConversionFolder

FORMAT = 1


class Micrograph(NamedTuple):
    """A micrograph as it is to be written.

    Attributes:
        image: (H, W) uint8, grey values.
        label: (H, W) uint8, class indices or 255.
        place: Of its image, for messages.
        label_place: Of its label map, for messages.
        facts: What else the record says of it.
    """

    image: np.ndarray
    label: np.ndarray
    place: str
    label_place: str
    facts: Mapping

    def checksum(self) -> str:
        """SHA-256 of the image's pixels and shape."""
        digest = hashlib.sha256(f'{self.image.shape}'.encode())
        digest.update(np.ascontiguousarray(self.image))
        return digest.hexdigest()


class Micrographs(NamedTuple):
    """Micrographs to convert: where they come from, and how they are dealt to the parts.

    Attributes:
        classes: K names.
        palette: K RGB colours.
        parts: 'train', 'val' and 'test' -> names of micrographs; a part may be empty.
        read: Name -> the micrograph. It is called twice for each, so that one is in memory at a time.
        identity: What tells these micrographs from others, with checksums; plain JSON values.
        split: Name of the split, if it has one.
        facts: What else the record says.
    """

    classes: Sequence[str]
    palette: Sequence[Sequence[int]]
    parts: Mapping[str, Sequence[str]]
    read: Callable[[str], Micrograph]
    identity: Mapping
    split: str | None
    facts: Mapping

    @property
    def part_of(self) -> dict[str, str]:
        """Name of each micrograph -> its part, part by part."""
        return {name: part for part in PARTS for name in self.parts[part]}


class Conversion(NamedTuple):
    """Outcome of a conversion.

    Attributes:
        record: Content of `dataset.json`.
        changed: False when everything stood there already.
    """

    record: dict
    changed: bool


def convert(
    micrographs: Micrographs,
    out: str | Path,
    *,
    tile_size: int = 256,
    tiling: str = 'cover',
    allow_absent: bool = False,
    progress: Callable = progress,
) -> Conversion:
    """Writes whole micrographs by part, and tiles of the training micrographs.

    .. code-block:: none

        out/
        ├── {img_dir,ann_dir}/{train,val,test}/NAME.png               whole micrographs, 8-bit grey; class indices
        ├── tiles/{img_dir,ann_dir}/train/NAME_y0000_x0256.png        tiles of the training micrographs
        └── dataset.json                                              classes, sources, split, tiles, class shares

    Everything is checked before anything is written. The micrographs are dealt to the parts first and cut second, so
    that none has tiles in two parts. Tiles without a labelled pixel are left out; a micrograph without one is refused,
    as nothing can be learnt from it or measured on it. A conversion that was stopped is marked as unfinished; the same
    call goes on with it, another one is refused.

    Args:
        micrographs: What to convert.
        out: Folder to fill.
        tile_size: Side of the tiles in pixels. No micrograph of any part may be smaller, as pairs are compared with
            windows of this size of the held-out ones.
        tiling: `cover` or `grid`; see :func:`tile_offsets`.
        allow_absent: Whether a class may be without a pixel in the training part.
        progress: Wraps an iterable to show progress, as the default does.

    Returns:
        What stands there then.

    Raises:
        DataError: A micrograph that cannot be read, is smaller than a tile, has no labelled pixel, or has the pixels of
            one in another part; a class that the training part lacks; no training tile; `out` holds something else.
        OSError: A file cannot be read or written, or another process writes to `out`.
    """
    if tiling not in TILINGS:
        raise DataError(f'Tiling must be one of {", ".join(TILINGS)}, got {tiling!r}.')
    settings = dict(tile_size=tile_size, tiling=tiling)
    with locked_folder(out):
        folder = ConversionFolder(out, {'format': FORMAT, **settings, **micrographs.identity})
        if record := folder.finished():
            return Conversion(record, changed=False)
        record, checksums = _examine(micrographs, settings, progress)
        require_classes(record, allow_absent=allow_absent)
        tiles = defaultdict(list)
        for name, tile in record['tiles'].items():
            tiles[tile['micrograph']].append((name, tile['y'], tile['x']))
        sizes = {}
        folder.begin(_files(record))
        for name, part in progress(micrographs.part_of.items(), desc='writing', unit='micrograph'):
            micrograph = micrographs.read(name)
            if micrograph.checksum() != checksums[name]:
                raise DataError(f'{micrograph.place} was changed while it was converted: convert it again.')
            windows = _windows(name, part, tiles[name], tile_size)
            for path, content in _contents(micrograph, windows, micrographs.palette):
                sizes[path] = folder.write(path, content)
        return Conversion(folder.finish(record, sizes), changed=True)


def _examine(micrographs: Micrographs, settings: Mapping, progress: Callable) -> tuple[dict, dict[str, str]]:
    """Checks every micrograph; what will be recorded of the conversion, and the checksum of each image."""
    facts, tiles, dropped, checksums, first = {}, {}, [], {}, {}
    for name, part in progress(micrographs.part_of.items(), desc='checking', unit='micrograph'):
        micrograph = micrographs.read(name)
        label, checksums[name] = micrograph.label, micrograph.checksum()
        _refuse_same_pixels(part, micrograph.place, first.setdefault(checksums[name], (part, micrograph.place)))
        labelled = _labelled_positions(micrograph, **settings)
        counts = count_pixels(label, len(micrographs.classes))
        facts[name] = dict(height=label.shape[0], width=label.shape[1], **micrograph.facts, **counts)
        if part == 'train':
            for y, x in tile_positions(*label.shape, **settings):
                if (y, x) in labelled:
                    tiles[tile_name(name, y, x)] = dict(micrograph=name, y=y, x=x)
                else:
                    dropped.append(tile_name(name, y, x))
    if not tiles:
        raise DataError(
            f'The {settings["tiling"]} tiles of {settings["tile_size"]} pixels hold no labelled pixel of a training '
            'micrograph.'
        )
    record = {
        'version': __version__,
        'classes': list(micrographs.classes),
        'palette': micrographs.palette,
        'ignore_index': IGNORE_INDEX,
        'split': {'name': micrographs.split, **{part: list(micrographs.parts[part]) for part in PARTS}},
        **settings,
        'micrographs': facts,
        'tiles': tiles,
        'dropped_tiles': dropped,
        **micrographs.facts,
    }
    return record, checksums


def _refuse_same_pixels(part: str, place: str, first: tuple[str, str]) -> None:
    """Refuses a micrograph that another part holds under another name."""
    if first[0] != part:
        raise DataError(
            f'{first[0]} and {part} hold the same pixels, {first[1]} and {place}: what is trained on must not be '
            'measured on. Leave it in one part.'
        )


def _labelled_positions(micrograph: Micrograph, tile_size: int, tiling: str) -> set[tuple[int, int]]:
    """Where the tiles lie that a micrograph gives, or would give; refuses one that cannot be used."""
    if (micrograph.label == IGNORE_INDEX).all():
        raise DataError(f'{micrograph.label_place} holds no labelled pixel: leave the micrograph out.')
    try:
        return set(labelled_positions(micrograph.label, tile_size, tiling))
    except ValueError as error:
        raise DataError(f'{micrograph.place}: {error}') from error


def _files(record: dict) -> list[str]:
    """Paths of all files that will be written."""
    names = [f'{part}/{name}' for part in PARTS for name in record['split'][part]]
    whole = [f'{kind}/{name}.png' for name in names for kind in ('img_dir', 'ann_dir')]
    return whole + [f'tiles/{kind}/train/{name}.png' for name in record['tiles'] for kind in ('img_dir', 'ann_dir')]


def _windows(
    name: str, part: str, tiles: Sequence[tuple[str, int, int]], size: int
) -> dict[tuple[str, str], tuple[slice, slice]]:
    """Folder and path below `img_dir` of each picture of a micrograph, and what it shows of it."""
    cut = {('tiles/', f'train/{tile}.png'): np.s_[y : y + size, x : x + size] for tile, y, x in tiles}
    return {('', f'{part}/{name}.png'): np.s_[:, :], **cut}


def _contents(
    micrograph: Micrograph, windows: Mapping, palette: Sequence[Sequence[int]]
) -> Iterator[tuple[str, bytes]]:
    """Path and content of each file of a micrograph, a label map before its image: data sets list images."""
    for (root, path), window in windows.items():
        yield f'{root}ann_dir/{path}', encode_label_map(micrograph.label[window], palette)
        yield f'{root}img_dir/{path}', encode_grey(micrograph.image[window])
