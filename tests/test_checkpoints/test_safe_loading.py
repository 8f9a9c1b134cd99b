import functools
import os
import pickle
import threading
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.runner.checkpoint import CheckpointLoader, load_checkpoint

from ..test_engine.toy import train


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
    with pytest.raises(ValueError, match='was not loaded'):
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


def test_weights_are_downloaded_once_and_loaded(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    (tmp_path / 'site').mkdir()
    torch.save(dict(w=torch.full((1,), 7.0)), tmp_path / 'site/net.pth')
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path / 'site'))
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f'http://127.0.0.1:{server.server_port}/net.pth'
        assert CheckpointLoader.load_checkpoint(url)['w'].item() == 7
        with pytest.raises(ValueError, match=r'could not be fetched.*init_cfg=None'):
            CheckpointLoader.load_checkpoint(url.replace('net', 'other'))
        server.shutdown()
    (tmp_path / 'site/net.pth').unlink()
    assert CheckpointLoader.load_checkpoint(url)['w'].item() == 7, 'from the cache'


def test_schemes_whose_loaders_are_unsafe_are_refused():
    for name in ('s3://bucket/a.pth', 'pavi://a', 'mmcls://a', 'cluster:s3://bucket/a.pth'):
        with pytest.raises(ValueError, match='cannot be loaded safely'):
            CheckpointLoader.load_checkpoint(name)


def test_a_file_that_is_no_checkpoint(tmp_path):
    (tmp_path / 'junk.pth').write_bytes(b'eh?' * 100)
    with pytest.raises(ValueError, match='was not loaded') as error:
        CheckpointLoader.load_checkpoint(str(tmp_path / 'junk.pth'))
    assert 'weights_only' not in str(error.value)


def test_logs_written_under_the_other_numpy_are_read(tmp_path):
    torch.save(dict(a=np.float64(2.5), b=np.arange(3.0)), tmp_path / 'new.pth')
    content = zipfile.ZipFile(tmp_path / 'new.pth')
    with zipfile.ZipFile(tmp_path / 'old.pth', 'w') as old:
        for name in content.namelist():
            old.writestr(name, content.read(name).replace(b'numpy._core.multiarray', b'numpy.core.multiarray'))
    loaded = CheckpointLoader.load_checkpoint(str(tmp_path / 'old.pth'))
    assert loaded['a'] == 2.5 and loaded['b'].tolist() == [0, 1, 2]


def test_the_config_in_a_checkpoint_is_not_run_when_training_goes_on(tmp_path):
    """mmengine's Runner runs `meta['config']` as a program when it resumes."""
    train(tmp_path / 'a', epochs=1)
    checkpoint = torch.load(tmp_path / 'a/epoch_1.pth', weights_only=False)
    target = tmp_path / 'made_by_attack'
    for key in ('config', 'cfg'):
        checkpoint['meta'][key] = f'import os\nos.makedirs({str(target)!r}, exist_ok=True)\ngpu_ids = [0]\n'
    torch.save(checkpoint, tmp_path / 'a/epoch_1.pth')
    with pytest.raises(SystemExit, match='--resume cannot go on'):  # it is of another config
        train(tmp_path / 'a', '--resume', epochs=2)
    checkpoint['meta']['cfg'] = ''
    torch.save(checkpoint, tmp_path / 'a/epoch_1.pth')
    train(tmp_path / 'a', '--resume', epochs=2)
    assert (tmp_path / 'a/epoch_2.pth').exists() and not target.exists()
    Config.fromstring(checkpoint['meta']['config'], '.py')
    assert target.exists(), 'the attack works where it is let'
