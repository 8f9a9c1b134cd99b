"""A comparison by its command line, with networks as small as they get."""

import json
import os
import re
import shutil
import signal
import time

import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader

from mmseg_pfdiff.comparison.choice import best_ratio
from mmseg_pfdiff.pairs.folder import PairFolder

from ..comparing import compare, do_task, write_plan
from ..forked import kill, start
from ..running import run_tool

REAL = 'runs/demo/unet_r18/real/x0/seed0'
RUN = 'runs/demo/unet_r18/pf-diffseg/x1/seed0'
TESTED = 'tests/demo/unet_r18/pf-diffseg/seed0'


def command(root):
    """What a user types, for two jobs at a time."""
    return ['compare.py', str(root / 'small.py'), '--work-dir', str(root / 'work'), '--cores', '2']


@pytest.fixture(scope='module')
def finished(demo_data, tmp_path_factory):
    """The folder of a comparison that is done."""
    root = tmp_path_factory.mktemp('comparison')
    write_plan(root / 'small.py', demo_data)
    compare_to_end(root, 'small.py')
    return root


def do_to_end(log, function, *arguments):
    """Does something in a process that has imported everything."""
    process = start(log, function, *arguments)
    process.join()
    assert not process.exitcode, log.read_text(errors='replace')


def compare_to_end(root, plan):
    """Works a comparison off."""
    do_to_end(root / 'compare.log', compare, root / plan, root / 'work')


def tables(work_dir):
    content = json.loads((work_dir / 'report/report.json').read_text())['tables']
    content.pop('Generation (Table 5)')  # seconds
    return content


def record(work_dir, name):
    return json.loads((work_dir / 'state' / name / 'record.json').read_text())


def test_the_report_holds_what_the_tests_measured(finished):
    content = tables(finished / 'work')
    rows = content['Scores on the test micrographs (Table 3)']
    assert [(row['method'], row['ratio']) for row in rows] == [('real', '0'), ('pf-diffseg', '1')]
    assert [row['paper: mean IoU %'] for row in rows] == ['66.18', '69.17']
    for row in rows:
        report = finished / f'work/tests/demo/unet_r18/{row["method"]}/seed0/x{row["ratio"]}/test.json'
        total = next(entry for entry in json.loads(report.read_text()) if entry['micrograph'] == 'all')
        assert row['mean IoU %'] == f'{total["mIoU"]:.2f}' and row['accuracy %'] == f'{total["aAcc"]:.2f}'
    numbers = json.loads((finished / 'work/report/report.json').read_text())
    assert [f'{entry["mean IoU"][0]:.2f}' for entry in numbers['entries']] == [row['mean IoU %'] for row in rows]
    assert [(entry['method'], entry['ratio']) for entry in numbers['validation']] == [('real', 0), ('pf-diffseg', 1)]
    [difference] = content['Paired differences of methods, points, with 95 % interval']
    assert (difference['method'], difference['against']) == ('pf-diffseg', 'real')
    page = (finished / 'work/report/index.html').read_text()
    assert page.count('src="data:image/png') == 2 and 'http' not in page
    assert '| unet_r18 | pf-diffseg | 1 |' in re.sub(' +', ' ', (finished / 'work/report/report.md').read_text())
    assert not list((finished / 'work/runs').glob('**/epoch_*.pth'))
    assert {row.group for row in PairFolder(finished / 'work/pairs/demo/pf-diffseg').rows()} == {'all'}
    pairs = record(finished / 'work', 'pairs/demo/pf-diffseg')
    assert pairs['pairs'] >= pairs['kept'] >= 42
    run = record(finished / 'work', RUN)
    assert run['versions']['mmseg_pfdiff'] and run['versions']['torch'] and run['case']['seed'] == 0
    chosen = json.loads((finished / 'work/marks/choices/demo/unet_r18/pf-diffseg.json').read_text())
    assert chosen['ratio'] == best_ratio({1: chosen['validation']['1']}) == 1


def wait_for(condition, is_running):
    while not condition():
        assert is_running(), 'the comparison ended before it could be stopped'
        time.sleep(0.02)


def test_stopped_and_killed_in_a_run_snakemake_ends_with_the_same_tables(finished, capfd):
    work = finished / 'work'
    before = tables(work)
    for name in (RUN, TESTED, 'report'):
        shutil.rmtree(work / name)
        shutil.rmtree(work / 'state' / name, ignore_errors=True)

    process = start(finished / 'stopped.log', run_tool, *command(finished))
    wait_for((work / f'state/{RUN}/record.json').exists, process.is_alive)
    os.kill(process.pid, signal.SIGTERM)
    process.join()
    assert 'the same command goes on' in (finished / 'stopped.log').read_text()
    assert 'made' not in record(work, RUN)

    process = start(finished / 'killed.log', do_task, work / 'state/tasks.json', RUN)
    wait_for((work / RUN / 'epoch_1.pth').exists, process.is_alive)
    kill(process)
    assert 'made' not in record(work, RUN)

    run_tool('compare.py', finished / 'small.py', '--work-dir', work, '--dry-run')
    said = capfd.readouterr().out
    assert '4 of 6 tasks are done' in said and f'to do {RUN} (2 epochs):' in said
    do_to_end(finished / 'resumed.log', do_task, work / 'state/tasks.json', RUN)
    run_tool(*command(finished))
    assert f'The report is {work}/report/index.html' in capfd.readouterr().out
    logs = ' '.join(path.read_text() for path in (work / RUN).glob('*/*.log'))
    assert re.search('resumed epoch: [12]', logs)  # of 2, the second where the kill came late
    assert tables(work) == before


def test_a_further_call_does_nothing(finished, capfd):
    work = finished / 'work'
    before = {path: path.stat().st_mtime_ns for path in (work / 'state').glob('**/record.json')}
    run_tool(*command(finished))
    said = capfd.readouterr()
    assert '6 of 6 tasks are done' in said.out and 'Nothing to be done' in said.out + said.err
    assert {path: path.stat().st_mtime_ns for path in (work / 'state').glob('**/record.json')} == before


@pytest.fixture
def moved(finished, tmp_path):
    """The records of the finished comparison, elsewhere."""
    shutil.copytree(finished / 'work/state', tmp_path / 'moved/state')
    return tmp_path / 'moved'


def test_a_folder_that_was_moved_and_a_plan_that_grew(finished, moved, demo_data, tmp_path, capsys):
    run_tool('compare.py', finished / 'small.py', '--work-dir', moved, '--dry-run')
    assert '6 of 6 tasks are done; about 0 s left.' in capsys.readouterr().out
    more = write_plan(tmp_path / 'more.py', demo_data, seeds=[0, 1])
    run_tool('compare.py', more, '--work-dir', moved, '--dry-run')
    said = capsys.readouterr().out
    # The ratio is chosen over all seeds, so the tests wait for the new ones.
    assert '4 of 10 tasks are done' in said and f'to do {TESTED}: ' in said


def test_results_of_another_training_are_not_taken_as_done(finished, moved):
    path = moved / 'state/generators/demo/small/record.json'
    path.write_text(json.dumps(dict(json.loads(path.read_text()), made='another')))
    with pytest.raises(SystemExit, match='pairs/demo/pf-diffseg was made with other generators/demo/small') as error:
        run_tool('compare.py', finished / 'small.py', '--work-dir', moved, '--dry-run')
    advice = str(error.value).partition('rm -rf ')[2]
    assert all(f'{moved}/state/{name}' in advice for name in ('pairs/demo/pf-diffseg', RUN, TESTED))
    assert '/real/' not in advice


def test_another_plan_in_the_same_folder_is_refused(finished, demo_data, tmp_path):
    for fields in (dict(epochs=3), dict(budget='epochs'), dict(methods={'pf-diffseg': dict(generator='small')})):
        plan = write_plan(tmp_path / 'other.py', demo_data, **fields)
        with pytest.raises(SystemExit, match='was made with other settings or data'):
            run_tool('compare.py', plan, '--work-dir', finished / 'work')


METHOD = dict(generator='small', arguments=['--max-moved', '1', '--max-invented', '1'])
EVERY_TILE = {'fraction_sampler.groups': [dict(name='all', share=1)]}


def test_a_plan_grows_by_a_ratio(finished, demo_data):
    work = finished / 'work'
    kept = [RUN, 'generators/demo/small']
    before = [record(work, name) for name in kept]
    made = record(work, 'pairs/demo/pf-diffseg')['made']
    methods = {'pf-diffseg': dict(**METHOD, options=EVERY_TILE, ratios=[1, 2], paper='PF-DiffSeg')}
    write_plan(finished / 'more.py', demo_data, methods=methods)
    compare_to_end(finished, 'more.py')
    ratios = tables(work)['Mean IoU on the validation part by ratio (Fig. 9)']
    assert ratios[1]['x1'] and ratios[1]['x2']
    # More pairs leave the first ones, and what was trained on them, as they were.
    assert [record(work, name) for name in kept] == before
    pairs = record(work, 'pairs/demo/pf-diffseg')
    assert pairs['made'] == made and pairs['kept'] >= 84


def test_a_plan_grows_by_a_method_that_drops_pairs_that_the_network_of_real_tiles_contradicts(finished, demo_data):
    work = finished / 'work'
    # A network that sees matrix everywhere: how many pairs it contradicts follows from their fractions alone.
    [weights] = (work / REAL).glob('best_*.pth')
    checkpoint = CheckpointLoader.load_checkpoint(str(weights))
    for name in ('weight', 'bias'):
        checkpoint['state_dict'][f'decode_head.conv_seg.{name}'].zero_()
    torch.save(checkpoint, weights)
    methods = {
        'pf-diffseg': dict(**METHOD, options=EVERY_TILE, paper='PF-DiffSeg'),
        'filtered': dict(**METHOD, drop_disagreeing=True, real_finish=1),
    }
    write_plan(finished / 'filtered.py', demo_data, methods=methods)
    compare_to_end(finished, 'filtered.py')
    content = tables(work)
    assert [row['method'] for row in content['Scores on the test micrographs (Table 3)']] == ['real', *methods]
    rows = PairFolder(work / 'pairs/demo/filtered').rows()
    limit = json.loads((work / 'pairs/demo/filtered/check.json').read_text())['limits']['mean_iou']
    assert all(row.kept == (row.measures['agreement'] >= limit) for row in rows)
    assert 42 <= sum(row.kept for row in rows) < len(rows)
    log = next((work / 'runs/demo/unet_r18/filtered/x1/seed0').glob('*/*.log')).read_text()
    assert "type='MixSampler'" in log
