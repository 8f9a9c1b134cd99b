"""PairWriter: pairs are compressed and written by background threads, so that the network need not wait."""

import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from .folder import PairFolder
from .rows import PairRow


class PairWriter:
    """Writes pairs into a folder in the background; use it as a context manager.

    At most `pending` pairs wait in memory; :meth:`put` blocks when there are as many. An error in the background
    (disk full, folder gone) is raised by the next :meth:`put` or at the end; pairs written before stay.

    Args:
        folder: Where to.
        rank: Number of this process; it has a row file of its own.
        threads: Threads that compress and write.
        pending: Pairs that may wait.
    """

    def __init__(self, folder: PairFolder, rank: int = 0, threads: int = 4, pending: int = 64) -> None:
        self.folder = folder
        self.rank = rank
        self.pending = pending
        self._pool = ThreadPoolExecutor(threads)
        self._waiting: deque[Future] = deque()
        self._row_lock = threading.Lock()

    def __enter__(self) -> 'PairWriter':
        return self

    def put(self, row: PairRow, image: np.ndarray, label: np.ndarray) -> None:
        """Hands a pair over.

        Args:
            row: Its row.
            image: (H, W) uint8, not changed afterwards.
            label: (H, W) uint8, class indices or 255.

        Raises:
            OSError: An earlier pair could not be written.
        """
        while self._waiting and (len(self._waiting) >= self.pending or self._waiting[0].done()):
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(self._write, row, image, label))

    def _write(self, row: PairRow, image: np.ndarray, label: np.ndarray) -> None:
        self.folder.write_files(row.index, image, label)
        with self._row_lock:
            self.folder.append_row(row, self.rank)

    def __exit__(self, kind: type | None, *_) -> None:
        # After an error nothing new is begun; what was begun ends, so that no half file stays.
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)
        if kind is None:
            for future in self._waiting:
                future.result()
