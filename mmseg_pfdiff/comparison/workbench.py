"""Doing the tasks of a comparison."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

from ..compat import package_versions
from ..metrics.pair_filter import DISAGREE
from ..pairs.folder import PairFolder
from ..pairs.rows import PairRow
from .commands import TaskCommands
from .fingerprints import data_identity, fingerprint
from .plan import DRAWING, Plan
from .results import best_weights, chosen_ratio
from .task_records import TaskRecords
from .tasks import Task, list_tasks, run_name
from .tool_runner import ToolRunner

# Generated pairs beyond those that are needed, as some are not kept.
SPARE = 1.05
# Rounds of generating more, where many pairs are not kept; with fewer kept than this share, it would take for ever.
ROUNDS = 4
LEAST_KEPT = 0.1
WAIT = 5.0  # seconds between looks at what another process does


class Workbench:
    """Does the tasks of a plan in a folder. Several processes may share the work: each task is done by one of them.

    Args:
        plan: The comparison.
        work_dir: Where everything lies.
        runner: Runs `train.py`, `generate_pairs.py`, `check_pairs.py` and `test.py`.

    Attributes:
        tasks: All tasks of the plan, in order.
    """

    def __init__(self, plan: Plan, work_dir: str | Path, runner: ToolRunner) -> None:
        self.plan, self.work_dir, self.runner = plan, Path(work_dir), runner
        self.records = TaskRecords(self.work_dir / 'state')
        self.commands = TaskCommands(plan, self.work_dir, self.records)
        self.tasks = list_tasks(plan)
        self._digests: dict[str, str] = {}

    def done(self, task: Task) -> bool:
        """Whether a task is done, as the plan has it now.

        Raises:
            ValueError: It was done by another plan, with other settings.
        """
        mark = self.records.mark(task.name)
        if mark is None:
            return False
        if task.kind == 'test':
            # The plan may have got more seeds or ratios since, so that another ratio is the best.
            trained = all(self.records.mark(name) for name in task.needs)
            return trained and mark['made_from'] == self._made_from(task)
        self._check_origin(task, mark)
        return task.kind != 'pairs' or mark['kept'] >= task.units

    def seconds(self, task: Task) -> float | None:
        """What a task took, over all its interruptions; None while it is not done."""
        return self.records.mark(task.name)['seconds'] if self.done(task) else None

    def report(self, test: Task) -> Path:
        """What a test leaves: one file for each ratio, as more seeds may make another one the best."""
        return self.work_dir / test.name / f'x{self._chosen_ratio(test)}' / 'test.json'

    def reports(self, test: Task) -> list[Path]:
        """What a test left, of all ratios that were the best at some time."""
        return sorted((self.work_dir / test.name).glob('x*/test.json'))

    def work(self) -> None:
        """Does what is not done yet, and waits for what other processes do.

        Raises:
            OutOfTimeError: The deadline has come.
            RuntimeError: A command failed; the message ends with the last it printed.
        """
        told = False
        while pending := [task for task in self.tasks if not self.done(task)]:
            waiting = {task.name for task in pending}
            ready = [task for task in pending if waiting.isdisjoint(task.needs)]
            if any(self._try(task) for task in ready):
                told = False
                continue
            if not told:
                print(f'waiting for another process: {", ".join(task.name for task in ready)}', flush=True)
            told = True
            self.runner.check_time()
            time.sleep(WAIT)

    def _try(self, task: Task) -> bool:
        """Does a task unless another process is at it; whether it did."""
        with self.records.locked(task.name) as lock:
            if lock is None or self.done(task):
                return lock is not None
            self._lock = lock
            number = sum(map(self.done, self.tasks)) + 1
            print(f'[{number}/{len(self.tasks)}] {task.name} ...', flush=True)
            origin = dict(made_with=self._made_with(task), made_from=self._made_from(task))
            with self._timed(task, origin) as clock:
                found = getattr(self, f'_do_{task.kind}')(task)
            # More pairs leave the first ones as they were, and what was trained on them.
            old = self.records.mark(task.name) if task.kind == 'pairs' else None
            record = dict(seconds=clock(), stamp=old['stamp'] if old else time.time(), about=task.about)
            self.records.set_mark(task.name, dict(record, **origin, **found, versions=package_versions()))
            self._tidy(task)
            print(f'[{number}/{len(self.tasks)}] {task.name}: {clock():.0f} s', flush=True)
            return True

    @contextmanager
    def _timed(self, task: Task, origin: dict) -> Iterator[Callable[[], float]]:
        """Counts the seconds of a task, over all its interruptions, and sees that what was begun is gone on with.

        Gives a function that returns the seconds so far. They are on disk from time to time, for a task that is killed.
        """
        begun = self.records.begun(task.name)
        if begun is not None and task.kind != 'test':
            self._check_origin(task, begun)
        before = begun['seconds'] if begun is not None and begun['made_from'] == origin['made_from'] else 0.0
        start = time.monotonic()

        def clock() -> float:
            return before + time.monotonic() - start

        def note() -> None:
            self.records.set_begun(task.name, dict(seconds=clock(), **origin))

        note()
        self._note = note
        try:
            yield clock
        finally:
            note()

    def _tidy(self, task: Task) -> None:
        """Removes what only served to resume; of a segmentor, the best weights of the validation part are left."""
        if task.kind == 'segmentor':
            folder = self.work_dir / task.name
            for path in (folder / 'last_checkpoint', *folder.glob('epoch_*.pth')):
                path.unlink(missing_ok=True)

    def _check_origin(self, task: Task, record: Mapping) -> None:
        """Sees that a task was done, or begun, with the settings of the plan and from what is there now.

        Raises:
            ValueError: It was not.
        """
        if record['made_with'] != self._made_with(task):
            raise ValueError(f'{task.name} is of another plan than this one. {self._advice(task)}')
        made_from = self._made_from(task)
        others = [name for name, stamp in made_from.items() if record['made_from'].get(name) != stamp]
        if others:
            raise ValueError(f'{task.name} was made from other {" and ".join(others)}. {self._advice(task)}')

    def _made_from(self, task: Task) -> dict[str, float | None]:
        """When that was done which a task takes; of a test, the training that is tested."""
        needs = task.needs
        if task.kind == 'test':
            needs = (run_name(**task.about, ratio=self._chosen_ratio(task)),)
        return {name: (self.records.mark(name) or {}).get('stamp') for name in needs}

    def _made_with(self, task: Task) -> str:
        """A digest of the settings and the data that make what a task makes."""
        if task.name not in self._digests:
            root = self.plan.data[task.about['split']]
            settings = dict(data=data_identity(root))
            if task.kind in ('generator', 'segmentor'):
                settings['config'] = self.commands.training_config(task).to_dict()
            elif task.kind == 'pairs':
                method = self.plan.methods[task.about['method']]
                settings['method'] = {key: value for key, value in method._asdict().items() if key in DRAWING and value}
            pairs = str(self.commands.pairs_of(task)) if task.kind == 'segmentor' else ''
            self._digests[task.name] = fingerprint(settings, {root: 'data set', pairs: 'pairs'})
        return self._digests[task.name]

    def _advice(self, task: Task) -> str:
        """How to have a task done anew."""
        names = {task.name}
        for other in self.tasks:  # in order, so that what needs a task stands after it
            if names.intersection(other.needs):
                names.add(other.name)
        state = self.records.folder
        paths = [
            f'{quote(str(self.work_dir / name))} {quote(str(state / name))} {quote(str(state / name))}.*'
            for name in sorted(names)
        ]
        command = ' \\\n    '.join(['rm -rf', *paths])
        return (
            'Give another --work-dir, or have it and all that was made from it done anew: end every process that works '
            f'in this folder, then\n{command}'
        )

    def _chosen_ratio(self, test: Task) -> int:
        about = test.about
        return chosen_ratio(self.plan, self.records, about['split'], about['segmentor'], about['method'])

    def _do_generator(self, task: Task) -> dict:
        self._run(task, self.commands.train(task))
        return {}

    def _do_pairs(self, task: Task) -> dict:
        needed = int(task.units)
        number = math.ceil(SPARE * needed)
        for _ in range(ROUNDS):
            self._run(task, self.commands.draw_pairs(task, number))
            if self.plan.methods[task.about['method']].drop_disagreeing:
                self._run(task, self.commands.drop_disagreeing(task), alone=True)
            rows = PairFolder(self.work_dir / task.name).rows()
            kept = sum(row.kept for row in rows)
            if kept >= needed:
                return dict(pairs=len(rows), kept=kept)
            if kept < LEAST_KEPT * len(rows):
                break
            number = math.ceil(SPARE * len(rows) * needed / kept)
        raise RuntimeError(f'{task.name}: {too_few(rows, needed)}')

    def _do_segmentor(self, task: Task) -> dict:
        self._run(task, self.commands.train(task))
        weights, score = best_weights(self.work_dir / task.name)
        return dict(weights=weights.name, validation=score)

    def _do_test(self, task: Task) -> dict:
        ratio = self._chosen_ratio(task)
        run = run_name(**task.about, ratio=ratio)
        self._run(task, self.commands.test(run, self.report(task)), alone=True)
        return dict(ratio=ratio)

    def _run(self, task: Task, arguments: list[str], alone: bool = False) -> None:
        self.runner.run(arguments, self.records.log(task.name), self._lock, alone, self._note)


def too_few(rows: Sequence[PairRow], needed: int) -> str:
    """What to do where a generator draws too few pairs that are kept."""
    kept, contradicted = sum(row.kept for row in rows), sum(DISAGREE in row.reason for row in rows)
    if contradicted > (len(rows) - kept) / 2:
        advice = 'most of the others are contradicted by the segmentor: train the generator longer, or do not filter'
    else:
        advice = (
            "guide the generator (model.fraction_guidance), let more pixels move (--max-moved in the method's "
            'arguments), or lower the ratios'
        )
    return f'only {kept} of {len(rows)} pairs are kept, {needed} are needed; {advice}.'
