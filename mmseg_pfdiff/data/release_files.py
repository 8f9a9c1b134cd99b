"""Files of a data release: in a folder, in a zip that is read in memory, or at an address."""

import errno
import hashlib
import os
import zipfile
import zlib
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from urllib.request import urlopen

from ..files import TEMPORARY, file_sha256
from ..folder_lock import locked_folder
from ..progress import progress
from .layout import DataError

MAX_DEPTH = 2  # folders between the source and its `images` and `labels`
MAX_FILE_BYTES = 256 * 2**20  # a micrograph is about half a megabyte; what is larger would only fill the memory


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
        """Content of one file.

        Args:
            path: One of `paths`.

        Raises:
            DataError: It cannot be read.
        """
        try:
            return (self.root / path).read_bytes()
        except FileNotFoundError as error:
            raise DataError(f'{self.root / path} is a link that leads nowhere: mend it, or remove it.') from error
        except OSError as error:
            raise DataError(f'{self.root / path} cannot be read: {error}.') from error


class ZipFiles:
    """The files of a zip by their path in it; read in memory, never extracted.

    Args:
        root: The zip.

    Raises:
        DataError: It is no whole zip, or names files in a way that no release does.
    """

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
        """Content of one member.

        Args:
            path: One of `paths`.

        Raises:
            DataError: It is damaged, or too large.
        """
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
