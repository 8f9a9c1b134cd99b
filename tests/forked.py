"""Processes that can be killed, forked from one that has imported everything, so that they are at work at once."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import forkserver, util
from pathlib import Path

import torch

# All that the tools import: a process is forked within milliseconds, while importing takes it ten seconds.
import mmseg_pfdiff.comparison.report
import mmseg_pfdiff.comparison.workbench
import mmseg_pfdiff.metrics.pair_check
import mmseg_pfdiff.reports.evaluation_page  # noqa: F401

CONTEXT = multiprocessing.get_context('forkserver')


def _fork(path: bytes, arguments: list, kept: list[int]) -> int:
    """Forks this process where multiprocessing would start another python, which would import everything anew."""
    sys.__stdout__.flush()
    pid = os.fork()
    if pid:
        return pid
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__  # not what collects them for pytest
    for descriptor in map(int, os.listdir('/proc/self/fd')):
        if descriptor not in (0, 1, 2, *kept):
            with suppress(OSError):  # that of the listing itself
                os.close(descriptor)
    try:
        exec(arguments[-1])
    finally:
        os._exit(0)


def start_server() -> None:
    """Starts the server of the context, before anything is computed: threads of torch would not be forked along."""
    start_python, util.spawnv_passfds = util.spawnv_passfds, _fork
    try:
        forkserver.ensure_running()
    finally:
        util.spawnv_passfds = start_python


def start(log: Path, function: Callable, *arguments) -> multiprocessing.Process:
    """Starts a process, and returns once it is at work.

    Args:
        log: For what it prints.
        function: What it does; of a module, so that the process finds it.
        *arguments: Of the function.
    """
    log.unlink(missing_ok=True)
    process = CONTEXT.Process(target=_run, args=(str(log), function, arguments))
    process.start()
    while not log.exists() and process.is_alive():
        time.sleep(0.002)
    return process


def _run(log: str, function: Callable, arguments: tuple) -> None:
    os.setsid()
    # Where the tests themselves were started in the background, Ctrl-C is ignored by all that they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    file = os.open(log, os.O_WRONLY | os.O_CREAT)
    os.dup2(file, 1)
    os.dup2(file, 2)
    torch.set_num_threads(1)
    function(*arguments)


def kill(process: multiprocessing.Process) -> None:
    """Kills a process and all that it has started, whatever process groups they made themselves."""
    for pid in [process.pid, *_descendants(process.pid)]:
        with suppress(ProcessLookupError):  # ended in the meantime
            os.killpg(os.getpgid(pid), signal.SIGKILL)
    process.join()


def _descendants(pid: int) -> list[int]:
    try:
        children = list(map(int, Path(f'/proc/{pid}/task/{pid}/children').read_text().split()))
    except OSError:
        return []
    return [other for child in children for other in (child, *_descendants(child))]
