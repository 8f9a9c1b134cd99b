"""What a training finds and leaves in its work directory, by the command line."""

import os
import resource
import shutil
import signal

import pytest
import torch
from mmengine.config import Config

from mmseg_pfdiff.engine.work_dir import checkpoint_files, checkpoint_to_resume
from mmseg_pfdiff.folder_lock import locked_folder

from ..running import run_tool
from .toy import checkpoints, toy_config, train

BEST = {'default_hooks.checkpoint.save_best': 'score', 'default_hooks.checkpoint.rule': 'greater'}


def load(path):
    return torch.load(path, weights_only=False)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize('place', ['copied', 'moved'])
def test_a_work_directory_that_was_copied_or_moved_goes_on_with_its_own(place, tmp_path):
    train(tmp_path / 'a', epochs=2, **BEST)
    before = contents(tmp_path / 'a')
    if place == 'copied':
        shutil.copytree(tmp_path / 'a', tmp_path / 'b')
    else:
        (tmp_path / 'a').rename(tmp_path / 'b')
    # What differs shows which one is gone on from.
    marked = load(tmp_path / 'b/epoch_2.pth')
    marked['state_dict']['layer.bias'] += 100
    torch.save(marked, tmp_path / 'b/epoch_2.pth')
    train(tmp_path / 'b', '--resume', epochs=3, **BEST, **{'optim_wrapper.optimizer.lr': 1e-9})
    assert load(tmp_path / 'b/epoch_3.pth')['state_dict']['layer.bias'] > 90
    assert checkpoints(tmp_path / 'b') == ['best_score_epoch_3.pth', 'epoch_1.pth', 'epoch_2.pth', 'epoch_3.pth']
    assert (tmp_path / 'b/last_checkpoint').read_text() == str(tmp_path / 'b/epoch_3.pth')
    if place == 'copied':
        assert contents(tmp_path / 'a') == before


def test_numbers_in_a_checkpoint_lead_nowhere_else(tmp_path):
    train(tmp_path / 'a', epochs=2, **BEST)
    (tmp_path / 'precious.pth').write_bytes(b'of another')
    (tmp_path / 'a/epoch_..').mkdir()
    checkpoint = load(tmp_path / 'a/epoch_2.pth')
    checkpoint['message_hub']['runtime_info'] |= dict(
        best_ckpt=str(tmp_path / 'precious.pth'),
        last_ckpt=str(tmp_path / 'precious.pth'),
        keep_ckpt_ids=['../../precious', 1, 2],
        outdated_ckpts=['../precious.pth', str(tmp_path / 'precious.pth'), 'notes.txt', 'resnet50.pth'],
    )
    for name in ('notes.txt', 'resnet50.pth', 'precious.pth'):
        (tmp_path / 'a' / name).write_text('mine')
    torch.save(checkpoint, tmp_path / 'a/epoch_2.pth')
    train(tmp_path / 'a', '--resume', epochs=3, **BEST, **{'default_hooks.checkpoint.max_keep_ckpts': 1})
    assert (tmp_path / 'precious.pth').read_bytes() == b'of another'
    assert [(tmp_path / 'a' / name).read_text() for name in ('notes.txt', 'resnet50.pth', 'precious.pth')] == [
        'mine'
    ] * 3
    assert {'epoch_3.pth', 'best_score_epoch_3.pth'} <= set(checkpoints(tmp_path / 'a'))


def test_a_training_is_not_written_over_another(tmp_path, capsys):
    work_dir = tmp_path / 'a'
    train(work_dir, epochs=3, **BEST)
    (work_dir / 'notes.txt').write_text('mine')
    (work_dir / 'resnet50.pth').write_bytes(b'mine, too')
    before = contents(work_dir)
    with pytest.raises(SystemExit, match=r'error: .*a holds the checkpoints .*epoch_3.*--resume.*--overwrite'):
        train(work_dir, epochs=1, **BEST)
    assert contents(work_dir) == before
    train(work_dir, '--overwrite', epochs=1, **BEST)
    assert checkpoints(work_dir) == ['best_score_epoch_1.pth', 'epoch_1.pth', 'resnet50.pth']
    assert (work_dir / 'notes.txt').exists()
    last, best = work_dir / 'epoch_1.pth', work_dir / 'best_score_epoch_1.pth'
    assert capsys.readouterr().out.endswith(f'Done. The last checkpoint is {last}\nThe best one is {best}\n')


def test_to_resume_where_there_is_nothing_says_so_and_starts(tmp_path, capsys):
    train(tmp_path / 'a', '--resume', epochs=1)
    assert f'no checkpoint in {tmp_path / "a"}: training starts from the beginning' in capsys.readouterr().out
    assert checkpoints(tmp_path / 'a') == ['epoch_1.pth']


@pytest.mark.parametrize('mark', ['', 'nowhere/epoch_7.pth', None, '{whole}'])
def test_the_newest_whole_checkpoint_is_found(mark, tmp_path):
    train(tmp_path / 'a', epochs=3)
    config = toy_config(tmp_path / 'a')
    content = (tmp_path / 'a/epoch_3.pth').read_bytes()
    (tmp_path / 'a/epoch_3.pth').write_bytes(content[: len(content) // 2])
    if mark is None:
        (tmp_path / 'a/last_checkpoint').unlink()
    else:
        (tmp_path / 'a/last_checkpoint').write_text(mark.format(whole=tmp_path / 'a/epoch_1.pth'))
    name = 'epoch_1.pth' if mark == '{whole}' else 'epoch_2.pth'
    assert checkpoint_to_resume(config) == tmp_path / 'a' / name
    train(tmp_path / 'a', '--resume', epochs=3)
    assert load(tmp_path / 'a/epoch_3.pth')['meta']['epoch'] == 3, 'what was half is whole again'


def test_a_file_of_another_kind_is_passed_over(tmp_path, capsys):
    train(tmp_path / 'a', epochs=2)
    whole = load(tmp_path / 'a/epoch_2.pth')
    for content, message in (
        (torch.ones(2), 'has no state_dict and no optimizer and no message_hub and no meta'),
        ({**whole, 'optimizer': None}, 'has no optimizer'),
        ({**whole, 'meta': dict(epoch=2)}, 'has no meta.iter'),
    ):
        torch.save(content, tmp_path / 'a/epoch_2.pth')
        assert checkpoint_to_resume(toy_config(tmp_path / 'a')) == tmp_path / 'a/epoch_1.pth'
        assert f'Passed over: {tmp_path / "a/epoch_2.pth"} {message}' in capsys.readouterr().out


def test_where_nothing_is_whole_nothing_is_begun(tmp_path):
    train(tmp_path / 'a', epochs=1, **BEST)
    (tmp_path / 'a/epoch_1.pth').write_bytes(b'PK')
    before = contents(tmp_path / 'a')
    with pytest.raises(SystemExit, match=r'no checkpoint that training can go on from.*epoch_1\.pth.*--overwrite'):
        train(tmp_path / 'a', '--resume', epochs=2, **BEST)
    assert contents(tmp_path / 'a') == before
    (tmp_path / 'a/epoch_1.pth').unlink()
    with pytest.raises(SystemExit, match=r'best_score_epoch_1\.pth holds weights alone'):
        train(tmp_path / 'a', '--resume', epochs=2, **BEST)


@pytest.mark.parametrize(('moment', 'iteration'), [('before_val_epoch', 6), ('after_val_epoch', 6), ('after_train', 8)])
def test_what_a_kill_leaves_goes_at_the_next_start(moment, iteration, tmp_path):
    """The best weights improve until the third validation, and the training is stopped around it."""
    options = {**BEST, 'val_evaluator.scores': [1.0, 2.0, 3.0, 0.5], 'default_hooks.checkpoint.max_keep_ckpts': 2}
    whole = tmp_path / 'whole'
    train(whole, epochs=4, **options)
    assert checkpoints(whole) == ['best_score_epoch_3.pth', 'epoch_3.pth', 'epoch_4.pth']
    parts = tmp_path / 'parts'
    with pytest.raises(SystemExit):
        train(parts, epochs=4, custom_hooks=[dict(type='Stop', moment=moment, iteration=iteration)], **options)
    for leftover in ('epoch_9.pth.tmp', '.epoch_9.pth.123.part', '.last_checkpoint.7.part'):
        (parts / leftover).write_bytes(b'half')
    if moment == 'after_val_epoch':  # the file that the last checkpoint supersedes was not removed any more
        (parts / 'best_score_epoch_2.pth').write_bytes(b'old')
    train(parts, '--resume', epochs=4, **options)
    assert checkpoints(parts) == checkpoints(whole)
    assert not list(parts.glob('.*.part'))
    for name in checkpoints(whole):
        first, second = load(whole / name), load(parts / name)
        assert torch.equal(first['state_dict']['layer.weight'], second['state_dict']['layer.weight'])
        assert first['message_hub']['runtime_info']['best_score'] == second['message_hub']['runtime_info']['best_score']


def test_checkpoints_may_lie_in_another_folder(tmp_path):
    options = {'default_hooks.checkpoint.out_dir': str(tmp_path / 'out')}
    train(tmp_path / 'a', epochs=1, **options)
    assert checkpoint_files(toy_config(tmp_path / 'a', **options)) == [tmp_path / 'out/a/epoch_1.pth']
    with pytest.raises(SystemExit, match='holds the checkpoints of a training'):
        train(tmp_path / 'a', epochs=1, **options)
    train(tmp_path / 'a', '--resume', epochs=2, **options)
    assert checkpoints(tmp_path / 'out/a') == ['epoch_1.pth', 'epoch_2.pth']


def test_two_trainings_do_not_share_a_work_directory(tmp_path):
    with locked_folder(tmp_path / 'a'), pytest.raises(SystemExit, match='a is being written by another process'):
        train(tmp_path / 'a', epochs=1)
    assert not (tmp_path / 'a').exists()


def test_the_config_of_a_copied_work_directory_does_not_lead_back(tmp_path):
    train(tmp_path / 'a', epochs=1)
    shutil.copytree(tmp_path / 'a', tmp_path / 'b')
    config = tmp_path / 'b/a_config.py'
    assert Config.fromfile(config).work_dir == str(tmp_path / 'a')
    with pytest.raises(SystemExit, match=f'--work-dir {tmp_path / "b"} or --work-dir {tmp_path / "a"}'):
        run_tool('train.py', config, '--resume')


def test_a_file_that_cannot_be_written_is_named_and_the_checkpoint_before_stays(tmp_path):
    train(tmp_path / 'a', epochs=1)
    before = contents(tmp_path / 'a')
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))  # a file may not grow further, as on a full disk
    try:
        with pytest.raises(SystemExit, match=r'error: .*File too large.*epoch_2\.pth'):
            train(tmp_path / 'a', '--resume', epochs=2, log_level='CRITICAL')
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    after = contents(tmp_path / 'a')
    assert after['epoch_1.pth'] == before['epoch_1.pth'] and after['last_checkpoint'] == before['last_checkpoint']
    assert checkpoints(tmp_path / 'a') == ['epoch_1.pth'] and not list((tmp_path / 'a').glob('.*.part'))


def test_ctrl_c_waits_until_a_checkpoint_is_whole(tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        train(tmp_path / 'a', custom_hooks=[dict(type='PressCtrlC')])
    assert end.value.code == 130 and capsys.readouterr().err.startswith(
        '\nStopped. Checkpoints written so far are kept'
    )
    assert checkpoints(tmp_path / 'a') == ['epoch_1.pth']
    assert load(tmp_path / 'a/epoch_1.pth')['meta']['epoch'] == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    train(tmp_path / 'a', '--resume', epochs=2)


def test_training_goes_on_in_the_work_directory_and_not_from_where_it_began(tmp_path):
    """mmengine would go on from `load_from`, and lose what was trained since."""
    train(tmp_path / 'a', epochs=3)
    options = dict(load_from=str(tmp_path / 'a/epoch_3.pth'))
    train(tmp_path / 'b', epochs=1, **options)
    assert load(tmp_path / 'b/epoch_1.pth')['meta']['epoch'] == 1
    train(tmp_path / 'b', '--resume', epochs=2, **options)
    assert load(tmp_path / 'b/epoch_2.pth')['meta']['iter'] == 4
    assert Config.fromfile(next((tmp_path / 'b').glob('*.py'))).load_from == options['load_from']
    assert os.listdir(tmp_path / 'b')
