"""A comparison by its command line, with networks as small as they get."""

import json
import shutil
import signal
import subprocess
import sys
import time

import pytest

from mmseg_pfdiff.datasets import PairFolder

from ..running import ROOT, run_tool
from ..test_comparison.conftest import write_plan

RUN = 'runs/demo/unet_r18/pf-diffseg/x1/seed0'


@pytest.fixture(scope='module')
def finished(demo_data, tmp_path_factory):
    root = tmp_path_factory.mktemp('comparison')
    run_tool('compare.py', write_plan(root / 'small.py', demo_data), '--work-dir', root / 'work')
    return root


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
        report = finished / f'work/tests/demo/unet_r18/{row["method"]}/seed0/test.json'
        total = next(one for one in json.loads(report.read_text()) if one['micrograph'] == 'all')
        assert row['mean IoU %'] == f'{total["mIoU"]:.2f}' and row['accuracy %'] == f'{total["aAcc"]:.2f}'
    page = (finished / 'work/report/index.html').read_text()
    assert page.count('src="data:image/png') == 2 and 'http' not in page
    assert '| unet_r18 | pf-diffseg | 1 |' in (finished / 'work/report/report.md').read_text()
    assert not list((finished / 'work/runs').glob('**/epoch_*.pth'))
    assert {row.group for row in PairFolder(finished / 'work/pairs/demo/pf-diffseg').rows()} == {'all'}
    pairs = json.loads((finished / 'work/state/pairs/demo/pf-diffseg.done.json').read_text())
    assert pairs['pairs'] >= pairs['kept'] >= 42
    state = json.loads((finished / f'work/state/{RUN}.done.json').read_text())
    assert state['versions']['torch'] and state['about']['seed'] == 0


def test_stopped_in_a_run_it_ends_with_the_same_tables(finished, capsys):
    work = finished / 'work'
    before = tables(work)
    for name in (f'state/{RUN}.done.json', 'state/tests/demo/unet_r18/pf-diffseg/seed0.done.json'):
        (work / name).unlink()
    for name in (RUN, 'tests/demo/unet_r18/pf-diffseg', 'report', f'state/{RUN}'):
        shutil.rmtree(work / name)
    command = [sys.executable, str(ROOT / 'tools/compare.py'), str(finished / 'small.py'), '--work-dir', str(work)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while not (work / RUN / 'epoch_1.pth').exists():
        assert process.poll() is None, 'the run ended before it could be stopped'
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert 'Stopped; the same command goes on' in process.communicate()[0]
    assert not (work / f'state/{RUN}.done.json').exists()
    run_tool('compare.py', finished / 'small.py', '--work-dir', work, '--dry-run')
    told = capsys.readouterr().out
    assert '4 of 6 tasks are done' in told and f'to do {RUN} (2 epochs):' in told
    run_tool('compare.py', finished / 'small.py', '--work-dir', work)
    logs = ' '.join(path.read_text() for path in (work / RUN).glob('*/*.log'))
    assert 'resumed epoch: 1' in logs
    assert tables(work) == before


def test_another_plan_in_the_same_folder_is_refused(finished, demo_data, tmp_path):
    for fields in (dict(epochs=3), dict(budget='epochs'), dict(methods={'pf-diffseg': dict(generator='small')})):
        plan = write_plan(tmp_path / 'other.py', demo_data, **fields)
        with pytest.raises(SystemExit, match='is of another plan than this one'):
            run_tool('compare.py', plan, '--work-dir', finished / 'work')
