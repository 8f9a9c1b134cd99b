"""Running the project's tools as commands, under a deadline."""

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

LAUNCHERS = {
    'none': [sys.executable],
    'pytorch': [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node={processes}', '--'],
    'slurm': ['srun', sys.executable],
    'mpi': ['mpirun', sys.executable],
}
MINUTE = 60.0
PATIENCE = 40.0  # seconds between asking a command to end and ending it; torchrun gives its workers 30
SHOWN = 2000  # last characters of the log of a command that failed


class OutOfTimeError(Exception):
    """The deadline has come; what was under way goes on next time."""


class ToolRunner:
    """Runs tools, one at a time, until they end or the deadline comes.

    Args:
        tools: Folder of the tools.
        launcher: 'none', 'pytorch', 'slurm' or 'mpi'.
        processes: Of the launcher 'pytorch'.
        max_hours: When to stop, from now.
    """

    def __init__(self, tools: Path, launcher: str = 'none', processes: int = 1, max_hours: float = math.inf) -> None:
        self.tools, self.launcher = tools, launcher
        self._start = [part.format(processes=processes) for part in LAUNCHERS[launcher]]
        self._deadline = time.monotonic() + 3600 * max_hours

    def run(
        self,
        arguments: Sequence[str],
        log: Path,
        lock: int,
        alone: bool = False,
        note: Callable[[], object] = lambda: None,
    ) -> None:
        """Runs a tool, its output into a log.

        Args:
            arguments: Name of the tool and what follows it.
            log: Is added to.
            lock: File descriptor that the command keeps open: it may outlive this process, and must not meet itself.
            alone: Whether to leave the launcher out.
            note: Called once a minute.

        Raises:
            OutOfTimeError: The deadline has come; the command was ended.
            RuntimeError: The command failed; the message ends with the last it printed.
        """
        self.check_time()
        command = [*(LAUNCHERS['none'] if alone else self._start), str(self.tools / arguments[0]), *arguments[1:]]
        if not alone and self.launcher != 'none':
            command += ['--launcher', self.launcher]
        with open(log, 'a') as file:
            print('$', *command, file=file, flush=True)
            process = subprocess.Popen(
                command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True, pass_fds=[lock]
            )
            try:
                code = self._wait(process, note)
            except BaseException:
                stop(process)
                raise
        if code:
            raise RuntimeError(f'{arguments[0]} failed; {log} ends with\n{log.read_text(errors="replace")[-SHOWN:]}')

    def check_time(self) -> None:
        """Raises OutOfTimeError once the deadline has come."""
        if time.monotonic() > self._deadline:
            raise OutOfTimeError

    def _wait(self, process: subprocess.Popen, note: Callable[[], object]) -> int:
        noted = time.monotonic()
        while True:
            try:
                return process.wait(timeout=0.5)
            except subprocess.TimeoutExpired:
                self.check_time()
            if time.monotonic() > noted + MINUTE:
                note()
                noted = time.monotonic()


def stop(process: subprocess.Popen) -> None:
    """Ends a process and those it started in its session.

    A launcher's workers have sessions of their own: it ends them itself, and is given the time that takes.
    """
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=PATIENCE)
        # Those it started may outlive it, and hold its lock.
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
