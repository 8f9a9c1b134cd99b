"""The MetalDAM release, read from the zip, the folder it unpacks to, or its address."""

import errno
import hashlib
import os
import re
import zipfile
import zlib
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.request import urlopen

import numpy as np

from ...files import TEMPORARY, file_sha256
from ...folder_lock import locked_folder
from ...progress import progress
from ..images import decode_image, decode_label_map
from ..layout import IMAGE_SUFFIXES, DataError, plain_name

MAX_DEPTH = 2  # folders between the source and its `images` and `labels`
MAX_FILE_BYTES = 256 * 2**20  # a micrograph is about half a megabyte; what is larger would only fill the memory
LABEL_SUFFIX = '.png'
NUM_VALUES = 5  # label values 0..4
MAX_BAR_SHARE = 0.2  # the information bar takes 7-9 % of the height; more is another image's label


class FolderFiles:
    """The files of a folder by their path below it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.paths = []
        for folder, subfolders, names in os.walk(root, followlinks=True):
            depth = len(Path(folder).relative_to(root).parts)
            # `images` lies at most MAX_DEPTH folders down, and its files directly in it.
            subfolders[:] = [name for name in subfolders if depth <= MAX_DEPTH and not name.startswith('.')]
            self.paths += [(Path(folder) / name).relative_to(root).as_posix() for name in names]

    def read(self, path: str) -> bytes:
        """Content of one file."""
        try:
            return (self.root / path).read_bytes()
        except FileNotFoundError as error:
            raise DataError(f'{self.root / path} is a link that leads nowhere: mend it, or remove it.') from error
        except OSError as error:
            raise DataError(f'{self.root / path} cannot be read: {error}.') from error


class ZipFiles:
    """The files of a zip by their path in it; read in memory, never extracted."""

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            self._zip = zipfile.ZipFile(root)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise DataError(
                f'{root} is no whole zip file ({error}). Give the release zip, or the folder it unpacks to.'
            ) from error
        self.paths = [info.filename for info in self._zip.infolist() if not info.is_dir()]
        for path in self.paths:
            if '\\' in path:
                raise DataError(
                    f'{root} separates its folders by backslashes ({path!r}), as some programs write zips: unpack it, '
                    'and give the folder.'
                )
            if path.startswith('/') or '..' in PurePosixPath(path).parts:
                raise DataError(f'{root} holds the unsafe member path {path!r}; this is not the release.')

    def read(self, path: str) -> bytes:
        """Content of one member."""
        size = self._zip.getinfo(path).file_size
        if size > MAX_FILE_BYTES:
            raise DataError(f'{self.root}: {path} unpacks to {size} bytes, more than the {MAX_FILE_BYTES} allowed.')
        try:
            return self._zip.read(path)
        except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, OSError, ValueError) as error:
            raise DataError(f'{self.root}: {path} cannot be unpacked: {error}.') from error


def download_release(url: str, sha256: str, path: str | os.PathLike, progress=progress) -> Path:
    """Downloads the release zip, unless it is there already.

    Args:
        url: https:// or file:// address.
        sha256: Expected checksum.
        path: Where the zip goes; it appears there only when whole and checked.
        progress: Progress bar class, as the default.

    Raises:
        DataError: The download fails, or what came, or what is already at `path`, has another checksum.
        OSError: The disk is full, or another process downloads to `path`.
    """
    path = Path(path)
    if not path.exists() and not url.startswith(('https://', 'file://')):
        raise DataError(f'The address must start with https:// or file://, got {url!r}.')
    with locked_folder(path):
        if not path.exists():
            _download(url, sha256, path, progress)
        elif (got := file_sha256(path)) != sha256:
            raise DataError(f'{path} exists, but has the SHA-256 {got}, expected {sha256}. Move it away first.')
    return path


def _download(url: str, sha256: str, path: Path, progress) -> None:
    """Downloads a file; what an interrupted download left is replaced."""
    partial = path.with_name(f'.{path.name}{TEMPORARY}')
    digest = hashlib.sha256()
    try:
        with urlopen(url, timeout=60) as response, open(partial, 'wb') as file:
            total = int(response.headers.get('Content-Length') or 0) or None
            with progress(total=total, unit='B', unit_scale=True, desc=path.name) as bar:
                while block := response.read(2**18):
                    digest.update(block)
                    file.write(block)
                    bar.update(len(block))
        if digest.hexdigest() != sha256:
            raise DataError(
                f'{url} gave a file with the SHA-256 {digest.hexdigest()}, expected {sha256}. Try again; if it stays, '
                f'the file behind the address has changed: get release 1.0 by hand and give it as SOURCE.'
            )
        os.replace(partial, path)
    except (OSError, HTTPException) as error:
        if getattr(error, 'errno', None) in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise DataError(
            f'{url} could not be downloaded: {error}. Download it by hand and give the file as SOURCE.'
        ) from error
    finally:
        partial.unlink(missing_ok=True)


class Micrograph(NamedTuple):
    """One labelled micrograph.

    Attributes:
        image: (H, W) uint8.
        label: (H, W) uint8, label values of the release, 0..4.
        cropped_rows: Rows cut off the bottom of the image because the label does not cover them.
    """

    image: np.ndarray
    label: np.ndarray
    cropped_rows: int


def natural_key(name: str) -> list:
    """Sorts `micrograph2` before `micrograph10`."""
    return [(0, int(part), '') if part.isdecimal() else (1, 0, part) for part in re.split(r'(\d+)', name) if part]


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
        """Micrograph name -> path of its file in `folder`."""
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

    def read(self, name: str) -> Micrograph:
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
        return Micrograph(image[:label_height], label, cropped_rows)


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
