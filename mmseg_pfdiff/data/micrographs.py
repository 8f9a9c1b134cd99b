"""One's own micrographs as a data set: given as folders by part, each named and checked."""

import colorsys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..phases.labels import IGNORE_INDEX
from ..progress import progress
from .class_shares import list_notes
from .converter import Conversion, Micrograph, Micrographs, convert
from .layout import PARTS, DataError
from .sources import list_sources, read_source

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
    *,
    allow_absent: bool = False,
    progress: Callable = progress,
) -> Conversion:
    """Converts folders of micrographs and label maps; see :func:`convert` for what is written.

    Args:
        parts: 'train', and if wanted 'val' and 'test' -> folder of micrographs, read as grey, and folder of index
            images (H, W), class indices 0..K-1 and 255 for ignored pixels, named NAME.png for each micrograph NAME.
            Parts may share a folder of index images.
        out: Folder to fill.
        num_classes: K, 1..255.
        tile_size: Side of the tiles in pixels; no micrograph of any part may be smaller.
        tiling: `cover` or `grid`; see :func:`tile_offsets`.
        classes: Names of the classes; by default class_0, class_1, ...
        allow_absent: Whether a class may be without a pixel in the training part.
        progress: Wraps an iterable to show progress, as the default does.

    Returns:
        What stands there then.

    Raises:
        DataError: As of :func:`convert`; parts of other names or without 'train'; a folder without micrographs; one
            name for two micrographs, in one part or in two; a label map that is missing, of another size, or holds
            other values.
        OSError: A folder or a file cannot be read or written, or another process writes to `out`.
    """
    classes = _check_names(num_classes, classes)
    sources = list_sources(parts)
    by_name = {source.name: source for source in sources.used}
    checksums = {source.name: source.read()[-1] for source in progress(sources.used, desc='reading')}

    def read(name: str) -> Micrograph:
        image, label = read_source(by_name[name], num_classes, checksums[name])
        places = str(by_name[name].image), str(by_name[name].label)
        return Micrograph(image, label, *places, dict(zip(('image', 'label'), places, strict=True)))

    names = {part: sources.names(part) for part in PARTS}
    micrographs = Micrographs(
        classes=classes,
        palette=default_palette(num_classes),
        parts=names,
        read=read,
        identity={'classes': classes, **{part: {name: checksums[name] for name in names[part]} for part in PARTS}},
        split=None,
        facts=dict(skipped=sources.skipped, without_image=sources.without_image),
    )
    return convert(micrographs, out, tile_size=tile_size, tiling=tiling, allow_absent=allow_absent, progress=progress)


def format_notes(record: dict) -> str:
    """Lines for what the table of class shares does not say.

    Args:
        record: Content of `dataset.json`.
    """
    notes = list_notes(
        record,
        dropped_tiles='Left out, tile with nothing but ignored pixels',
        skipped='Not read, beside the micrographs',
        without_image='Not used, label map without a micrograph',
    )
    return '\n'.join(['Shares of classes are of the labelled pixels, of ignored ones (255) of all.', *notes])


def default_palette(num_classes: int) -> list[list[int]]:
    """RGB colours for any number of classes.

    Args:
        num_classes: K.

    Returns:
        K colours, 0..255.
    """
    more = [colorsys.hsv_to_rgb(index * GOLDEN % 1, 0.75, 0.9) for index in range(num_classes - len(COLOURS))]
    return [list(colour) for colour in COLOURS[:num_classes]] + [
        [round(255 * part) for part in colour] for colour in more
    ]


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
