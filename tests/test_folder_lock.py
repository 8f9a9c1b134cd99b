"""The lock of a folder, between processes."""

import multiprocessing
import os

import pytest

from mmseg_pfdiff.folder_lock import FolderInUseError, lock_path, locked_folder


def hold(folder, held):
    with locked_folder(folder):
        held.set()
        multiprocessing.Event().wait()


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of `out`, until it is killed."""
    context = multiprocessing.get_context('fork')
    held = context.Event()
    process = context.Process(target=hold, args=(tmp_path / 'out', held))
    process.start()
    assert held.wait(60)
    yield process
    process.kill()
    process.join()


def test_the_second_process_is_told_who_writes(holder, tmp_path):
    (tmp_path / 'link').symlink_to('out')
    for path in (tmp_path / 'out', tmp_path / 'link', tmp_path / 'other/../out'):
        told = rf'is being written by another process \(process {holder.pid} on '
        with pytest.raises(FolderInUseError, match=told), locked_folder(path):
            pytest.fail('two processes hold the lock')
    with locked_folder(tmp_path / 'out', leader=False), locked_folder(tmp_path / 'other'):
        pass
    assert not (tmp_path / 'out').exists()


def test_a_killed_process_lets_go(holder, tmp_path):
    holder.kill()
    holder.join()
    with locked_folder(tmp_path / 'out'):
        assert f'process {os.getpid()} on ' in lock_path(tmp_path / 'out').read_text()
    with locked_folder(tmp_path / 'out'):
        pass


def test_a_place_that_cannot_be_written_is_no_lock_of_another_process(tmp_path):
    for place, told in (
        ('/proc/pairs', 'so that /proc/pairs cannot be written: its lock lies beside it'),
        ('/dev/null/pairs', '^/dev/null is a file, where a folder is needed: remove it, or give another folder'),
        (f'/tmp/{"x" * 251}', r'its lock lies beside it \(give a shorter name\)'),
    ):
        with pytest.raises(OSError, match=told) as error, locked_folder(place):
            pytest.fail('locked')
        assert not isinstance(error.value, FolderInUseError)


def test_links_that_lead_nowhere_or_to_themselves_are_named(tmp_path):
    for name, target, told in (
        ('loop', 'loop', "A link that leads to itself: remove it, or give another path: '.*loop'"),
        ('broken', 'unplugged', 'broken is a link that leads nowhere: remove it'),
    ):
        (tmp_path / name).symlink_to(target)
        with pytest.raises(OSError, match=told), locked_folder(tmp_path / name):
            pytest.fail('locked')
