"""Progress of long work: a bar on a terminal, a line now and then in a log file."""

import sys
import threading
from typing import Any

from tqdm import tqdm

LOG_INTERVAL = 60.0  # seconds between two lines in a log file
LOG_FORMAT = '{desc}: {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}]\n'


class Bar(tqdm):
    """A bar of tqdm whose lock is this process's own."""


# tqdm's own lock is shared with child processes: one that is killed while it holds it leaves its parent waiting.
Bar.set_lock(threading.RLock())


def progress(items: Any = None, desc: str | None = None, **settings) -> tqdm:
    """Wraps an iterable to show how far it has come, on the standard error stream.

    Args:
        items: What is gone through; None with `total` and calls of `update`.
        desc: What is done.
        **settings: Of tqdm: `total`, `unit`, `leave`, `disable`.

    Returns:
        A tqdm bar, which is an iterable and a context manager.
    """
    if not sys.stderr.isatty():
        settings |= dict(mininterval=LOG_INTERVAL, maxinterval=LOG_INTERVAL, bar_format=LOG_FORMAT, leave=True)
    return Bar(items, desc=desc, **settings)
