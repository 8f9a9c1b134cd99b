"""Doing the tasks of a comparison: commands, logs, marks of what is done, a deadline."""

import fcntl
import hashlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mmengine.config import Config

from ..datasets import PairFolder
from ..files import write_atomically
from .plan import REAL, Plan
from .results import best_weights, chosen_ratio
from .run_configs import generator_config, segmentor_config, with_options
from .tasks import SPARE, Task, last_checkpoint, list_tasks, needed_pairs, run_name

# Rounds of generating more, where many pairs are not kept; with fewer kept than this share, it would take for ever.
ROUNDS = 4
LEAST_KEPT = 0.05
WAIT = 5.0  # seconds between looks at what another process does
LAUNCHERS = {
    'none': [sys.executable],
    'pytorch': [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node={processes}', '--'],
    'slurm': ['srun', sys.executable],
    'mpi': ['mpirun', sys.executable],
}
PACKAGES = ('torch', 'diffusers', 'segmentation-models-pytorch', 'mmengine', 'onedl-mmengine', 'numpy')


class OutOfTimeError(Exception):
    """The deadline has come; what was under way goes on next time."""


class Workbench:
    """Does the tasks of a plan in a folder. Several processes may share the work: each task is done by one of them.

    Args:
        plan: The comparison.
        work_dir: Where everything lies.
        tools: Folder with `train.py`, `generate_pairs.py` and `test.py`.
        launcher: 'none', 'pytorch', 'slurm' or 'mpi', for trainings and generation.
        processes: Of the launcher 'pytorch'.
        max_hours: When to stop, from now.

    Attributes:
        tasks: All tasks of the plan, in order.
    """

    def __init__(
        self,
        plan: Plan,
        work_dir: str | Path,
        tools: Path,
        launcher: str = 'none',
        processes: int = 1,
        max_hours: float = math.inf,
    ) -> None:
        self.plan, self.work_dir, self.tools = plan, Path(work_dir), tools
        self.launcher = launcher
        self.start = [part.format(processes=processes) for part in LAUNCHERS[launcher]]
        self.deadline = time.monotonic() + 3600 * max_hours
        self.tasks = list_tasks(plan)
        # Counting them opens the data sets, and whether a task is done is asked again and again.
        self._needed = {split: needed_pairs(plan, split) for split in plan.data}
        self._digests: dict[str, str] = {}

    def done(self, task: Task) -> bool:
        """Whether a task is done, as the plan has it now.

        Raises:
            ValueError: It was done by another plan, with other settings.
        """
        mark = self.mark(task)
        if mark is None:
            return False
        if mark['made_with'] != self._made_with(task):
            raise ValueError(
                f'{self._mark(task.name)} is of another plan than this one. Give another --work-dir, or remove the '
                'files of this task to have it done anew.'
            )
        if task.kind == 'pairs':
            return mark['kept'] >= self._needed[task.about['split']]
        return task.kind != 'test' or mark['ratio'] == self._chosen_ratio(task)

    def mark(self, task: Task) -> dict | None:
        """What is recorded of a task that is done; None while it is not."""
        path = self._mark(task.name)
        return json.loads(path.read_text()) if path.exists() else None

    def seconds(self, task: Task) -> float | None:
        """What a task took, over all its interruptions; None while it is not done."""
        return self.mark(task)['seconds'] if self.done(task) else None

    def report(self, test: Task) -> Path:
        """What a test leaves."""
        return self.work_dir / test.name / 'test.json'

    def work(self) -> None:
        """Does what is not done yet, and waits for what other processes do.

        Raises:
            OutOfTimeError: The deadline has come.
            RuntimeError: A command failed; the message ends with the last it printed.
        """
        while pending := [task for task in self.tasks if not self.done(task)]:
            waiting = {task.name for task in pending}
            ready = [task for task in pending if waiting.isdisjoint(task.needs)]
            if not any(self._try(task) for task in ready):
                self._check_time()
                time.sleep(WAIT)

    def _try(self, task: Task) -> bool:
        """Does a task unless another process is at it; whether it did."""
        with self._locked(task) as lock:
            if lock is None or self.done(task):
                return lock is not None
            self._lock = lock
            number = sum(map(self.done, self.tasks)) + 1
            print(f'[{number}/{len(self.tasks)}] {task.name} ...', flush=True)
            before = self._spent(task)
            start = time.monotonic()
            try:
                found = getattr(self, f'_do_{task.kind}')(task)
            except BaseException:
                self._write(task, 'spent', dict(seconds=before + time.monotonic() - start))
                raise
            seconds = before + time.monotonic() - start
            record = dict(seconds=seconds, about=task.about, made_with=self._made_with(task), **(found or {}))
            self._write(task, 'done', dict(record, versions=installed_versions()))
            if task.kind == 'segmentor':
                # The best weights of the validation part are tested; those of the last epoch only served to resume.
                for path in (self.work_dir / task.name).glob('epoch_*.pth'):
                    path.unlink()
            print(f'[{number}/{len(self.tasks)}] {task.name}: {seconds:.0f} s', flush=True)
            return True

    def _made_with(self, task: Task) -> str:
        """A digest of the settings that make what a task makes."""
        if task.name not in self._digests:
            if task.kind in ('generator', 'segmentor'):
                text = self._training_config(task).pretty_text
            else:
                text = repr(self.plan.methods.get(task.about['method'])) if task.kind == 'pairs' else ''
            self._digests[task.name] = hashlib.sha256(text.encode()).hexdigest()
        return self._digests[task.name]

    def _training_config(self, task: Task) -> Config:
        about, plan = task.about, self.plan
        if task.kind == 'generator':
            training = plan.generators[about['generator']]
            return generator_config(training, plan.data[about['split']], plan.seeds[0])
        pairs = None if about['method'] == REAL else self.work_dir / f'pairs/{about["split"]}/{about["method"]}'
        return segmentor_config(plan, **about, pairs=pairs)

    def _chosen_ratio(self, test: Task) -> int:
        about = test.about
        return chosen_ratio(self.plan, self.work_dir, about['split'], about['segmentor'], about['method'])

    def _do_generator(self, task: Task) -> None:
        self._train(task)

    def _do_pairs(self, task: Task) -> dict:
        needed = self._needed[task.about['split']]
        method = self.plan.methods[task.about['method']]
        generator = self._model(task, method.generator, method.options)
        command = ['generate_pairs.py', *generator, '--out', str(self.work_dir / task.name)]
        if method.image:
            config, checkpoint = self._model(task, method.image)
            command += ['--image-config', config, '--image-checkpoint', checkpoint]
        if method.super_resolution:
            config, checkpoint = self._model(task, method.super_resolution, method.super_resolution_options)
            command += ['--sr-config', config, '--sr-checkpoint', checkpoint]
        number = math.ceil(SPARE * needed)
        for _ in range(ROUNDS):
            self._run(task, [*command, '--num', str(number), *method.arguments])
            rows = PairFolder(self.work_dir / task.name).rows()
            kept = sum(row.kept for row in rows)
            if kept >= needed:
                return dict(pairs=len(rows), kept=kept)
            if kept < LEAST_KEPT * len(rows):
                break
            number = math.ceil(SPARE * len(rows) * needed / kept)
        raise RuntimeError(
            f'{task.name}: only {kept} of {len(rows)} pairs are kept, {needed} are needed. Guide the generator '
            "(model.fraction_guidance), let more pixels move (--max-moved in the method's arguments), or lower the "
            'ratios.'
        )

    def _do_segmentor(self, task: Task) -> None:
        self._train(task)

    def _do_test(self, task: Task) -> dict:
        ratio = self._chosen_ratio(task)
        name = run_name(**task.about, ratio=ratio)
        weights, score = best_weights(self.work_dir / name)
        arguments = [str(self._config(name)), str(weights), '--work-dir', str(self.report(task).parent)]
        self._run(task, ['test.py', *arguments], alone=True)
        return dict(ratio=ratio, weights=weights.name, validation=score)

    def _model(self, pairs: Task, name: str, options: Mapping | None = None) -> tuple[str, str]:
        """Config and checkpoint of a trained generator, under the settings that its pairs are drawn with."""
        task = f'generators/{pairs.about["split"]}/{name}'
        path = self._config(task)
        if options:
            config = with_options(Config.fromfile(path), options)
            path = self._config(f'{pairs.name}/{name}')
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, config.pretty_text.encode())
        return str(path), last_checkpoint(self.work_dir / task)

    def _train(self, task: Task) -> None:
        # The Runner writes the config it was given, with its own additions, to the work dir: ours lies elsewhere.
        path, text = self._config(task.name), self._training_config(task).pretty_text
        if path.exists() and path.read_text() != text:
            raise ValueError(f'{path} is of another plan than this one. Give another --work-dir.')
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode())
        self._run(task, ['train.py', str(path), '--work-dir', str(self.work_dir / task.name), '--resume'])

    def _run(self, task: Task, arguments: Sequence[str], alone: bool = False) -> None:
        """Runs a tool, its output into the task's log, until it ends or the deadline comes."""
        command = [*(LAUNCHERS['none'] if alone else self.start), str(self.tools / arguments[0]), *arguments[1:]]
        if not alone and self.launcher != 'none':
            command += ['--launcher', self.launcher]
        log = self.work_dir / 'state' / f'{task.name}.log'
        with open(log, 'a') as file:
            print('$', *command, file=file, flush=True)
            # The command holds the lock too: it may outlive this process, and must not meet itself then.
            process = subprocess.Popen(
                command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True, pass_fds=[self._lock]
            )
            try:
                code = self._wait(process)
            except BaseException:
                stop(process)
                raise
        if code:
            raise RuntimeError(f'{task.name} failed; {log} ends with\n{log.read_text()[-2000:]}')

    def _wait(self, process: subprocess.Popen) -> int:
        while True:
            try:
                return process.wait(timeout=0.5)
            except subprocess.TimeoutExpired:
                self._check_time()

    def _check_time(self) -> None:
        if time.monotonic() > self.deadline:
            raise OutOfTimeError

    @contextmanager
    def _locked(self, task: Task) -> Iterator[int | None]:
        """The lock of a task, a file descriptor; None if another process holds it."""
        path = self.work_dir / 'state' / f'{task.name}.lock'
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, 'w') as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            yield file.fileno()

    def _mark(self, name: str, what: str = 'done') -> Path:
        return self.work_dir / 'state' / f'{name}.{what}.json'

    def _config(self, name: str) -> Path:
        """The config of a training."""
        return self.work_dir / 'state' / name / 'config.py'

    def _spent(self, task: Task) -> float:
        path = self._mark(task.name, 'spent')
        return json.loads(path.read_text())['seconds'] if path.exists() else 0.0

    def _write(self, task: Task, what: str, content: dict) -> None:
        write_atomically(self._mark(task.name, what), (json.dumps(content, indent=1) + '\n').encode())


def stop(process: subprocess.Popen) -> None:
    """Ends a process and all those it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=20)
        # Those it started may outlive it, and hold its lock.
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def installed_versions() -> dict[str, str]:
    """Versions of the packages that decide results."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
