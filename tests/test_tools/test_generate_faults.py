"""Runs of generate_pairs.py that meet another process, another description, or Ctrl-C."""

import _thread
import threading
import time
from multiprocessing import get_context

import pytest

from mmseg_pfdiff.folder_lock import locked_folder
from mmseg_pfdiff.pairs.folder import PairFolder

from ..running import run_tool


@pytest.fixture
def command(random_generators, tmp_path):
    config, checkpoint, *_ = random_generators
    limits = ('--max-moved', 1, '--max-invented', 1, '--steps', 1)
    return ['generate_pairs.py', config, checkpoint, '--out', tmp_path / 'pairs', *limits, '--batch-size', 2]


def contents(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob('*') if path.is_file()}


def test_a_second_run_is_told_who_writes_and_changes_nothing(command, tmp_path):
    run_tool(*command, '--num', 2)
    before = contents(tmp_path / 'pairs')
    with locked_folder(tmp_path / 'pairs'):
        for flags in (['--num', 4], ['--num', 2, '--seed', 1]):
            with pytest.raises(SystemExit, match=r'pairs is being written by another process'):
                run_tool(*command, *flags)
    assert contents(tmp_path / 'pairs') == before


def generate_when_told(start, command):
    start.wait()
    run_tool(*command)


def test_of_two_runs_that_start_together_one_writes_and_the_other_ends(command, tmp_path):
    start = get_context('fork').Barrier(2)
    runs = [
        get_context('fork').Process(target=generate_when_told, args=(start, [*command, '--num', 40, '--seed', seed]))
        for seed in (0, 1)
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert sorted(run.exitcode for run in runs) == [0, 1]
    folder = PairFolder(tmp_path / 'pairs')
    seed = [run.exitcode for run in runs].index(0)
    assert folder.description['seed'] == seed and [row.seed for row in folder.rows()] == [seed] * 40


def test_another_seed_does_not_take_over_what_a_killed_run_left(command, tmp_path):
    """Killed after the files of its first pair, and before its row."""
    run_tool(*command, '--num', 1)
    (tmp_path / 'pairs/pairs.csv').unlink()
    with pytest.raises(SystemExit, match='holds pairs made by other settings: seed is 0 there and 1 here'):
        run_tool(*command, '--num', 1, '--seed', 1)
    assert PairFolder(tmp_path / 'pairs').description['seed'] == 0
    run_tool(*command, '--num', 1)
    assert [row.seed for row in PairFolder(tmp_path / 'pairs').rows()] == [0]


def test_ctrl_c_keeps_what_was_written_and_the_same_command_goes_on(command, tmp_path, capsys):
    folder = tmp_path / 'pairs'

    def interrupt():
        while not (folder / 'pair_folder.json').exists() or len(PairFolder(folder).rows()) < 3:
            time.sleep(0.001)
        _thread.interrupt_main()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(SystemExit) as end:
        run_tool(*command, '--num', 400)
    thread.join()
    assert end.value.code == 130
    assert 'Stopped. Pairs written so far are kept; the same command goes on.' in capsys.readouterr().err
    kept = PairFolder(folder).rows()
    assert 3 <= len(kept) < 400
    before = {row.index: PairFolder(folder).image_path(row.index).stat().st_mtime_ns for row in kept}
    run_tool(*command, '--num', len(kept) + 2)
    assert all(PairFolder(folder).image_path(index).stat().st_mtime_ns == time for index, time in before.items())
    assert [row.index for row in PairFolder(folder).rows()] == list(range(len(kept) + 2))


def test_a_table_that_lost_its_measures_is_summed_up_without_them(command, tmp_path, capsys):
    run_tool(*command, '--num', 2)
    assert 'Pixels moved:' in capsys.readouterr().out
    folder = PairFolder(tmp_path / 'pairs')
    folder.replace_rows([row._replace(measures={}) for row in folder.rows()])
    run_tool(*command, '--num', 2)
    assert 'Pixels moved:' not in (told := capsys.readouterr().out) and 'pairs holds 2 pairs of 32x32' in told
