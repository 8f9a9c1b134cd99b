import os
import pickle

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner.checkpoint import CheckpointLoader, load_checkpoint

import mmseg_pfdiff  # noqa: F401


class Attack:
    """Creates a file when unpickled carelessly."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


class GetattrAttack:
    """Reaches for a function through the one name that log histories need."""

    def __reduce__(self):
        return getattr, (HistoryBuffer, '__init__')


def test_what_mmengine_writes_is_read(tmp_path):
    history = HistoryBuffer([1.0, 2.0], [1, 1])
    checkpoint = dict(
        state_dict=dict(w=torch.ones(2)),
        meta=dict(seed=3, cfg='a = 1'),
        message_hub=dict(log_scalars={'train/loss': history}, best=np.float64(2.5)),
    )
    torch.save(checkpoint, tmp_path / 'a.pth')
    loaded = CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth'))
    assert loaded['message_hub']['log_scalars']['train/loss'].mean() == 1.5
    assert loaded['message_hub']['best'] == 2.5
    model = torch.nn.Module()
    model.w = torch.nn.Parameter(torch.zeros(2))
    load_checkpoint(model, str(tmp_path / 'a.pth'))
    assert model.w.tolist() == [1, 1]


@pytest.mark.parametrize('protocol', [2, 5])
def test_code_in_a_checkpoint_does_not_run(tmp_path, protocol):
    target = tmp_path / 'made_by_attack'
    torch.save(dict(state_dict={}, extra=Attack(target)), tmp_path / 'bad.pth', pickle_protocol=protocol)
    with pytest.raises(ValueError, match='could run code'):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'bad.pth'))
    assert not target.exists()
    torch.load(tmp_path / 'bad.pth', weights_only=False)
    assert target.exists(), 'the attack works where it is let'


def test_getattr_gives_statistics_only(tmp_path):
    torch.save(dict(extra=GetattrAttack()), tmp_path / 'bad.pth')
    with pytest.raises(ValueError, match='may not look up'):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'bad.pth'))


def test_pretrained_weights_by_url_are_loaded_safely(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    cache = tmp_path / 'hub/checkpoints'
    cache.mkdir(parents=True)
    torch.save(dict(w=torch.ones(1)), cache / 'good.pth')
    (cache / 'bad.pth').write_bytes(pickle.dumps(Attack(tmp_path / 'made')))
    assert CheckpointLoader.load_checkpoint('https://example.org/good.pth')['w'].item() == 1
    with pytest.raises(ValueError, match='not loaded'):
        CheckpointLoader.load_checkpoint('https://example.org/bad.pth')
    assert not (tmp_path / 'made').exists()


def test_missing_file():
    with pytest.raises(FileNotFoundError, match='can not be found'):
        CheckpointLoader.load_checkpoint('/nowhere/a.pth')
