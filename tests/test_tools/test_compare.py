"""A comparison by its command line, with networks as small as they get."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader

from mmseg_pfdiff.pairs.folder import PairFolder

from ..comparing import compare, write_plan
from ..forked import kill, start
from ..running import ROOT, run_tool

RUN = 'runs/demo/unet_r18/pf-diffseg/x1/seed0'
TESTED = 'tests/demo/unet_r18/pf-diffseg/seed0'


def compare_to_end(root, plan, processes=1):
    """Works a comparison off, in one or more processes; what each of them said."""
    logs = [root / f'{n}.log' for n in range(processes)]
    started = [start(log, compare, root / plan, root / 'work') for log in logs]
    for process in started:
        process.join()
    said = [log.read_text(errors='replace') for log in logs]
    assert not any(process.exitcode for process in started), said
    return said


@pytest.fixture(scope='module')
def shared(demo_data, tmp_path_factory):
    """A comparison that two processes have done together, and what each of them said."""
    root = tmp_path_factory.mktemp('comparison')
    write_plan(root / 'small.py', demo_data)
    return root, compare_to_end(root, 'small.py', 2)


@pytest.fixture(scope='module')
def finished(shared):
    return shared[0]


def tables(work_dir):
    found = json.loads((work_dir / 'report/report.json').read_text())['tables']
    found.pop('Generation (Table 5)')  # seconds
    return found


def test_the_report_holds_what_the_tests_found(finished):
    found = tables(finished / 'work')
    rows = found['Scores on the test micrographs (Table 3)']
    assert [(row['method'], row['ratio']) for row in rows] == [('real', '0'), ('pf-diffseg', '1')]
    assert [row['paper: mean IoU %'] for row in rows] == ['66.18', '69.17']
    for row in rows:
        report = finished / f'work/tests/demo/unet_r18/{row["method"]}/seed0/x{row["ratio"]}/test.json'
        total = next(one for one in json.loads(report.read_text()) if one['micrograph'] == 'all')
        assert row['mean IoU %'] == f'{total["mIoU"]:.2f}' and row['accuracy %'] == f'{total["aAcc"]:.2f}'
    numbers = json.loads((finished / 'work/report/report.json').read_text())
    assert [f'{entry["mean IoU"][0]:.2f}' for entry in numbers['entries']] == [row['mean IoU %'] for row in rows]
    assert [(one['method'], one['ratio']) for one in numbers['validation']] == [('real', 0), ('pf-diffseg', 1)]
    [difference] = found['Paired differences of methods, points, with 95 % interval']
    assert (difference['method'], difference['against']) == ('pf-diffseg', 'real')
    page = (finished / 'work/report/index.html').read_text()
    assert page.count('src="data:image/png') == 2 and 'http' not in page
    assert '| unet_r18 | pf-diffseg | 1 |' in (finished / 'work/report/report.md').read_text()
    assert not list((finished / 'work/runs').glob('**/epoch_*.pth'))
    assert {row.group for row in PairFolder(finished / 'work/pairs/demo/pf-diffseg').rows()} == {'all'}
    pairs = json.loads((finished / 'work/state/pairs/demo/pf-diffseg.done.json').read_text())
    assert pairs['pairs'] >= pairs['kept'] >= 42
    state = json.loads((finished / f'work/state/{RUN}.done.json').read_text())
    assert state['versions']['mmseg_pfdiff'] and state['versions']['torch'] and state['about']['seed'] == 0


def test_two_processes_share_the_tasks(shared):
    said = shared[1]
    done = re.findall(r'^\[\d/6\] (\S+): \d+ s$', '\n'.join(said), re.MULTILINE)
    assert all(re.search(r'^\[\d/6\] \S+: \d+ s$', text, re.MULTILINE) for text in said)
    names = {'generators/demo/small', 'pairs/demo/pf-diffseg', RUN, TESTED}
    assert sorted(done) == sorted(names | {'runs/demo/unet_r18/real/x0/seed0', 'tests/demo/unet_r18/real/seed0'})


def wait_for(condition, is_running):
    while not condition():
        assert is_running(), 'the comparison ended before it could be stopped'
        time.sleep(0.02)


def test_stopped_and_killed_in_a_run_it_ends_with_the_same_tables(finished, capsys):
    work = finished / 'work'
    before = tables(work)
    for name in (RUN, TESTED):
        (work / f'state/{name}.done.json').unlink()
    for name in (RUN, TESTED, 'report', f'state/{RUN}'):
        shutil.rmtree(work / name)
    log = work / f'state/{RUN}.log'
    log.unlink()

    command = [sys.executable, str(ROOT / 'tools/compare.py'), str(finished / 'small.py'), '--work-dir', str(work)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    wait_for(log.exists, lambda: process.poll() is None)
    process.send_signal(signal.SIGTERM)
    assert 'Stopped; the same command goes on' in process.communicate()[0]
    assert not (work / f'state/{RUN}.done.json').exists()

    process = start(finished / 'killed.log', compare, finished / 'small.py', work)
    wait_for((work / RUN / 'epoch_1.pth').exists, process.is_alive)
    kill(process)
    assert not (work / f'state/{RUN}.done.json').exists()

    run_tool('compare.py', finished / 'small.py', '--work-dir', work, '--dry-run')
    told = capsys.readouterr().out
    assert '4 of 6 tasks are done' in told and f'to do {RUN} (2 epochs):' in told
    compare_to_end(finished, 'small.py')
    logs = ' '.join(path.read_text() for path in (work / RUN).glob('*/*.log'))
    assert re.search('resumed epoch: [12]', logs)  # of 2, the second where the kill came late
    assert tables(work) == before


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
    told = capsys.readouterr().out
    # The ratio is chosen over all seeds, so the tests wait for the new ones.
    assert '4 of 10 tasks are done' in told and f'to do {TESTED}: ' in told


def test_what_was_made_from_another_training_is_not_taken_as_done(finished, moved):
    (moved / 'state/generators/demo/small.done.json').unlink()
    with pytest.raises(SystemExit, match='pairs/demo/pf-diffseg was made from other generators/demo/small') as error:
        run_tool('compare.py', finished / 'small.py', '--work-dir', moved, '--dry-run')
    advice = str(error.value).partition('rm -rf ')[2]
    assert all(f'{moved}/state/{name}.*' in advice for name in ('pairs/demo/pf-diffseg', RUN, TESTED))
    assert 'real' not in advice


def test_another_plan_in_the_same_folder_is_refused(finished, demo_data, tmp_path):
    for fields in (dict(epochs=3), dict(budget='epochs'), dict(methods={'pf-diffseg': dict(generator='small')})):
        plan = write_plan(tmp_path / 'other.py', demo_data, **fields)
        with pytest.raises(SystemExit, match='is of another plan than this one'):
            run_tool('compare.py', plan, '--work-dir', finished / 'work')


def test_pairs_that_are_not_kept_end_it_with_advice(finished, demo_data, capsys):
    none = dict(generator='small', arguments=['--max-moved', '0'])
    strict = write_plan(finished / 'strict.py', demo_data, methods={'strict': none})
    run_tool('compare.py', strict, '--work-dir', finished / 'work', '--max-hours', '1e-6')
    assert 'Stopped; the same command goes on' in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r'pairs/demo/strict: only \d+ of \d+ pairs are kept, 42 are needed; guide'):
        run_tool('compare.py', strict, '--work-dir', finished / 'work')


METHOD = dict(generator='small', arguments=['--max-moved', '1', '--max-invented', '1'])
EVERY_TILE = {'fraction_sampler.groups': [dict(name='all', share=1)]}


def test_a_plan_grows_by_a_ratio(finished, demo_data):
    work = finished / 'work'
    kept_marks = [f'state/{RUN}.done.json', 'state/generators/demo/small.done.json']
    before = [(work / name).read_bytes() for name in kept_marks]
    stamp = json.loads((work / 'state/pairs/demo/pf-diffseg.done.json').read_text())['stamp']
    methods = {'pf-diffseg': dict(**METHOD, options=EVERY_TILE, ratios=[1, 2], paper='PF-DiffSeg')}
    write_plan(finished / 'more.py', demo_data, methods=methods)
    compare_to_end(finished, 'more.py')
    ratios = tables(work)['Mean IoU on the validation part by ratio (Fig. 9)']
    assert ratios[1]['x1'] and ratios[1]['x2']
    # More pairs leave the first ones, and what was trained on them, as they were.
    assert [(work / name).read_bytes() for name in kept_marks] == before
    pairs = json.loads((work / 'state/pairs/demo/pf-diffseg.done.json').read_text())
    assert pairs['stamp'] == stamp and pairs['kept'] >= 84


def test_a_plan_grows_by_a_method_that_drops_what_the_network_of_real_tiles_contradicts(finished, demo_data):
    work = finished / 'work'
    # A network that sees matrix everywhere: how many pairs it contradicts follows from their fractions alone.
    [weights] = (work / 'runs/demo/unet_r18/real/x0/seed0').glob('best_*.pth')
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
    found = tables(work)
    assert [row['method'] for row in found['Scores on the test micrographs (Table 3)']] == ['real', *methods]
    rows = PairFolder(work / 'pairs/demo/filtered').rows()
    limit = json.loads((work / 'pairs/demo/filtered/check.json').read_text())['limits']['mean_iou']
    assert all(row.kept == (row.measures['agreement'] >= limit) for row in rows)
    assert 42 <= sum(row.kept for row in rows) < len(rows)
    assert '--filter mark' in (work / 'state/pairs/demo/filtered.log').read_text()
    log = next((work / 'runs/demo/unet_r18/filtered/x1/seed0').glob('*/*.log')).read_text()
    assert "type='RealFinishSampler'" in log
