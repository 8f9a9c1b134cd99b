"""The image and label files of a pair folder."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..data.images import check_same_size, read_image, read_label_map
from ..data.png import encode_grey, encode_label_map
from ..files import write_atomically
from ..phases.labels import IGNORE_INDEX
from .rows import PairRow

REDRAWN = 'the tools/generate_pairs.py command of the folder draws the pair anew.'
CHANGING_FILE = 'label_maps_are_being_changed.txt'
CHANGING = (
    'tools/check_pairs.py --filter ignore is changing the label maps of this folder, or was stopped while it did. '
    'Wait until it has ended, or run the same command again: it completes them.'
)


class PairFiles:
    """Reads and writes the files of pairs, named by their index.

    Args:
        root: Folder with `images/`, `labels/` and perhaps `drawn/`.
        classes: K class names.
        palette: RGB colour of each class.
    """

    def __init__(self, root: Path, classes: Sequence[str], palette: Sequence[Sequence[int]]) -> None:
        self.root, self.classes, self.palette = root, tuple(classes), tuple(map(tuple, palette))

    def image_path(self, index: int) -> Path:
        """Path of image `index`."""
        return self.root / 'images' / f'{index:08d}.png'

    def label_path(self, index: int) -> Path:
        """Path of label map `index`."""
        return self.root / 'labels' / f'{index:08d}.png'

    def drawn_path(self, index: int) -> Path:
        """Path of label map `index` as it was drawn; there where :meth:`replace_label` was at it."""
        return self.root / 'drawn' / f'{index:08d}.png'

    def read(self, index: int, *, drawn: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """A pair.

        Args:
            index: Of the pair.
            drawn: Whether to read the label map as it was drawn, before any pixels of it were ignored.

        Returns:
            Image and label map, (H, W) uint8 each; labels 0..K-1 or 255.

        Raises:
            ValueError: A file is damaged, or does not fit the other one or the classes.
            OSError: They cannot be read.
        """
        path = self.drawn_path(index) if drawn and self.drawn_path(index).is_file() else self.label_path(index)
        image, label = read_image(self.image_path(index)), read_label_map(path)
        check_same_size(label.shape, path, image.shape, self.image_path(index), f'Remove both, and {REDRAWN}')
        wrong = label[(label >= len(self.classes)) & (label != IGNORE_INDEX)]
        if wrong.size:
            raise ValueError(
                f'{path} holds class {wrong.max()}, the folder has {len(self.classes)} classes, 0 to '
                f'{len(self.classes) - 1}. Remove it, and {REDRAWN}'
            )
        return image, label

    def has_files(self, index: int) -> bool:
        """Whether both files of pair `index` stand on disk."""
        return self.image_path(index).is_file() and self.label_path(index).is_file()

    def refuse_missing_files(self, rows: Sequence[PairRow]) -> None:
        """Ends what needs the files of pairs.

        Args:
            rows: Of these pairs.

        Raises:
            FileNotFoundError: Not all files stand on disk.
        """
        gone = [row.index for row in rows if not self.has_files(row.index)]
        if gone:
            raise FileNotFoundError(
                f'{self.root}: {len(gone)} of {len(rows)} pairs miss a file, first index {gone[0]}. Run the '
                'tools/generate_pairs.py command of the folder again: it writes what is missing.'
            )

    @contextmanager
    def changing(self) -> Iterator[None]:
        """While label maps are replaced: a note lies in the folder, and stays where the work is not ended."""
        write_atomically(self.root / CHANGING_FILE, f'{CHANGING}\n'.encode())
        yield
        (self.root / CHANGING_FILE).unlink()

    def refuse_half_changed(self) -> None:
        """Ends what needs label maps that are all of one kind.

        Raises:
            ValueError: :meth:`changing` has not ended; the message says how to go on.
        """
        if (self.root / CHANGING_FILE).exists():
            raise ValueError(f'{self.root}: {CHANGING}')

    def write_files(self, index: int, image: np.ndarray, label: np.ndarray) -> None:
        """The files of a pair, each under a temporary name first. It counts once it also has a row in the table.

        Args:
            index: Of the pair.
            image: (H, W) uint8.
            label: (H, W) uint8, class indices or 255.

        Raises:
            ValueError: Shapes or dtypes that do not fit, before anything is written.
            OSError: Disk full or not writable.
        """
        for name, array in (('image', image), ('label', label)):
            if array.ndim != 2 or array.dtype != np.uint8 or array.shape != label.shape:
                raise ValueError(
                    f'{name} must be (H, W) uint8 of one size for both, got {array.shape} {array.dtype} '
                    f'with a label of {label.shape}.'
                )
        self.drawn_path(index).unlink(missing_ok=True)  # of a pair whose files were lost
        write_atomically(self.image_path(index), encode_grey(image))
        write_atomically(self.label_path(index), encode_label_map(label, self.palette))

    def replace_label(self, index: int, label: np.ndarray) -> None:
        """Replaces a label map; the one that was drawn stays in `drawn/`.

        Args:
            index: Of the pair.
            label: (H, W) uint8, class indices or 255.

        Raises:
            OSError: Disk full or not writable; the label map is as it was.
        """
        drawn, path = self.drawn_path(index), self.label_path(index)
        if not drawn.is_file():
            write_atomically(drawn, path.read_bytes())
        write_atomically(path, encode_label_map(label, self.palette))
