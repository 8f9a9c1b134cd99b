"""Predicted label maps on disk: index PNGs for programs, overlays for people, in a folder that is of one test alone."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from ..changes import describe_changes
from ..data.images import read_image
from ..data.png import IGNORED_COLOUR, write_png
from ..files import resolved, temporary_files
from ..json_files import write_json
from ..pairs.grid import colour_labels

OPACITY = 0.4
OVERLAYS = 'overlays'
ROWS = 32  # painted at a time
RECORD = 'predictions.json'


def relative_name(image_path: str | Path, root: str | Path | None) -> str:
    """The name of a micrograph: its path below the folder of the images, without suffix.

    Links are not followed: a micrograph is called what it is called in the data set, wherever its pixels lie.

    Args:
        image_path: Path of the image.
        root: Folder of the images; without it, or for an image elsewhere, the file's own name is all.

    Returns:
        E.g. `specimen_a/field_3`.
    """
    path = Path(os.path.abspath(image_path))
    below = root is not None and path.is_relative_to(os.path.abspath(root))
    path = path.relative_to(os.path.abspath(root)) if below else Path(path.name)
    return path.with_suffix('').as_posix()


def named_files(sample: Mapping) -> str:
    """The files of a sample, for messages about its labels.

    Args:
        sample: May have `seg_map_path` and `img_path`.

    Returns:
        The label map's file with its image's, or the one that is known.
    """
    image, label = sample.get('img_path'), sample.get('seg_map_path')
    return f'{label} (label map of {image})' if label else str(image or 'a sample without img_path')


def prediction_paths(folder: str | Path, name: str) -> tuple[Path, Path]:
    """Where the prediction of a micrograph is written: the label map and the overlay.

    Args:
        folder: Of all predictions.
        name: As :func:`relative_name` gives it.
    """
    return Path(folder, f'{name}.png'), Path(folder, OVERLAYS, f'{name}.png')


class MicrographNames:
    """Gives micrographs their names, and notices when two would share one.

    Args:
        root: Of :func:`relative_name`.
        unique: Whether to refuse that.
    """

    def __init__(self, root: str | Path | None, *, unique: bool = True) -> None:
        self.root, self.unique = root, unique
        self._paths: dict[Path, str] = {}

    def add(self, image_path: str) -> str:
        """The name of a micrograph.

        Args:
            image_path: Its path; the same one may come again.

        Raises:
            ValueError: What is written under this name would replace what is written of another micrograph.
        """
        name = relative_name(image_path, self.root)
        for file in prediction_paths('', name):
            other = self._paths.setdefault(file, image_path)
            if self.unique and other != image_path:
                raise ValueError(
                    f'{other} and {image_path} would both be reported as {file.with_suffix("")}: rename one of them, '
                    'or test them separately.'
                )
        return name


def write_prediction(
    folder: str | Path, name: str, image_path: str | Path, label: np.ndarray, palette: Sequence[Sequence[int]]
) -> None:
    """Writes `<folder>/<name>.png`, an index PNG with the palette, and `<folder>/overlays/<name>.png`.

    Args:
        folder: Where to.
        name: Of the micrograph, as :func:`relative_name` gives it.
        image_path: The micrograph.
        label: (H, W) integer, predicted classes.
        palette: K RGB colours.

    Raises:
        OSError: The micrograph is not there, or the disk is full.
        ValueError: The micrograph is damaged, or smaller than the label map.
    """
    image = cv2.imread(str(image_path), cv2.IMREAD_GRAYSCALE)
    if image is None:  # a kind of file that only the other reader knows
        image = read_image(image_path)
    if image.shape[0] < label.shape[0] or image.shape[1] < label.shape[1]:
        raise ValueError(f'{image_path} is {image.shape}, smaller than its predicted label map, {label.shape}.')
    index_path, overlay_path = prediction_paths(folder, name)
    colours = [*palette, *[IGNORED_COLOUR] * (256 - len(palette))]
    write_png(index_path, label.shape, (part.astype(np.uint8) for part in _strips(label)), colours)
    painted = (paint(*parts, palette) for parts in zip(_strips(image), _strips(label), strict=False))
    write_png(overlay_path, label.shape, painted)


def paint(image: np.ndarray, label: np.ndarray, palette: Sequence[Sequence[int]]) -> np.ndarray:
    """A micrograph under the colours of its classes.

    Args:
        image: (H', W') uint8, at least as large as the label map.
        label: (H, W) integer.
        palette: K RGB colours.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    grey = image[: label.shape[0], : label.shape[1], None].astype(float)
    return ((1 - OPACITY) * grey + OPACITY * colour_labels(label, palette)).round().astype(np.uint8)


def _strips(array: np.ndarray) -> Iterator[np.ndarray]:
    return (array[top : top + ROWS] for top in range(0, len(array), ROWS))


class PredictionFolder:
    """Guards a folder of predictions.

    It must be new or empty, or hold predictions of the same test, which are written anew. Predictions of other weights,
    windows or micrographs, and files that no test wrote, stay as they are: the test is refused.

    Args:
        root: The folder.
        identity: What predictions depend on -> its short description; it tells one test from another.

    Raises:
        ValueError: The folder holds something else.
        OSError: It is no folder, or cannot be read.
    """

    def __init__(self, root: str | Path, identity: Mapping[str, str]) -> None:
        self.root, self.identity = Path(root), dict(identity)
        if not self.root.exists():
            return
        if not self.root.is_dir():
            raise NotADirectoryError(
                f'--out {self.root} is a file; it must be a folder, or a path where one can be made.'
            )
        if not (self.root / RECORD).exists():
            strangers = sorted(path.name for path in self.root.iterdir() if not path.name.startswith('.'))
            if strangers:
                raise ValueError(
                    f'--out {self.root} holds files that no test wrote ({", ".join(strangers[:3])}'
                    f'{", ..." if len(strangers) > 3 else ""}), which predictions might replace: give a new folder.'
                )
            return
        differing = describe_changes(self._read(), self.identity)
        if differing:
            raise ValueError(
                f'--out {self.root} holds the predictions of another test: {"; ".join(differing)}. Give another '
                'folder, or remove this one.'
            )

    def _read(self) -> dict:
        path = self.root / RECORD
        try:
            return dict(json.loads(path.read_text(encoding='utf-8'))['test'])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(f'{path} is not the record of a test ({error!r}). Give another --out.') from error

    def begin(self) -> None:
        """Marks the predictions as unfinished, before the first one is written.

        Raises:
            OSError: The folder cannot be written.
        """
        self._write(finished=False)
        for path in temporary_files(self.root):
            path.unlink()

    def finish(self) -> None:
        """Marks them as finished."""
        self._write(finished=True)

    def _write(self, finished: bool) -> None:
        write_json(self.root / RECORD, dict(finished=finished, test=self.identity))


def refuse_over_data(
    out: str | Path, names: Iterable[str], folders: Iterable[str | Path], files: Iterable[str | Path]
) -> None:
    """Refuses to write predictions, which are named like micrographs, among or over the data. Links are followed.

    Args:
        out: Folder for predictions.
        names: Of the micrographs.
        folders: Folders of images and of label maps.
        files: The images and the label maps themselves, which may be links to somewhere else.

    Raises:
        ValueError: `out` lies in one of the folders, or a prediction would replace one of the files.
    """
    for folder in folders:
        if resolved(out).is_relative_to(resolved(folder)):
            raise ValueError(f'--out {out} lies in {folder}, whose files it would replace: give a folder of its own.')
    data = {resolved(file) for file in files}
    for name in names:
        for path in prediction_paths(out, name):
            if resolved(path) in data:
                raise ValueError(f'--out {out}: {path} is a file of the data set: give a folder of its own.')
