"""One's own micrographs, laid out as the tools expect a data set."""

import colorsys
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..folder_lock import locked_folder
from ..phases.fractions import IGNORE_INDEX
from ..progress import progress
from ..version import __version__
from .class_shares import absent_notes, count_pixels, require_classes
from .converter import Conversion, ConversionFolder
from .layout import PARTS, DataError, list_names
from .png import encode_grey, encode_label_map
from .sources import Source, Sources, list_sources, read_source
from .layout import labelled_positions, tile_name, tile_positions

FORMAT = 1
# Of Okabe and Ito: apart for colour-blind readers, the first four as MetalDAM's.
COLOURS = (
    (0, 114, 178), (240, 228, 66), (213, 94, 0), (0, 0, 0),
    (0, 158, 115), (86, 180, 233), (204, 121, 167), (230, 159, 0),
)  # fmt: skip
GOLDEN = 0.618034  # steps of this share of the colour circle keep any number of hues apart


def convert_micrographs(
    parts: Mapping[str, tuple[str | Path, str | Path]],
    out: str | Path,
    num_classes: int,
    tile_size: int = 256,
    tiling: str = 'cover',
    classes: Sequence[str] | None = None,
    allow_absent: bool = False,
    progress: Callable = progress,
) -> Conversion:
    """Writes whole micrographs by part, and tiles of the training micrographs, in the layout of `MetalDAMDataset`.

    .. code-block:: none

        out/
        ├── {img_dir,ann_dir}/{train,val,test}/NAME.png               whole micrographs, 8-bit grey; class indices
        ├── tiles/{img_dir,ann_dir}/train/NAME_y0000_x0256.png        tiles of the training micrographs
        └── dataset.json                                              classes, sources, tiles, class shares

    Everything is checked before anything is written. Tiles without a labelled pixel are left out; a micrograph
    without one is refused, as nothing can be learnt from it or measured on it. A conversion that was stopped is marked
    as unfinished; the same call goes on with it, another one is refused.

    Args:
        parts: 'train', and if wanted 'val' and 'test' -> folder of micrographs, read as grey, and folder of index
            images (H, W), class indices 0..K-1 and 255 for ignored pixels, named NAME.png for each micrograph NAME.
            Parts may share a folder of index images.
        out: Folder to fill.
        num_classes: K, 1..255.
        tile_size: Side of the tiles in pixels. No micrograph of any part may be smaller, as pairs are compared with
            windows of this size of the held-out ones.
        tiling: `cover` or `grid`; see :func:`tile_offsets`.
        classes: Names of the classes; by default class_0, class_1, ...
        allow_absent: Whether a class may be without a pixel in the training part.
        progress: Wraps an iterable to show progress, as the default does.

    Returns:
        What stands there then.

    Raises:
        DataError: Parts of other names or without 'train'; a folder without micrographs; one name for two
            micrographs, in one part or in two; the same pixels in two parts; a micrograph smaller than a tile; a label
            map that is missing, of another size, without a labelled pixel, or holds other values; a class that the
            training part lacks; no training tile; `out` holds something else.
        OSError: A folder or a file cannot be read or written, or another process writes to `out`.
    """
    classes = _check_names(num_classes, classes)
    sources = list_sources(parts)
    with locked_folder(out):
        checksums = {source.name: source.read()[-1] for source in progress(sources.used, desc='reading')}
        identity = {
            'format': FORMAT,
            'classes': classes,
            'tile_size': tile_size,
            'tiling': tiling,
            **{part: {name: checksums[name] for name in sources.names(part)} for part in PARTS},
        }
        folder = ConversionFolder(out, identity)
        if record := folder.finished():
            return Conversion(record, changed=False)
        record = _examine(sources, identity, checksums, progress)
        require_classes(record, allow_absent)
        sizes = {}
        folder.begin(_files(record))
        for source in progress(sources.used, desc='writing', unit='micrograph'):
            image, label = read_source(source, num_classes, checksums[source.name])
            for path, content in _contents(source, image, label, record):
                sizes[path] = folder.write(path, content)
        return Conversion(folder.finish(record, sizes), changed=True)


def format_notes(record: dict) -> str:
    """What the table of class shares does not say, a line each.

    Args:
        record: Content of `dataset.json`.
    """
    notes = ['Shares of classes are of the labelled pixels, of ignored ones (255) of all.', *absent_notes(record)]
    for key, text in (
        ('dropped_tiles', 'Left out, tile with nothing but ignored pixels'),
        ('skipped', 'Not read, beside the micrographs'),
        ('without_image', 'Not used, label map without a micrograph'),
    ):
        if record[key]:
            notes.append(f'{text}: {list_names(record[key])}.')
    return '\n'.join(notes)


def default_palette(num_classes: int) -> list[list[int]]:
    """RGB colours for any number of classes.

    Args:
        num_classes: K.

    Returns:
        K colours, 0..255.
    """
    more = [colorsys.hsv_to_rgb(index * GOLDEN % 1, 0.75, 0.9) for index in range(num_classes - len(COLOURS))]
    return [list(colour) for colour in COLOURS[:num_classes]] + [[round(255 * value) for value in one] for one in more]


def _check_names(num_classes: int, classes: Sequence[str] | None) -> list[str]:
    if not 1 <= num_classes <= IGNORE_INDEX:
        raise DataError(f'There can be 1 to {IGNORE_INDEX} classes, got {num_classes}.')
    names = list(classes or [f'class_{index}' for index in range(num_classes)])
    if len(names) != num_classes or len(set(names)) != num_classes:
        raise DataError(f'{num_classes} different names of classes are needed, got {", ".join(names)}.')
    odd = [name for name in names if not name or name != name.strip() or set(name) & set(',=|\n\r\t')]
    if odd or len({name.casefold() for name in names}) != num_classes:
        raise DataError(
            'Names of classes must differ in more than capital letters, have no blanks at their ends, and hold none of '
            f', = | and line ends, which tables and options use; got {", ".join(map(repr, names))}.'
        )
    return names


def _examine(sources: Sources, identity: dict, checksums: Mapping[str, str], progress: Callable) -> dict:
    """Checks every micrograph; what will be recorded of the conversion."""
    classes, tile_size, tiling = identity['classes'], identity['tile_size'], identity['tiling']
    micrographs, tiles, dropped, seen = {}, {}, [], {}
    for source in progress(sources.used, desc='checking', unit='micrograph'):
        image, label = read_source(source, len(classes), checksums[source.name])
        _refuse_same_pixels(source, image, seen)
        positions = _positions(source, label, tile_size, tiling)
        micrographs[source.name] = dict(
            image=str(source.image), label=str(source.label), height=label.shape[0], width=label.shape[1],
            **count_pixels(label, len(classes)),
        )  # fmt: skip
        if source.part == 'train':
            tiles |= {tile_name(source.name, y, x): dict(micrograph=source.name, y=y, x=x) for y, x in positions}
            of_all = tile_positions(*label.shape, tile_size, tiling)
            dropped += [tile_name(source.name, y, x) for y, x in of_all if (y, x) not in positions]
    if not tiles:
        raise DataError(f'The {tiling} tiles of {tile_size} pixels hold no labelled pixel of a training micrograph.')
    return {
        'version': __version__,
        'classes': classes,
        'palette': default_palette(len(classes)),
        'ignore_index': IGNORE_INDEX,
        'split': {'name': None, **{part: sources.names(part) for part in PARTS}},
        'tile_size': tile_size,
        'tiling': tiling,
        'micrographs': micrographs,
        'tiles': tiles,
        'dropped_tiles': dropped,
        'skipped': sources.skipped,
        'without_image': sources.without_image,
    }


def _refuse_same_pixels(source: Source, image: np.ndarray, seen: dict[str, Source]) -> None:
    """Refuses a micrograph that another part holds under another name."""
    digest = hashlib.sha256(f'{image.shape}'.encode())
    digest.update(np.ascontiguousarray(image))
    other = seen.setdefault(digest.hexdigest(), source)
    if other.part != source.part:
        raise DataError(
            f'{other.part} and {source.part} hold the same pixels, {other.image} and {source.image}: what is trained '
            'on must not be measured on. Leave it in one part.'
        )


def _positions(source: Source, label: np.ndarray, tile_size: int, tiling: str) -> list[tuple[int, int]]:
    """Where the tiles lie that a micrograph gives, or would give; refuses one that cannot be used."""
    if (label == IGNORE_INDEX).all():
        raise DataError(f'{source.label} holds no labelled pixel: leave the micrograph out.')
    try:
        return labelled_positions(label, tile_size, tiling)
    except ValueError as error:
        raise DataError(f'{source.image}: {error}') from error


def _files(record: dict) -> list[str]:
    """Paths of all files that will be written."""
    names = [f'{part}/{name}' for part in PARTS for name in record['split'][part]]
    whole = [f'{kind}/{name}.png' for name in names for kind in ('img_dir', 'ann_dir')]
    return whole + [f'tiles/{kind}/train/{name}.png' for name in record['tiles'] for kind in ('img_dir', 'ann_dir')]


def _contents(source: Source, image: np.ndarray, label: np.ndarray, record: dict) -> Iterator[tuple[str, bytes]]:
    """Path and content of each file of a micrograph, a label map before its image: data sets list images."""
    windows = {('', f'{source.part}/{source.name}.png'): np.s_[:, :]}
    if source.part == 'train':
        size = record['tile_size']
        for name, tile in record['tiles'].items():
            if tile['micrograph'] == source.name:
                window = np.s_[tile['y'] : tile['y'] + size, tile['x'] : tile['x'] + size]
                windows['tiles/', f'train/{name}.png'] = window
    for (root, name), window in windows.items():
        yield f'{root}ann_dir/{name}', encode_label_map(label[window], record['palette'])
        yield f'{root}img_dir/{name}', encode_grey(image[window])
