"""A tiny comparison on Slurm, one training of which is cancelled and taken up again, beside the same on this machine.

tests/cluster/one_node_slurm.sh up /tmp/slurm
SLURM_CONF=/tmp/slurm/slurm.conf python -m tests.cluster.slurm_comparison /tmp/slurm/comparison
tests/cluster/one_node_slurm.sh down /tmp/slurm
"""

import json
import subprocess
import sys
import time
from pathlib import Path

from mmseg_pfdiff.data.demo import write_demo_release
from mmseg_pfdiff.data.metaldam.convert import convert_release

from ..comparing import write_plan
from ..running import ROOT

EPOCHS = 8
RUN = 'runs/demo/unet_r18/pf-diffseg/x1/seed0'
SLURM = '--executor slurm --jobs 2 --retries 1 --slurm-no-account --slurm-status-command squeue --latency-wait 20'
SLURM += ' --slurm-init-seconds-before-status-checks 2 --seconds-between-status-checks 5'
SLURM += ' --default-resources slurm_partition=cpu'


def start(plan: Path, work_dir: Path, options: str) -> subprocess.Popen:
    """Starts a comparison."""
    command = [sys.executable, str(ROOT / 'tools/compare.py'), str(plan), '--work-dir', str(work_dir)]
    print('$ python', *command[1:], options, flush=True)
    return subprocess.Popen([*command, *options.split()])


def cancel(work_dir: Path, process: subprocess.Popen) -> None:
    """Cancels the Slurm job of a training that has left a checkpoint."""
    while not list((work_dir / RUN).glob('epoch_*.pth')):
        assert process.poll() is None, 'the comparison ended before its training could be cancelled'
        time.sleep(0.2)
    shown = subprocess.run(
        ['squeue', '--noheader', '--format=%i %k'], capture_output=True, text=True, check=True
    ).stdout
    [job] = [line.split()[0] for line in shown.splitlines() if 'pf-diffseg' in line and 'segmentor' in line]
    print(f'--- scancel {job} ({RUN})', flush=True)
    subprocess.run(['scancel', job], check=True)


def tables(work_dir: Path) -> dict:
    """The tables of a comparison, without that of times."""
    found = json.loads((work_dir / 'report/report.json').read_text())['tables']
    found.pop('Generation (Table 5)')
    return found


def main(folder: Path) -> None:
    """Compares on this machine and on Slurm."""
    if not (folder / 'data').exists():
        write_demo_release(folder / 'release', num_micrographs=9, size=(128, 192), seed=0)
        convert_release(folder / 'release', folder / 'data', split=str(folder / 'release/split'), tile_size=64)
    plan = write_plan(folder / 'plan.py', folder / 'data', epochs=EPOCHS)
    process = start(plan, folder / 'slurm', SLURM)
    cancel(folder / 'slurm', process)
    assert process.wait() == 0
    logs = '\n'.join(path.read_text() for path in (folder / 'slurm' / RUN).glob('*/*.log'))
    resumed = [line for line in logs.splitlines() if 'resumed epoch' in line]
    assert resumed, 'the cancelled training began anew'
    print('---', *resumed, sep='\n')
    assert start(plan, folder / 'local', '--cores 2').wait() == 0
    assert tables(folder / 'slurm') == tables(folder / 'local')
    print('The tables of both are the same:', json.dumps(tables(folder / 'slurm'), indent=1), sep='\n')


if __name__ == '__main__':
    main(Path(sys.argv[1]).absolute())
