"""Handing a comparison to Snakemake: the file of its tasks, the marks of those that are done, and the command."""

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import torch

from ..files import write_atomically
from .estimate import estimated_seconds, measured_rates
from .tasks import Task
from .workbench import Workbench

HERE = Path(__file__).parent
PROFILES = sorted(path.name for path in (HERE / 'profiles').iterdir())
# What says where to run; without it, all of this machine is used.
PLACES = ('--profile', '--workflow-profile', '--executor', '-e', '--jobs', '-j', '--cores', '-c')
# A job that takes twice what is estimated, and half an hour to begin, is ended by a cluster; a further try resumes.
SLACK, BEGIN = 2, 30
UNKNOWN = 24 * 60  # minutes for what nothing is known of yet
PATIENCE = 40.0  # seconds between asking all jobs to end and ending them


def sync_marks(bench: Workbench) -> None:
    """Has the mark of a task stand if and only if the task is done as the plan has it now.

    Snakemake then runs what lacks its mark. Times of files and what Snakemake remembers play no part: a folder may be
    copied, a plan may grow.

    Args:
        bench: The comparison.
    """
    for task in bench.tasks:
        if not bench.done(task):
            bench.records.mark(task.name).unlink(missing_ok=True)
        elif task.kind == 'choice':
            scores = bench.validation_scores(task)
            bench.records.set_mark(task.name, dict(ratio=bench.chosen_ratio(task), validation=scores))
        elif not bench.records.mark(task.name).exists():
            bench.records.set_mark(task.name, bench.record(task))


def write_tasks(bench: Workbench, tools: Path) -> Path:
    """Writes all that Snakemake and the jobs need to know, and the configs of all trainings.

    Args:
        bench: The comparison.
        tools: Folder of the tools.

    Returns:
        A JSON file: `tasks`, each with `kind`, `needs`, `units`, `case`, `made_with`, `commands`, `threads`,
        `minutes`; `tools`, `work_dir`, `folder` where paths are from, `python`, and the names of the `gpus`.
    """
    rates = measured_rates(bench)
    tasks = {task.name: _describe(bench, task, rates) for task in bench.tasks}
    content = dict(
        tasks=tasks,
        tools=str(tools),
        work_dir=str(bench.work_dir),
        folder=os.getcwd(),
        python=sys.executable,
        gpus=gpus(),
    )
    path = bench.work_dir / 'state/tasks.json'
    write_atomically(path, json.dumps(content, indent=1).encode())
    return path


def _describe(bench: Workbench, task: Task, rates: dict) -> dict:
    described = dict(kind=task.kind, needs=task.needs, units=task.units, case=task.case)
    if task.kind == 'choice':
        return described
    seconds = estimated_seconds(task, rates, bench.plan.seconds)
    minutes = UNKNOWN if seconds is None else math.ceil(SLACK * seconds / 60) + BEGIN
    workers = 0
    if task.kind in ('generator', 'segmentor'):
        workers = bench.commands.training_config(task).train_dataloader.get('num_workers', 0)
    described.update(made_with=bench.made_with(task), commands=bench.commands(task))
    return dict(described, threads=1 + workers, minutes=minutes)


def gpus() -> list[str]:
    """Numbers or names of the GPUs that this process may use."""
    count = torch.cuda.device_count()
    visible = os.environ.get('CUDA_VISIBLE_DEVICES', ','.join(map(str, range(count))))
    return visible.split(',')[:count]


def snakemake_command(tasks: Path, work_dir: Path, options: Sequence[str]) -> list[str]:
    """The command that does all tasks.

    Args:
        tasks: Of :func:`write_tasks`.
        work_dir: Of the comparison.
        options: Further options of Snakemake's. `--profile` also takes the name of one of ours.

    Returns:
        Words.

    Raises:
        ImportError: Snakemake is not installed.
    """
    if find_spec('snakemake') is None:
        raise ImportError("compare.py runs its jobs by Snakemake: pip install 'mmseg-pfdiff[comparison]'.")
    # `--profile=cpu` is `--profile cpu`.
    options = [part for word in options for part in (word.split('=', 1) if word.startswith('--profile=') else [word])]
    options = [str(HERE / 'profiles' / word) if word in PROFILES and before == '--profile' else word
               for before, word in zip(['', *options], options, strict=False)]  # fmt: skip
    if not any(word.partition('=')[0] in PLACES or re.fullmatch(r'-[cj]\d+', word) for word in options):
        options += ['--profile', str(HERE / 'profiles' / ('gpus' if gpus() else 'cpu'))]
    if str(HERE / 'profiles/gpus') in options:
        options = _with_gpus(options, len(gpus()))
    command = [sys.executable, '-m', 'snakemake', '--snakefile', str(HERE / 'Snakefile'), '--directory', str(work_dir)]
    # Our own locks end with their process, whatever ends it. Marks, which come whole, alone say what is to be done:
    # else Snakemake would run a job that it once left at work, and that has ended since, and nothing that needs it.
    command += ['--config', f'tasks={tasks}', '--rerun-triggers', 'mtime', '--ignore-incomplete', '--nolock']
    return [*command, '--show-failed-logs', *options]


def _with_gpus(options: Sequence[str], number: int) -> list[str]:
    """Options that tell Snakemake of the GPUs, unless they do already; of two `--resources` it heeds the last alone."""
    if any(word.startswith('gpu=') for word in options):
        return list(options)
    if '--resources' not in options:
        return [*options, '--resources', f'gpu={number}']
    place = options.index('--resources') + 1
    return [*options[:place], f'gpu={number}', *options[place:]]


def run_snakemake(command: Sequence[str], max_hours: float = math.inf) -> bool:
    """Runs Snakemake to its end, or until it is time to stop.

    Args:
        command: Of :func:`snakemake_command`.
        max_hours: When to stop; what is under way goes on next time.

    Returns:
        Whether it came to its end.

    Raises:
        RuntimeError: A job failed.
    """
    # In a session of its own, so that one signal reaches Snakemake and all jobs on this machine, and none comes twice.
    process = subprocess.Popen(command, start_new_session=True)
    try:
        code = process.wait(None if max_hours == math.inf else 3600 * max_hours)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        return False
    finally:
        _end(process)
    if code:
        raise RuntimeError('Not all tasks were done, see above; the logs are state/<task>/log.txt in the work dir.')
    return True


def _end(process: subprocess.Popen) -> None:
    """Asks Snakemake and its jobs to end, those it left behind as well, and ends what is still there after a while."""
    last = time.monotonic() + PATIENCE
    with suppress(ProcessLookupError):  # none of them is there any more
        os.killpg(process.pid, signal.SIGINT)
        while time.monotonic() < last:
            process.poll()  # Snakemake counts as there until it is asked for
            os.killpg(process.pid, 0)
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
