import json
import subprocess
import sys

import pytest

from mmseg_pfdiff.comparison.plan_file import read_plan
from mmseg_pfdiff.comparison.scheduling import BEGIN, UNKNOWN, run_snakemake, snakemake_command, sync_marks, write_tasks
from mmseg_pfdiff.comparison.workbench import Workbench

from ..comparing import write_plan
from ..running import ROOT

# A job that takes a moment to end once it is asked to, and a Snakemake that dies while it runs.
JOB = """
import sys, time
try:
    open(sys.argv[1] + '/begun', 'w').close()
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(0.3)
    open(sys.argv[1] + '/checkpoint', 'w').close()
"""
DYING = """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, '-c', sys.argv[1], sys.argv[2]])
while not os.path.exists(sys.argv[2] + '/begun'):
    time.sleep(0.01)
os.kill(os.getpid(), 9)
"""
RUN = 'runs/demo/unet_r18/pf-diffseg/x1/seed0'


@pytest.fixture
def bench(plan_file, tmp_path):
    return Workbench(read_plan(plan_file), tmp_path / 'work')


def set_done(bench, task, **record):
    made_from = {name: bench.records.made(name) for name in task.needs}
    bench.records.write(task.name, dict(made_with=bench.made_with(task), made_from=made_from, seconds=8.0, **record))


def test_the_file_of_tasks(bench, plan_file):
    content = json.loads(write_tasks(bench, ROOT / 'tools').read_text())
    assert list(content['tasks']) == [task.name for task in bench.tasks]
    run, test = content['tasks'][RUN], content['tasks']['tests/demo/unet_r18/pf-diffseg/seed0']
    assert run['needs'] == ['pairs/demo/pf-diffseg'] and run['threads'] == 1
    assert run['minutes'] == UNKNOWN, 'nothing is known of the time it takes'
    assert run['commands'][0][0] == 'train.py' and run['commands'][0][-1] == '--resume'
    assert test['needs'] == ['choices/demo/unet_r18/pf-diffseg'] and 'x{ratio}' in test['commands'][0][2]
    [real] = [task for task in bench.tasks if task.name == 'runs/demo/unet_r18/real/x0/seed0']
    set_done(bench, real, made='a', validation=50.0, ratio=0, weights='best.pth')
    content = json.loads(write_tasks(bench, ROOT / 'tools').read_text())
    assert content['tasks'][RUN]['minutes'] == 1 + BEGIN, 'as long as the one on real tiles took'


def test_marks_stand_for_what_is_done_as_the_plan_has_it(bench, demo_data, tmp_path):
    tasks = {task.name: task for task in bench.tasks}
    real = 'runs/demo/unet_r18/real/x0/seed0'
    set_done(bench, tasks[real], made='a', validation=50.0, ratio=0)
    set_done(bench, tasks[RUN])  # begun
    bench.records.set_mark(RUN, {})
    sync_marks(bench)
    marks = {path.relative_to(bench.work_dir / 'marks').as_posix() for path in bench.work_dir.glob('marks/**/*.json')}
    assert marks == {f'{real}.json', 'choices/demo/unet_r18/real.json'}
    assert json.loads(bench.records.mark('choices/demo/unet_r18/real').read_text())['ratio'] == 0
    assert json.loads(bench.records.mark(real).read_text()) == dict(made='a', ratio=0, validation=50.0)
    more = Workbench(read_plan(write_plan(tmp_path / 'more.py', demo_data, seeds=[0, 1])), bench.work_dir)
    sync_marks(more)
    assert more.records.mark(real).exists() and not more.records.mark('choices/demo/unet_r18/real').exists()


def test_a_test_of_a_training_that_was_done_anew_is_done_anew(bench):
    tasks = {task.name: task for task in bench.tasks}
    run, test = tasks['runs/demo/unet_r18/real/x0/seed0'], tasks['tests/demo/unet_r18/real/seed0']
    set_done(bench, run, made='a', validation=50.0, ratio=0)
    record = dict(made_with=bench.made_with(test), made_from={run.name: 'a'}, seconds=1.0, made='t')
    bench.records.write(f'{test.name}/x0', record)
    assert bench.done(test)
    set_done(bench, run, made='b', validation=50.0, ratio=0)
    assert not bench.done(test)


@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        ([], ['--profile', 'cpu']),
        (['-n'], ['--profile', 'cpu']),
        (['--cores', '2'], None),
        (['--cores=2'], None),
        (['--executor', 'slurm', '--jobs', '3'], None),
        (['--profile', 'slurm'], ['--profile', 'slurm']),
        (['--profile', 'mine'], None),
    ],
)
def test_the_command(options, expected, tmp_path):
    command = snakemake_command(tmp_path / 'tasks.json', tmp_path, options)
    profiles = ROOT / 'mmseg_pfdiff/comparison/profiles'
    if expected is None:
        assert command[-len(options) :] == options and str(profiles) not in ' '.join(options)
    else:
        where = command.index('--profile')
        assert command[where + 1] == str(profiles / expected[1]) and (profiles / expected[1] / 'config.yaml').exists()
        assert command.count('--profile') == 1


@pytest.mark.parametrize(
    ('options', 'resources'),
    [
        (['--profile=gpus'], ['gpu=2']),
        (['--profile', 'gpus', '--resources', 'mem_mb=4'], ['gpu=2', 'mem_mb=4']),
        (['--profile', 'gpus', '--resources', 'gpu=1'], ['gpu=1']),
    ],
)
def test_gpus_are_told_beside_other_resources(options, resources, tmp_path, monkeypatch):
    monkeypatch.setattr('mmseg_pfdiff.comparison.scheduling.gpus', lambda: ['0', '1'])
    command = snakemake_command(tmp_path / 'tasks.json', tmp_path, options)
    assert command.count('--resources') == command.count('--profile') == 1
    assert command[command.index('--resources') + 1 :][: len(resources)] == resources


def test_snakemake_finds_a_rule_for_every_task(bench):
    tasks = write_tasks(bench, ROOT / 'tools')
    command = snakemake_command(tasks, bench.work_dir, ['--cores', '2', '--dry-run', '--printshellcmds'])
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    commands = [line.split() for line in (listed.stdout + listed.stderr).splitlines() if '-m mmseg_pfdiff' in line]
    in_order = [words[words.index(str(tasks)) + 1] for words in commands]
    jobs = [task for task in bench.tasks if task.kind != 'choice']
    assert sorted(in_order) == sorted(task.name for task in jobs)
    for task in jobs:
        assert all(in_order.index(name) < in_order.index(task.name) for name in task.needs if name in in_order)
    assert 'marks/choices/demo/unet_r18/pf-diffseg.json' in listed.stdout + listed.stderr


def test_jobs_of_a_snakemake_that_died_may_write_their_checkpoints(tmp_path):
    with pytest.raises(RuntimeError, match='Not all tasks were done'):
        run_snakemake([sys.executable, '-c', DYING, JOB, str(tmp_path)])
    assert (tmp_path / 'checkpoint').exists()
