"""How a tool ends: with its result, with one line that says what is wrong, or with one that says how to go on."""

import errno
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

# What torch puts before the message of an error that a worker process of a data loader raised.
WORKER_TRACEBACK = re.compile(r'^Caught (\w+) in DataLoader worker process .*\n(?:[\w.]+\.)?\1: ', re.DOTALL)
INTERRUPTED = 130  # what a shell returns for a command that Ctrl-C ended


def run_main(main: Callable[[], None], interrupted: str, also: tuple[type[Exception], ...] = ()) -> None:
    """Runs the main function of a tool; what a user can mend ends it with a message in place of a traceback.

    Args:
        main: Of the tool, without arguments.
        interrupted: After Ctrl-C: what is kept, and how to go on.
        also: Errors besides ValueError, OSError and ImportError that are told by their message.

    Raises:
        SystemExit: The tool could not do what it was asked for, or was interrupted.
    """
    try:
        main()
    except (KeyboardInterrupt, Exception) as error:
        if by_interruption(error):
            print(f'\nStopped. {interrupted}', file=sys.stderr)
            sys.exit(INTERRUPTED)
        if not isinstance(error, (ValueError, OSError, ImportError, *also)):
            raise
        sys.exit(f'error: {describe_error(error)}')


def by_interruption(error: BaseException | None) -> bool:
    """Whether an error is Ctrl-C, or what a library made of it: mmengine formats its config in a bare `except`."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def describe_error(error: Exception) -> str:
    """An error in words; a full disk is told with the file that was written and the space that is left.

    Of an error in a worker process of a data loader, which comes with that process's traceback, the words are told.

    Args:
        error: Any.

    Returns:
        One line or more.
    """
    if not isinstance(error, OSError) or error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return WORKER_TRACEBACK.sub('', str(error)).strip()
    if error.filename is None:
        return f'A file could not be written: {error.strerror}. Make room and run again.'
    place = Path(error.filename).absolute()
    there = next(folder for folder in (place, *place.parents) if folder.is_dir())
    free = shutil.disk_usage(there).free / 2**20
    return f'{place} could not be written: {error.strerror}. {free:.0f} MiB are free there. Make room and run again.'
