"""The lock of a folder, between processes."""

import os
import subprocess
import sys

import pytest

from mmseg_pfdiff.folder_lock import FolderInUseError, lock_path, locked_folder

HOLD = """
import sys
from mmseg_pfdiff.folder_lock import locked_folder
with locked_folder(sys.argv[1]):
    print('held', flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of `out`, until its standard input ends or it is killed."""
    command = [sys.executable, '-c', HOLD, str(tmp_path / 'out')]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while (line := process.stdout.readline()) != 'held\n':  # what libraries print comes first
        assert line, 'the process ended'
    yield process
    process.kill()
    process.communicate()


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
    holder.wait()
    with locked_folder(tmp_path / 'out'):
        assert f'process {os.getpid()} on ' in lock_path(tmp_path / 'out').read_text()
    with locked_folder(tmp_path / 'out'):
        pass
