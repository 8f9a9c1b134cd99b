import os
import socket

import pytest
import torch.distributed

from mmseg_pfdiff.engine.launch import process_rank

from .test_work_dir import load
from .toy import checkpoints, train


@pytest.fixture
def launched(monkeypatch):
    """As if a launcher had started this process, alone."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    environment = dict(RANK=0, WORLD_SIZE=1, LOCAL_RANK=0, MASTER_ADDR='127.0.0.1', MASTER_PORT=port)
    for name, value in environment.items():
        monkeypatch.setenv(name, str(value))
    yield
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def test_numbers_of_processes(monkeypatch):
    assert process_rank('none') == 0
    monkeypatch.setenv('SLURM_PROCID', '3')
    for name in ('SLURM_NTASKS', 'SLURM_LOCALID'):
        monkeypatch.setenv(name, '4')
    assert process_rank('slurm') == 3


@pytest.mark.skipif('RANK' in os.environ, reason='started by a launcher')
def test_without_its_launcher_a_training_is_told_how_to_start(tmp_path):
    with pytest.raises(SystemExit, match=r'--launcher pytorch needs RANK in the environment: .*torchrun'):
        train(tmp_path / 'a', '--launcher', 'pytorch')
    assert not (tmp_path / 'a').exists()


@pytest.mark.parametrize('pair', [False, True])
def test_processes_on_cpus_train_and_go_on(pair, launched, tmp_path):
    options = {'optim_wrapper.optimizer.lr': 0.01}
    if pair:
        options = {
            'model.type': 'ToyPair',
            'model_wrapper_cfg': dict(type='MMSeparateDistributedDataParallel'),
            'optim_wrapper.constructor': 'PerModuleOptimWrapperConstructor',
            'optim_wrapper.modules': dict(generator=dict(), discriminator=dict()),
        }
    train(tmp_path / 'a', '--launcher', 'pytorch', epochs=1, **options)
    assert torch.distributed.get_backend() == 'gloo'
    train(tmp_path / 'a', '--launcher', 'pytorch', '--resume', epochs=2, **options)
    assert checkpoints(tmp_path / 'a') == ['epoch_1.pth', 'epoch_2.pth']
    assert load(tmp_path / 'a/epoch_2.pth')['meta']['iter'] == 4
