"""The MetalDAM release, read from the zip or the folder it unpacks to."""

import hashlib
import os
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from ...files import file_sha256
from ..images import decode_image, decode_label_map
from ..layout import IMAGE_SUFFIXES, DataError, natural_key, plain_name
from ..release_files import MAX_DEPTH, FolderFiles, ZipFiles

LABEL_SUFFIX = '.png'
NUM_VALUES = 5  # label values 0..4
MAX_BAR_SHARE = 0.2  # the information bar takes 7-9 % of the height; more is another image's label


class ReleaseMicrograph(NamedTuple):
    """One labelled micrograph as the release has it.

    Attributes:
        image: (H, W) uint8.
        label: (H, W) uint8, label values of the release, 0..4.
        cropped_rows: Rows cut off the bottom of the image because the label does not cover them.
    """

    image: np.ndarray
    label: np.ndarray
    cropped_rows: int


class MetalDAMRelease:
    """The labelled micrographs of a release.

    Args:
        source: The zip, or a folder; `images/` and `labels/` lie in it at a depth of up to two folders.

    Attributes:
        source: As given.
        names: Micrographs that have an image and a label, `micrograph2` before `micrograph10`.
        unlabelled: Images without a label.
        imageless: Labels without an image.

    Raises:
        DataError: The source is missing, no zip, or does not hold the two folders once.
    """

    def __init__(self, source: str | os.PathLike) -> None:
        self.source = Path(source)
        if not self.source.exists():
            raise DataError(f'{self.source} does not exist. Give the release zip, or the folder it unpacks to.')
        self._files = FolderFiles(self.source) if self.source.is_dir() else ZipFiles(self.source)
        root = self._find_root()
        self._images = self._index(root / 'images', IMAGE_SUFFIXES)
        self._labels = self._index(root / 'labels', (LABEL_SUFFIX,))
        self.names = sorted(self._images.keys() & self._labels.keys(), key=natural_key)
        self.unlabelled = sorted(self._images.keys() - self._labels.keys(), key=natural_key)
        self.imageless = sorted(self._labels.keys() - self._images.keys(), key=natural_key)
        if not self.names:
            raise DataError(
                f'{self.source}: none of the {len(self._images)} images in {root / "images"} has a label of the same '
                f'name in {root / "labels"} ({len(self._labels)} files, NAME{LABEL_SUFFIX} expected).'
            )

    def _find_root(self) -> PurePosixPath:
        """The folder of the source in which `images` and `labels` stand side by side."""
        folders = {PurePosixPath(path).parent for path in self._files.paths if not _is_hidden(path)}
        roots = {folder.parent for folder in folders if folder.name in ('images', 'labels')}
        roots = sorted(root for root in roots if len(root.parts) <= MAX_DEPTH)
        whole = [root for root in roots if {root / 'images', root / 'labels'} <= folders]
        if len(whole) == 1:
            return whole[0]
        if whole:
            raise DataError(f'{self.source} holds more than one release: in {", ".join(map(str, whole))}. Give one.')
        lacking = [
            f'{root}: no {name} folder' for root in roots for name in ('images', 'labels') if root / name not in folders
        ]
        raise DataError(
            f'{self.source} holds no folder with images/ and labels/ in it, down to a depth of {MAX_DEPTH} '
            f'({"; ".join(lacking) or "neither of the two was found"}).'
        )

    def _index(self, folder: PurePosixPath, suffixes: tuple[str, ...]) -> dict[str, str]:
        """Name of a micrograph -> path of its file in `folder`."""
        paths: dict[str, str] = {}
        for path in map(PurePosixPath, self._files.paths):
            if path.parent != folder or path.suffix.lower() not in suffixes or _is_hidden(str(path)):
                continue
            name = plain_name(path.stem)
            if name in paths:
                raise DataError(f'{self.source}: {paths[name]} and {path} name the same micrograph.')
            paths[name] = str(path)
        return paths

    def checksum(self) -> str:
        """SHA-256 over the names and contents of all images and labels, the same for the zip and its folder."""
        digest = hashlib.sha256()
        for kind, paths in (('images', self._images), ('labels', self._labels)):
            for name in sorted(paths):
                content = hashlib.sha256(self._files.read(paths[name])).hexdigest()
                digest.update(f'{kind}/{name} {content}\n'.encode())
        return digest.hexdigest()

    def zip_checksum(self) -> str | None:
        """SHA-256 of the zip, None for a folder."""
        return None if self.source.is_dir() else file_sha256(self.source)

    def read(self, name: str) -> ReleaseMicrograph:
        """Reads one micrograph and cuts the image to the rows that its label covers.

        Args:
            name: One of :attr:`names`.

        Raises:
            DataError: A file cannot be read, a label value is not one of the release, or the sizes do not fit.
        """
        image = decode_image(self._files.read(self._images[name]), f'{self.source}: {self._images[name]}')
        where = f'{self.source}: {self._labels[name]}'
        label = decode_label_map(self._files.read(self._labels[name]), where)
        _refuse_other_values(label, where)
        (height, width), (label_height, label_width) = image.shape, label.shape
        # Two labels of the release are a row short, and the information bar at the bottom of an image is unlabelled.
        cropped_rows = height - label_height
        if label_width != width or not 0 <= cropped_rows <= MAX_BAR_SHARE * height:
            raise DataError(
                f'{where} is {label_width}x{label_height} (width x height), its image {self._images[name]} is '
                f'{width}x{height}. A label must have the width of its image and its height, or be shorter by the '
                f'information bar (at most {MAX_BAR_SHARE:.0%}).'
            )
        return ReleaseMicrograph(image[:label_height], label, cropped_rows)


def _refuse_other_values(label: np.ndarray, where: str) -> None:
    wrong = np.argwhere(label >= NUM_VALUES)
    if len(wrong):
        y, x = wrong[0]
        raise DataError(
            f'{where} holds the label value {label[y, x]} (row {y}, column {x}, {len(wrong)} such pixels); the release '
            f'has 0..{NUM_VALUES - 1}.'
        )


def _is_hidden(path: str) -> bool:
    """Files that desktops and archivers add: `.DS_Store`, `__MACOSX/...`."""
    return any(part.startswith('.') or part == '__MACOSX' for part in PurePosixPath(path).parts)
