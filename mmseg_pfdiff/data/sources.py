"""Files of one's own micrographs: listed from the folders given, paired with their label maps, and read with checks."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..phases.labels import IGNORE_INDEX
from .class_shares import count_values
from .images import check_same_size, decode_image, decode_label_map
from .layout import (
    IMAGE_SUFFIXES,
    LABEL_SUFFIXES,
    PARTS,
    DataError,
    list_names,
    nearest_name,
    plain_name,
    refuse_long_name,
)

# What file managers leave beside micrographs, hidden files aside.
NO_MICROGRAPHS = ('thumbs.db', 'desktop.ini')
BAR = 'A bar of the instrument that the label map leaves out must be cut off the micrograph.'


class Source(NamedTuple):
    """Where a micrograph comes from.

    Attributes:
        part: 'train', 'val' or 'test'.
        name: What it is called in the data set.
        image: Its file.
        label: That of its label map.
    """

    part: str
    name: str
    image: Path
    label: Path

    def read(self) -> tuple[bytes, bytes, str]:
        """Content of both files, and a SHA-256 over the two."""
        image, label = self.image.read_bytes(), self.label.read_bytes()
        digests = [hashlib.sha256(content).hexdigest() for content in (image, label)]
        return image, label, hashlib.sha256(' '.join(digests).encode()).hexdigest()


class Sources(NamedTuple):
    """Contents of the folders of micrographs and label maps.

    Attributes:
        used: Micrographs with their label maps, by part, then by name.
        skipped: Other files and folders beside the micrographs.
        without_image: Label maps that belong to no micrograph of any part.
    """

    used: list[Source]
    skipped: list[str]
    without_image: list[str]

    def names(self, part: str) -> list[str]:
        """The micrographs of a part."""
        return [source.name for source in self.used if source.part == part]


def list_sources(parts: Mapping[str, tuple[str | Path, str | Path]]) -> Sources:
    """Finds the micrographs and their label maps.

    The label map of `NAME.tif` is `NAME.png`; where that is missing, the only file of this name with another suffix of
    a lossless format, capital letters in suffixes or accents stored otherwise.

    Args:
        parts: 'train', and if wanted 'val' and 'test' -> folder of micrographs and folder of label maps.

    Raises:
        DataError: Parts of other names or without 'train'; a folder without micrographs, or given for label maps too;
            one name for two micrographs; a name too long for the files made of it; a link that leads nowhere; a label
            map that is missing, or one of two.
        OSError: A folder cannot be read.
    """
    if 'train' not in parts or not set(parts) <= set(PARTS):
        raise DataError(f'The parts are train, which must be there, val and test; got {", ".join(parts) or "none"}.')
    sources, skipped = [], []
    for part in [part for part in PARTS if part in parts]:
        images, labels = map(Path, parts[part])
        if images.resolve() == labels.resolve():
            raise DataError(
                f'{images} is given both for the micrographs and for the label maps of {part}: give two folders.'
            )
        listed = _listed(images)
        micrographs = [path for path in listed if path.suffix.lower() in IMAGE_SUFFIXES and not path.is_dir()]
        if not micrographs:
            raise DataError(f'{images} holds no micrographs ({", ".join(IMAGE_SUFFIXES)}).')
        skipped += [path for path in listed if path not in micrographs]
        sources += [Source(part, plain_name(path.stem), path, labels) for path in micrographs]
    _refuse_same_names(sources)
    for source in sources:
        refuse_long_name(source.name, source.part, source.image)
    present = {folder: [path.name for path in _listed(folder)] for folder in {source.label for source in sources}}
    names = {source.name for source in sources}
    used = [
        source._replace(label=source.label / _label_name(source, present[source.label], names)) for source in sources
    ]
    taken = {path for source in used for path in (source.image, source.label)}
    labels = [folder / name for folder, there in sorted(present.items()) for name in there]
    return Sources(
        used,
        skipped=[str(path) for path in skipped if path not in taken],
        without_image=[str(path) for path in labels if path not in taken and path.suffix.lower() in LABEL_SUFFIXES],
    )


def _listed(folder: Path) -> list[Path]:
    paths = [path for path in folder.iterdir() if not path.name.startswith('.')]
    for path in paths:
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_symlink() and not path.exists():
            raise DataError(f'{path} is a link that leads nowhere: mend it, or remove it.')
    return sorted(path for path in paths if path.name.lower() not in NO_MICROGRAPHS)


def _label_name(source: Source, present: Iterable[str], micrographs: set[str]) -> str:
    """The file name of a micrograph's label map among those of its folder, `source.label`."""
    wanted = f'{source.image.stem}.png'
    if wanted in present:
        return wanted
    by_name = [(plain_name(Path(name).stem), name) for name in present]
    of_name = [name for stem, name in by_name if stem == source.name and Path(name).suffix.lower() in LABEL_SUFFIXES]
    if len(of_name) == 1:
        return of_name[0]
    if of_name:
        raise DataError(
            f'{source.image} has more than one label map in {source.label}: {list_names(of_name)}. Leave one.'
        )
    near = nearest_name(wanted, [name for stem, name in by_name if stem == source.name or stem not in micrographs])
    hint = f' The nearest name there is {near}: rename it if it is meant.' if near else ''
    raise DataError(f'{source.image} has no label map {source.label / wanted}.{hint}')


def _refuse_same_names(sources: list[Source]) -> None:
    """Refuses two micrographs of one name, and with them a folder that is given for two parts."""
    first = {}
    for source in sources:
        other = first.setdefault(source.name, source)
        if other is source:
            continue
        if other.part == source.part:
            raise DataError(
                f'{source.image.parent} holds more than one micrograph named {source.name}: rename or remove one.'
            )
        raise DataError(
            f'{other.part} and {source.part} share a micrograph, {other.image} and {source.image}: what is trained on '
            'must not be measured on. Leave it in one part; rename one if the two merely have the same name.'
        )


def read_source(source: Source, num_classes: int, checksum: str) -> tuple[np.ndarray, np.ndarray]:
    """A micrograph and its label map.

    Args:
        source: Where they come from.
        num_classes: K.
        checksum: What :meth:`Source.read` gave when the conversion began.

    Returns:
        (H, W) uint8 each, grey values, and class indices or 255.

    Raises:
        DataError: A file is damaged or was changed meanwhile; the label map has another size or holds other values.
    """
    image, label, read_checksum = source.read()
    if read_checksum != checksum:
        raise DataError(f'{source.image} or {source.label} was changed while it was converted: convert it again.')
    image, label = decode_image(image, str(source.image)), decode_label_map(label, str(source.label))
    check_same_size(label.shape, source.label, image.shape, source.image, BAR)
    _check_values(label, num_classes, source.label)
    return image, label


def _check_values(label: np.ndarray, num_classes: int, where: Path) -> None:
    """Refuses values that are no class, with a guess at what is meant."""
    present = np.flatnonzero(count_values(label)).tolist()
    wrong = [value for value in present if num_classes <= value < IGNORE_INDEX]
    if not wrong:
        return
    hint = ' Give a larger --num-classes, or other values to these pixels.'
    if wrong == [num_classes] and 0 not in present:
        hint = (
            f' Values seem to start at 1, class indices start at 0: subtract 1 from those that are not {IGNORE_INDEX}.'
        )
    raise DataError(
        f'{where} holds {list_names(map(str, wrong))}; class indices are 0..{num_classes - 1}, {IGNORE_INDEX} is '
        f'ignored.{hint}'
    )
