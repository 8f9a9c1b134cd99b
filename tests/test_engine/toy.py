"""A training that takes no time, by a config: a straight line through noise."""

import itertools
import os
import signal
import time

import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from mmseg.registry import DATASETS, HOOKS, METRICS, MODELS
from torch import nn

from mmseg_pfdiff.engine.run_config import use_own_hooks

from ..running import run_tool

NUMBERS = itertools.count()


@MODELS.register_module(force=True)
class ToyModel(BaseModel):
    """A line, or several."""

    def __init__(self, parts=('layer',), norm=False):
        super().__init__()
        for name in parts:
            setattr(self, name, nn.Linear(1, 1))
        self.norm = nn.BatchNorm1d(1) if norm else nn.Identity()
        self.register_buffer('steps', torch.zeros(()))

    def forward(self, x, mode='tensor'):
        if mode != 'loss':
            return [BaseDataElement(steps=int(self.steps))]
        self.steps += 1
        return dict(loss=self.norm(self.layer(torch.stack(x)[:, None] + torch.randn(len(x), 1))).square().mean())


@MODELS.register_module(force=True)
class ToyPair(ToyModel):
    """Two lines with an optimizer each."""

    def __init__(self):
        super().__init__(parts=('generator', 'discriminator'))

    def train_step(self, data, optim_wrapper):
        losses = {}
        for name, wrapper in optim_wrapper.items():
            loss = getattr(self, name)(torch.randn(1, 1)).square().sum()
            wrapper.update_params(loss)
            losses[f'loss_{name}'] = loss.detach()
        return losses


@DATASETS.register_module(force=True)
class ToyData(BaseDataset):
    """Numbers, augmented by noise."""

    def __init__(self, size=4, data_root='', **kwargs):
        self.size = size
        super().__init__(data_root=data_root, serialize_data=False, **kwargs)

    def load_data_list(self):
        return [dict(number=float(n)) for n in range(self.size)]

    def __getitem__(self, index):
        return dict(x=torch.tensor(float(index)) + torch.rand(()))


@METRICS.register_module(force=True)
class ToyScore(BaseMetric):
    """A score after each two steps, of a list; rising, where the list ends."""

    def __init__(self, scores=()):
        super().__init__()
        self.scores = scores

    def process(self, data_batch, data_samples):
        self.results.append(data_samples[0]['steps'] // 2 - 1)

    def compute_metrics(self, results):
        return dict(score=float((*self.scores, *range(10, 99))[results[0]]))


@HOOKS.register_module(force=True)
class Watch(Hook):
    """Notes the learning rates of each iteration, and when is validated."""

    priority = 'LOWEST'
    rates: list = []
    validations: list = []

    def before_run(self, runner):
        self.rates.clear()
        self.validations.clear()

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        rates = runner.optim_wrapper.get_lr()
        self.rates.append((runner.iter, {name: list(values) for name, values in rates.items()}))

    def before_val_epoch(self, runner):
        self.validations.append(runner.iter)


@HOOKS.register_module(force=True)
class Stop(Hook):
    """Ctrl-C at a moment of training: a method of hooks, and the iteration."""

    priority = 'LOWEST'

    def __init__(self, moment, iteration):
        self.iteration = iteration
        setattr(self, moment, self.stop)

    def stop(self, runner, *args, **kwargs):
        if runner.iter == self.iteration:
            raise KeyboardInterrupt


@HOOKS.register_module(force=True)
class PressCtrlC(Hook):
    """Ctrl-C while a checkpoint is written."""

    def before_save_checkpoint(self, runner, checkpoint):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)  # python handles it between two of its own steps


def toy_config(work_dir, epochs=4, loop=None, **options):
    """Two iterations an epoch, a checkpoint and a validation after each."""
    config = Config(
        dict(
            default_scope='mmseg',
            work_dir=str(work_dir),
            model=dict(type='ToyModel'),
            train_dataloader=dict(
                batch_size=2, num_workers=0, dataset=dict(type='ToyData'), sampler=dict(type='DefaultSampler')
            ),
            val_dataloader=dict(
                batch_size=1,
                num_workers=0,
                dataset=dict(type='ToyData', size=1),
                sampler=dict(type='DefaultSampler', shuffle=False),
            ),
            val_cfg=dict(),
            val_evaluator=dict(type='ToyScore'),
            train_cfg=loop or dict(by_epoch=True, max_epochs=epochs, val_interval=1),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)),
            randomness=dict(seed=0),
            log_level='ERROR',
            # Runners of one name in one process would share what they note.
            experiment_name=f'toy{next(NUMBERS)}',
        )
    )
    config.merge_from_dict(options)
    return config


def toy_runner(work_dir, resume=False, **options):
    """A Runner of it, with the hooks that `tools/train.py` gives."""
    config = toy_config(work_dir, **options)
    use_own_hooks(config)
    config.resume = resume
    return Runner.from_cfg(config)


def train(work_dir, *flags, **options):
    """Trains it by the command line."""
    path = work_dir.parent / f'{work_dir.name}_config.py'
    config = toy_config(work_dir, **options)
    config.dump(path)
    run_tool('train.py', path, '--work-dir', work_dir, *flags)


def checkpoints(work_dir):
    """Names of the checkpoints there."""
    return sorted(path.name for path in work_dir.glob('*.pth*'))
