import multiprocessing
import os
import resource
import shutil
import signal
import time

import pytest
import torch

from mmseg_pfdiff.checkpoints.load import load_cascade
from mmseg_pfdiff.checkpoints.save import check_exportable, save_cascade
from mmseg_pfdiff.folder_lock import FolderInUseError, locked_folder
from mmseg_pfdiff.models.cascade import PairCascade
from mmseg_pfdiff.models.diffusion.pf_diffseg import PFDiffSeg
from mmseg_pfdiff.requests.table import RequestedFractions

from ..generators import make_generator, make_super_resolution
from ..running import run_tool
from .test_load import make_card

FORK = multiprocessing.get_context('fork')


def export(folder, queue=None, wait=None):
    """Exports; puts how it went into a queue."""
    try:
        if wait is not None:
            wait.wait()
        save_cascade(PairCascade(make_generator(), make_super_resolution()), folder, make_card())
        result = 'written'
    except Exception as error:
        result = f'{type(error).__name__}: {error}'
    if queue is not None:
        queue.put(result)


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file())


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """The files of an export."""
    folder = tmp_path_factory.mktemp('whole') / 'a'
    export(folder)
    return files(folder)


def test_of_exports_started_together_one_writes_and_the_others_are_refused(whole, tmp_path):
    for number in range(2):
        folder = tmp_path / f'out{number}'
        queue, barrier = FORK.Queue(), FORK.Barrier(3)
        processes = [FORK.Process(target=export, args=(folder, queue, barrier)) for _ in range(3)]
        for process in processes:
            process.start()
        results = sorted(queue.get(timeout=60) for _ in processes)
        for process in processes:
            process.join()
        assert results.count('written') == 1, results
        others = [result for result in results if result != 'written']
        assert all('is being written by another process' in text or 'not an empty folder' in text for text in others)
        assert files(folder) == whole
        load_cascade(folder)


def test_the_tool_says_at_once_that_the_folder_is_taken(random_generators, tmp_path):
    with (
        locked_folder(tmp_path / 'out'),
        pytest.raises(SystemExit, match=r'error: .*out is being written by another process'),
    ):
        run_tool('export_generator.py', *random_generators[:2], tmp_path / 'out')
    assert not (tmp_path / 'out').exists()
    with locked_folder(tmp_path / 'out'), pytest.raises(FolderInUseError):
        export_once(tmp_path / 'out')


def export_once(folder):
    save_cascade(PairCascade(make_generator()), folder, make_card())


def test_a_kill_leaves_nothing_under_the_name_and_the_next_export_clears_up(whole, tmp_path):
    folder, killed = tmp_path / 'out', 0
    for delay in (0.0, 0.02, 0.05, 0.1, 0.2):
        process = FORK.Process(target=export, args=(folder,), daemon=True)
        process.start()
        while process.is_alive() and not list(tmp_path.glob('.out.*.part')):
            time.sleep(0.001)
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        if folder.exists():  # it was faster
            assert files(folder) == whole
            shutil.rmtree(folder)
        killed += process.exitcode == -signal.SIGKILL
    assert killed >= 1
    (tmp_path / '.other.77.part').mkdir()
    export(folder)
    assert files(folder) == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ['.other.77.part', '.out.lock', 'out']


def test_an_interrupted_export_clears_up_itself(whole, tmp_path):
    for delay in (0.0, 0.03, 0.1):
        process = FORK.Process(target=export, args=(tmp_path / 'out',), daemon=True)
        process.start()
        while process.is_alive() and not list(tmp_path.glob('.out.*.part')):
            time.sleep(0.001)
        time.sleep(delay)
        os.kill(process.pid, signal.SIGINT)
        process.join()
        assert sorted(path.name for path in tmp_path.iterdir()) in (['.out.lock'], ['.out.lock', 'out'])
        if (tmp_path / 'out').exists():
            assert files(tmp_path / 'out') == whole
            shutil.rmtree(tmp_path / 'out')


@pytest.mark.parametrize('most', [100, 100_000])
def test_a_file_that_cannot_be_written_is_named_and_nothing_is_left(tmp_path, most):
    queue = FORK.Queue()

    def limited():
        # As on a full disk: the file that would grow beyond this cannot be written.
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        export(tmp_path / 'out', queue)

    process = FORK.Process(target=limited)
    process.start()
    result = queue.get(timeout=60)
    process.join()
    name = 'card.json' if most < 100_000 else 'generator/unet/diffusion_pytorch_model.safetensors'
    assert result.startswith('OSError: [Errno 27]') and f'{tmp_path}/out/{name}' in result
    assert [path.name for path in tmp_path.iterdir()] == ['.out.lock']


def test_what_a_reader_could_not_open_is_not_written(tmp_path):
    class Mine(PFDiffSeg):
        pass

    mine = make_generator()
    mine.__class__ = Mine
    diverged = make_generator()
    with torch.no_grad():
        diverged.unet.net.conv_in.bias[0] = torch.nan
    wild = make_generator()
    wild.guidance_scale = 1e6
    for generator, message in ((mine, 'got a Mine'), (diverged, 'not finite'), (wild, 'guidance_scale must be')):
        with pytest.raises(ValueError, match=message):
            save_cascade(PairCascade(generator), tmp_path / 'out', make_card())
    with pytest.raises(ValueError, match='data must be a text of at most'):
        save_cascade(PairCascade(make_generator()), tmp_path / 'out', make_card(data='x' * 20_000))
    assert not (tmp_path / 'out').exists() and not list(tmp_path.glob('.*.part'))


def test_a_source_of_fractions_that_a_reader_would_not_have():
    card = make_card()
    check_exportable(card, card.fraction_sampler())
    with pytest.raises(ValueError, match='this config has a RequestedFractions'):
        check_exportable(card, RequestedFractions.from_text('a=1', ['a']))
