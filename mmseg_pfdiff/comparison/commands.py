"""The command that does each task of a comparison."""

from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config

from ..files import write_atomically
from .plan import REAL, Plan
from .run_configs import generator_config, segmentor_config, with_options
from .task_records import TaskRecords
from .tasks import Task, checking_run, last_checkpoint, pairs_owner


class TaskCommands:
    """Writes the configs of tasks, and the command lines that run the tools on them.

    Args:
        plan: The comparison.
        work_dir: Where everything lies.
        records: What was done there.
    """

    def __init__(self, plan: Plan, work_dir: Path, records: TaskRecords) -> None:
        self.plan, self.work_dir, self.records = plan, work_dir, records

    def training_config(self, task: Task) -> Config:
        """The config that a generator or a segmentor is trained with."""
        about, plan = task.about, self.plan
        if task.kind == 'generator':
            return generator_config(plan.generators[about['generator']], plan.data[about['split']], plan.seeds[0])
        return segmentor_config(plan, **about, pairs=self.pairs_of(task))

    def pairs_of(self, run: Task) -> Path | None:
        """Pair folder that the training of a segmentor takes."""
        split, method = run.about['split'], run.about['method']
        return None if method == REAL else self.work_dir / f'pairs/{split}/{pairs_owner(self.plan, method)}'

    def train(self, task: Task) -> list[str]:
        """Trains a generator or a segmentor, from where it was stopped."""
        # The Runner writes the config it was given, with its own additions, to the work dir: ours lies elsewhere.
        config, folder = self.records.config(task.name), self.work_dir / task.name
        write_atomically(config, self.training_config(task).pretty_text.encode())
        return ['train.py', str(config), '--work-dir', str(folder), '--resume']

    def draw_pairs(self, task: Task, number: int) -> list[str]:
        """Draws the pairs of a method."""
        method = self.plan.methods[task.about['method']]
        generator = self._model(task, method.generator, method.options)
        command = ['generate_pairs.py', *generator, '--out', str(self.work_dir / task.name), '--num', str(number)]
        if method.image:
            config, checkpoint = self._model(task, method.image, method.image_options)
            command += ['--image-config', config, '--image-checkpoint', checkpoint]
        if method.super_resolution:
            config, checkpoint = self._model(task, method.super_resolution, method.super_resolution_options)
            command += ['--sr-config', config, '--sr-checkpoint', checkpoint]
        return [*command, *method.arguments]

    def drop_disagreeing(self, task: Task) -> list[str]:
        """Marks the pairs as not kept whose masks a network of real tiles contradicts."""
        split = task.about['split']
        segmentor = self.tested(checking_run(self.plan, split))
        command = ['check_pairs.py', str(self.work_dir / task.name), '--real-root', self.plan.data[split]]
        return [*command, '--segmentor', *segmentor, '--filter', 'mark', '--no-copies', '--no-distances']

    def test(self, run: str, report: Path) -> list[str]:
        """Tests a segmentor; the folder of `report` gets what it found."""
        return ['test.py', *self.tested(run), '--work-dir', str(report.parent)]

    def tested(self, run: str) -> tuple[str, str]:
        """Config and best weights of a segmentor that is trained."""
        return str(self.records.config(run)), str(self.work_dir / run / self.records.mark(run)['weights'])

    def _model(self, pairs: Task, name: str, options: Mapping) -> tuple[str, str]:
        """Config and checkpoint of a trained generator, under the settings that its pairs are drawn with."""
        task = f'generators/{pairs.about["split"]}/{name}'
        path = self.records.config(task)
        if options:
            config = with_options(Config.fromfile(path), options)
            path = self.records.config(f'{pairs.name}/{name}')
            write_atomically(path, config.pretty_text.encode())
        return str(path), last_checkpoint(self.work_dir / task)
