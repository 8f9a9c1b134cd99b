import os

import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import nn
from torch.utils.data import DataLoader

from mmseg_pfdiff.engine.atomic_checkpoint import AtomicCheckpointHook  # noqa: F401


class ToyModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def train_step(self, data, optim_wrapper):
        loss = self.layer(torch.ones(1, 1)).sum()
        optim_wrapper.update_params(loss)
        return dict(loss=loss.detach())

    def val_step(self, data):
        return [BaseDataElement()]


class Score(BaseMetric):
    """Rises at each evaluation."""

    value = 0

    def process(self, data_batch, data_samples):
        self.results.append(1)

    def compute_metrics(self, results):
        self.value += 1
        return dict(score=float(self.value))


def make_runner(work_dir, epochs=4, **hook):
    return Runner(
        model=ToyModel(),
        work_dir=str(work_dir),
        train_dataloader=DataLoader([0, 1], batch_size=1),
        val_dataloader=DataLoader([0], batch_size=1),
        val_evaluator=[Score()],
        val_cfg=dict(),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        default_hooks=dict(checkpoint={'type': 'AtomicCheckpointHook', 'interval': 1, **hook}),
        default_scope='mmseg',
        experiment_name=f'toy_{os.path.basename(work_dir)}_{epochs}',
        log_level='ERROR',
    )


def checkpoints(work_dir):
    return sorted(path.name for path in work_dir.glob('*.pth*'))


def test_old_checkpoints_go_and_the_newest_stay(tmp_path):
    make_runner(tmp_path, max_keep_ckpts=1, save_best='score', rule='greater').train()
    assert checkpoints(tmp_path) == ['best_score_epoch_4.pth', 'epoch_4.pth']
    assert (tmp_path / 'last_checkpoint').read_text().endswith('epoch_4.pth')


def test_at_every_write_a_whole_checkpoint_stands_on_disk(tmp_path, monkeypatch):
    """Kills the process, so to speak, at each rename: everything on disk must load, and something must be there."""
    seen = []
    replace = os.replace

    def watch(source, target):
        standing = [path for path in tmp_path.glob('*.pth') if not path.name.startswith('best')]
        for path in standing:
            torch.load(path, weights_only=False)
        seen.append((os.path.basename(target), len(standing)))
        if (tmp_path / 'last_checkpoint').exists() and os.path.basename(target).startswith('epoch'):
            os.link(tmp_path / 'last_checkpoint', f'{target}.mark_before')
        replace(source, target)

    monkeypatch.setattr(os, 'replace', watch)
    make_runner(tmp_path, max_keep_ckpts=1).train()
    written = [count for name, count in seen if name.startswith('epoch')]
    assert written[0] == 0 and all(count == 1 for count in written[1:]) and len(written) == 4
    # A mark that is written in place would have changed under its other name, too, and be empty for a moment.
    for epoch in (2, 3, 4):
        before = (tmp_path / f'epoch_{epoch}.pth.mark_before').read_text()
        assert before == str(tmp_path / f'epoch_{epoch - 1}.pth')


def test_resume_goes_on_where_training_stopped(tmp_path):
    make_runner(tmp_path, epochs=2, max_keep_ckpts=2).train()
    runner = make_runner(tmp_path, epochs=3, max_keep_ckpts=2)
    runner._resume = True
    runner.train()
    assert runner.epoch == 3
    assert checkpoints(tmp_path) == ['epoch_2.pth', 'epoch_3.pth']


@pytest.mark.parametrize('interval', [1, 2])
def test_weights_on_disk_are_those_of_training(tmp_path, interval):
    runner = make_runner(tmp_path, epochs=2, interval=interval)
    runner.train()
    state = torch.load(tmp_path / 'epoch_2.pth', weights_only=False)['state_dict']
    torch.testing.assert_close(state['layer.weight'], runner.model.layer.weight.data)
