"""Configs and command lines of the tools that do each task of a comparison."""

import ast
from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config

from ..files import write_atomically
from .plan import REAL, Plan
from .records import Records
from .run_configs import generator_config, segmentor_config, with_options
from .tasks import Task, checking_run, pairs_owner, run_name

# In commands: stands for a file that is known when the task named after it is done.
WEIGHTS = 'weights:'
# In commands of tests: stands for the ratio that is chosen when all trainings are done.
RATIO = '{ratio}'


class TaskCommands:
    """Writes the configs of tasks, and the command lines that run the tools on them.

    Args:
        plan: The comparison.
        records: Of its tasks.
    """

    def __init__(self, plan: Plan, records: Records) -> None:
        self.plan, self.records, self.work_dir = plan, records, records.work_dir

    def __call__(self, task: Task) -> list[list[str]]:
        """The commands of a task, one after the other; writes the configs that they name."""
        if task.kind == 'pairs':
            filters = self.plan.methods[task.case['method']].drop_disagreeing
            return [self.draw_pairs(task), *([self.drop_disagreeing(task)] if filters else [])]
        return [self.test(task) if task.kind == 'test' else self.train(task)]

    def training_config(self, task: Task) -> Config:
        """The config that a generator or a segmentor is trained with."""
        case, plan = task.case, self.plan
        if task.kind == 'generator':
            return generator_config(plan.generators[case['generator']], plan.data[case['split']], plan.seeds[0])
        return segmentor_config(plan, **case, pairs=self.pairs_of(task))

    def pairs_of(self, run: Task) -> Path | None:
        """Pair folder that the training of a segmentor takes."""
        split, method = run.case['split'], run.case['method']
        return None if method == REAL else self.work_dir / f'pairs/{split}/{pairs_owner(self.plan, method)}'

    def train(self, task: Task) -> list[str]:
        """Trains a generator or a segmentor, from where it was stopped."""
        # The Runner writes the config it was given, with its own additions, to the work dir: ours lies elsewhere.
        config = self.records.config(task.name)
        write_config(self.training_config(task), config)
        return ['train.py', str(config), '--work-dir', str(self.work_dir / task.name), '--resume']

    def draw_pairs(self, task: Task) -> list[str]:
        """Draws the pairs of a method."""
        method = self.plan.methods[task.case['method']]
        generator = self._model(task, method.generator, method.options)
        out = ['--out', str(self.work_dir / task.name), '--kept', str(int(task.units))]
        command = ['generate_pairs.py', *generator, *out]
        if method.masks:
            folder = Path(self.plan.data[task.case['split']]) / method.masks
            command += ['--masks', str(folder), *(['--remodel'] if method.remodel else [])]
        if method.image:
            config, checkpoint = self._model(task, method.image, method.image_options)
            command += ['--image-config', config, '--image-checkpoint', checkpoint]
        if method.super_resolution:
            config, checkpoint = self._model(task, method.super_resolution, method.super_resolution_options)
            command += ['--sr-config', config, '--sr-checkpoint', checkpoint]
        return [*command, *method.arguments]

    def drop_disagreeing(self, task: Task) -> list[str]:
        """Marks the pairs as not kept whose masks a network of real tiles contradicts."""
        split = task.case['split']
        run = checking_run(self.plan, split)
        command = ['check_pairs.py', str(self.work_dir / task.name), '--real-root', self.plan.data[split]]
        segmentor = [str(self.records.config(run)), f'{WEIGHTS}{run}']
        return [*command, '--segmentor', *segmentor, '--filter', 'mark', '--no-copies', '--no-distances']

    def test(self, task: Task) -> list[str]:
        """Tests a segmentor; more seeds may make another ratio the best, so each has a folder of its own."""
        run = run_name(**task.case, ratio=RATIO)
        out = str(self.work_dir / task.name / f'x{RATIO}')
        return ['test.py', str(self.records.config(run)), f'{WEIGHTS}{run}', '--work-dir', out]

    def _model(self, pairs: Task, name: str, options: Mapping) -> tuple[str, str]:
        """Config and checkpoint of a trained generator, under the settings that its pairs are drawn with."""
        task = f'generators/{pairs.case["split"]}/{name}'
        path = self.records.config(task)
        if options:
            training = self.plan.generators[name]
            config = generator_config(training, self.plan.data[pairs.case['split']], self.plan.seeds[0])
            path = self.records.config(f'{pairs.name}/{name}')
            write_config(with_options(config, options), path)
        return str(path), f'{WEIGHTS}{task}'


def write_config(config: Config, path: Path) -> None:
    """Writes a config as a Python file; formatting it, as mmengine does, would take half a second for each."""
    settings = config.to_dict()
    text = ''.join(f'{key} = {value!r}\n' for key, value in settings.items())
    try:
        plain = {key: ast.literal_eval(repr(value)) for key, value in settings.items()} == settings
    except (SyntaxError, ValueError):
        plain = False
    write_atomically(path, (text if plain else config.pretty_text).encode())
