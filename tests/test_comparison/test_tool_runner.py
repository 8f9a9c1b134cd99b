import fcntl
import multiprocessing
import os
import signal
import sys
import time

import pytest

from mmseg_pfdiff.comparison.task_records import TaskRecords
from mmseg_pfdiff.comparison.tool_runner import OutOfTimeError, ToolRunner

SLOW = 'import os, sys, time; open(sys.argv[1], "w").write(str(os.getpid())); time.sleep(60)'


@pytest.fixture
def records(tmp_path):
    return TaskRecords(tmp_path / 'state')


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_what_a_failed_tool_printed_last_is_in_the_error(tmp_path, records):
    (tmp_path / 'tool.py').write_text('import sys; print("begun"); sys.exit(f"no {sys.argv[1]}")')
    with records.locked('task') as lock, pytest.raises(RuntimeError, match=r'tool.py failed; .*log ends with') as error:
        ToolRunner(tmp_path).run(['tool.py', 'luck'], records.log('task'), lock)
    assert str(error.value).endswith('begun\nno luck\n') or str(error.value).endswith('no luck\nbegun\n')
    assert records.log('task').read_text().startswith(f'$ {sys.executable} {tmp_path}/tool.py luck')


def test_how_far_a_tool_has_come_is_noted_from_time_to_time(tmp_path, records, monkeypatch):
    monkeypatch.setattr('mmseg_pfdiff.comparison.tool_runner.MINUTE', 0.1)
    (tmp_path / 'tool.py').write_text('import time; time.sleep(2)')
    notes = []
    with records.locked('task') as lock:
        ToolRunner(tmp_path).run(['tool.py'], records.log('task'), lock, note=lambda: notes.append(time.monotonic()))
    assert len(notes) >= 2


def test_at_the_deadline_the_tool_is_ended(tmp_path, records):
    (tmp_path / 'tool.py').write_text(SLOW)
    with records.locked('task') as lock, pytest.raises(OutOfTimeError):
        ToolRunner(tmp_path, max_hours=2 / 3600).run(['tool.py', str(tmp_path / 'pid')], records.log('task'), lock)
    assert not is_running(int((tmp_path / 'pid').read_text()))
    with records.locked('task') as lock:
        assert lock is not None


def test_a_tool_whose_comparison_was_killed_keeps_the_lock(tmp_path, records):
    (tmp_path / 'tool.py').write_text(SLOW)

    def run():
        with records.locked('task') as lock:
            ToolRunner(tmp_path).run(['tool.py', str(tmp_path / 'pid')], records.log('task'), lock)

    parent = multiprocessing.get_context('fork').Process(target=run)
    parent.start()
    wait_for(lambda: (tmp_path / 'pid').exists() and (tmp_path / 'pid').read_text())
    parent.kill()
    parent.join()
    pid = int((tmp_path / 'pid').read_text())
    assert is_running(pid)
    with records.locked('task') as lock:
        assert lock is None
    os.killpg(pid, signal.SIGKILL)

    def is_free():
        with records.locked('task') as lock:
            return lock is not None

    wait_for(is_free)


def test_records_of_a_task(records):
    assert records.mark('runs/a') is None and records.begun('runs/a') is None
    with records.locked('runs/a') as lock:
        with pytest.raises(BlockingIOError), open(records.folder / 'runs/a.lock') as other:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert lock is not None
    records.set_begun('runs/a', dict(seconds=2.5))
    records.set_mark('runs/a', dict(seconds=4))
    assert records.begun('runs/a') == dict(seconds=2.5) and records.mark('runs/a') == dict(seconds=4)
