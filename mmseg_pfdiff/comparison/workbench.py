"""State of a comparison in its folder: what is done, begun, left, and of other settings than the plan's."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from shlex import quote

from .choice import best_ratio
from .commands import TaskCommands
from .fingerprints import data_identity, fingerprint
from .plan import DRAWING, Plan
from .records import Records
from .tasks import Task, list_tasks, run_name, tried_ratios


class Workbench:
    """Knows what is done of a plan in a folder.

    Args:
        plan: The comparison.
        work_dir: Where everything lies.

    Attributes:
        tasks: All tasks of the plan, in order.
    """

    def __init__(self, plan: Plan, work_dir: str | Path) -> None:
        self.plan, self.work_dir = plan, Path(work_dir).absolute()
        self.records = Records(self.work_dir)
        self.commands = TaskCommands(plan, self.records)
        self.tasks = list_tasks(plan)
        self._digests: dict[str, str] = {}

    def done(self, task: Task) -> bool:
        """Whether a task is done, as the plan has it now."""
        if task.kind == 'choice':
            return all(self.records.made(name) for name in task.needs)
        record = self.record(task)
        if record is None or 'made' not in record:
            return False
        return task.kind != 'pairs' or record['kept'] >= task.units

    def record(self, task: Task) -> dict | None:
        """The record of a task; of a test, that of the training which is the best now."""
        if task.kind != 'test':
            return self.records.read(task.name)
        ratio = self.chosen_ratio(task)
        record = None if ratio is None else self.records.read(f'{task.name}/x{ratio}')
        # What was tested may have been trained anew since.
        run = run_name(**task.case, ratio=ratio)
        return record if record and record['made_from'] == {run: self.records.made(run)} else None

    def seconds(self, task: Task) -> float | None:
        """Seconds that a task took, over all its interruptions; None while it is not done."""
        return self.record(task)['seconds'] if self.done(task) else None

    def validation_scores(self, task: Task) -> dict[int, list[float]] | None:
        """Ratio -> best validation scores of all seeds, mean IoU in percent; None while a training is not done.

        Args:
            task: A test or a choice; the trainings are those of its split, segmentor and method.
        """
        case, scores = task.case, {}
        for ratio in tried_ratios(self.plan, case['method']):
            names = [run_name(**{**case, 'ratio': ratio, 'seed': seed}) for seed in self.plan.seeds]
            records = [self.records.read(name) or {} for name in names]
            if not all('made' in record for record in records):
                return None
            scores[ratio] = [record['validation'] for record in records]
        return scores

    def chosen_ratio(self, task: Task) -> int | None:
        """The ratio with the best mean validation score; None while a training is not done.

        Each split chooses for itself: the validation micrographs of one are test micrographs of another.
        """
        scores = self.validation_scores(task)
        return None if scores is None else best_ratio(scores)

    def report(self, test: Task) -> Path:
        """The report of a test: one file for each ratio, as more seeds may make another one the best."""
        return self.work_dir / test.name / f'x{self.chosen_ratio(test)}' / 'test.json'

    def reports(self, test: Task) -> list[Path]:
        """The reports of a test, of all ratios that were the best at some time."""
        return sorted((self.work_dir / test.name).glob('x*/test.json'))

    def made_with(self, task: Task) -> str:
        """A digest of the settings and the data that make what a task makes."""
        if task.name not in self._digests:
            root, case = self.plan.data[task.case['split']], task.case
            settings = dict(data=self._data[case['split']])
            if task.kind in ('generator', 'segmentor'):
                settings['config'] = self.commands.training_config(task).to_dict()
            elif task.kind == 'pairs':
                method = self.plan.methods[case['method']]
                settings['method'] = {key: value for key, value in method._asdict().items() if key in DRAWING and value}
            pairs = str(self.commands.pairs_of(task)) if task.kind == 'segmentor' else ''
            self._digests[task.name] = fingerprint(settings, {root: 'data set', pairs: 'pairs'})
        return self._digests[task.name]

    @cached_property
    def _data(self) -> dict[str, str]:
        """Split -> what its data set was made of and how."""
        return {split: data_identity(root) for split, root in self.plan.data.items()}

    def check(self) -> None:
        """Sees that what is done or begun is so with the settings of the plan, and from what is there now.

        Raises:
            ValueError: It is not; the message tells how to have it done anew.
        """
        for task in self.tasks:
            record = None if task.kind in ('choice', 'test') else self.records.read(task.name)
            if record is None:
                continue
            others = other_origins(record, self.made_with(task), self.made_from(task))
            if others:
                raise ValueError(f'{task.name} was made with other {others} than this plan has. {self._advice(task)}')

    def made_from(self, task: Task) -> dict[str, str | None]:
        """Name of each task needed -> digest of its result, of :meth:`Records.made`."""
        return {name: self.records.made(name) for name in task.needs}

    def _advice(self, task: Task) -> str:
        """How to have a task done anew."""
        names = {task.name}
        for other in self.tasks:  # in order, so that what needs a task stands after it
            if names.intersection(other.needs):
                names.add(other.name)
        paths = [
            f'{quote(str(self.work_dir / name))} {quote(str(self.work_dir / "state" / name))}' for name in sorted(names)
        ]
        command = ' \\\n    '.join(['rm -rf', *paths])
        return (
            'Give another --work-dir, or have it and all that was made from it done anew: end every process that works '
            f'in this folder, then\n{command}'
        )


def other_origins(record: Mapping, made_with: str, made_from: Mapping[str, str | None]) -> str:
    """Settings, data or results that a task was begun with and would not be begun with now.

    Args:
        record: Of the task.
        made_with: Digest of its settings and data now.
        made_from: Name of a task -> what tells its result from any other, now.

    Returns:
        Words for a message; empty if there is nothing.
    """
    others = [name for name, made in made_from.items() if record['made_from'].get(name) != made]
    return ' and '.join([*(['settings or data'] if record['made_with'] != made_with else []), *others])
