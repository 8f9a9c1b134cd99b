"""Command lines of the tools: arguments that several take, and how a tool ends."""

import argparse
import errno
import os
import re
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import DictAction

# What torch puts before the message of an error that a worker process of a data loader raised.
WORKER_TRACEBACK = re.compile(r'^Caught (\w+) in DataLoader worker process .*\n(?:[\w.]+\.)?\1: ', re.DOTALL)
INTERRUPTED = 130  # what a shell returns for a command that Ctrl-C ended
# What Python says of an argument that a class does not take.
UNKNOWN_SETTING = re.compile(r"(\w+)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'")
OUT_OF_MEMORY = re.compile(r"can't allocate memory|not enough memory|out of memory", re.IGNORECASE)


class ConfigOptions(DictAction):
    """mmengine's action for `--cfg-options key=value ...`, which names what is no such thing."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, *args) -> None:
        """Adds the settings to the namespace."""
        wrong = [text for text in values if not text.partition('=')[1] or not text.partition('=')[0]]
        if wrong:
            parser.error(f'{self.option_strings[0]} takes settings as key=value, got {wrong[0]!r}')
        super().__call__(parser, namespace, values, *args)


def seed_number(text: str) -> int:
    """A seed: a whole number, at least 0.

    Raises:
        argparse.ArgumentTypeError: The text is none.
    """
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f'a seed is a whole number, at least 0; got {text!r}')
    return int(text)


def add_data_argument(parser: argparse.ArgumentParser) -> None:
    """`--data` of the tools that read a config."""
    parser.add_argument(
        '--data', metavar='ROOT', help='data set in place of those of the config, as tools/dataset_converters write it'
    )


def add_conversion_arguments(parser: argparse.ArgumentParser, tilings: Sequence[str]) -> None:
    """`--tile-size`, `--tiling` and `--allow-absent` of the converters.

    Args:
        parser: Gets them.
        tilings: Choices of `--tiling`, first its default.
    """
    parser.add_argument('--tile-size', type=int, default=256, help='side of the tiles in pixels (%(default)s)')
    parser.add_argument(
        '--tiling',
        choices=tilings,
        default=tilings[0],
        help='cover: no pixel left out, last tiles overlap; grid: no overlap, the rest left out (%(default)s)',
    )
    parser.add_argument(
        '--allow-absent', action='store_true', help='take data whose training part has no pixel of some class'
    )


def check_device(parser: argparse.ArgumentParser, device: str) -> None:
    """Ends the program, with a message, for a device that is not there.

    Args:
        parser: That parsed it.
        device: As given.
    """
    try:
        there = torch.empty(1, device=device).device.type != 'meta'  # which computes nothing
    except (AssertionError, RuntimeError, NotImplementedError):
        there = False
    if not there:
        parser.error(f'--device {device}: torch finds no such device here; use --device cpu')


def run_main(main: Callable[[], None], interrupted: str, also: tuple[type[Exception], ...] = ()) -> None:
    """Runs the main function of a tool; what a user can mend ends it with a message in place of a traceback.

    What batch systems end a job with, SIGTERM, counts as Ctrl-C; and so does a reader of the output that is gone.

    Args:
        main: Of the tool, without arguments.
        interrupted: After Ctrl-C: what is kept, and how to go on.
        also: Errors besides ValueError, OSError and ImportError that are told by their message.

    Raises:
        SystemExit: The tool could not do what it was asked for, or was interrupted.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, 'reconfigure'):  # letters that a terminal lacks end no run
            stream.reconfigure(errors='backslashreplace')
    try:
        main()
    except (KeyboardInterrupt, Exception) as error:
        if isinstance(error, BrokenPipeError):
            leave_output()
        if by_interruption(error) or isinstance(error, BrokenPipeError):
            print(f'\nStopped. {interrupted}', file=sys.stderr)
            sys.exit(INTERRUPTED)
        expected = (ValueError, OSError, ImportError, *also)
        if not isinstance(error, expected) and not by_memory(error) and not by_unknown_setting(error):
            raise
        sys.exit(f'error: {describe_error(error)}')
    finally:
        signal.signal(signal.SIGTERM, before)


def leave_output() -> None:
    """Sends what is still to be printed nowhere, as nobody reads it; else Python would fail again when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def by_memory(error: Exception) -> bool:
    """Whether an error is that of a machine or a GPU whose memory is full."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and OUT_OF_MEMORY.search(str(error)) is not None
    )


def by_unknown_setting(error: Exception) -> bool:
    """Whether a component of a config was given an argument that it does not take."""
    built = 'build_from_cfg' in [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    return built and isinstance(error, TypeError) and UNKNOWN_SETTING.search(str(error)) is not None


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
    if by_memory(error):
        return (
            f'There is not enough memory ({str(error)[:200]}). Ask for less at a time: smaller batches, sizes, numbers.'
        )
    if by_unknown_setting(error):
        component, setting = UNKNOWN_SETTING.search(str(error)).groups()
        return (
            f'{component} takes no setting {setting!r}: it is misspelt, or belongs elsewhere. Correct it in the '
            'config, or in the --cfg-options over it.'
        )
    if not isinstance(error, OSError) or error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return WORKER_TRACEBACK.sub('', str(error)).strip()
    if error.filename is None:
        return f'A file could not be written: {error.strerror}. Make room and run again.'
    place = Path(error.filename).absolute()
    there = next(folder for folder in (place, *place.parents) if folder.is_dir())
    free = shutil.disk_usage(there).free / 2**20
    return f'{place} could not be written: {error.strerror}. {free:.0f} MiB are free there. Make room and run again.'
