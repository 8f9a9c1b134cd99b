"""Runs the whole chain on a small procedural data set and writes a page that shows what came out.

Each step is a tool with a config that also serves real data. A step that finished is not run again; delete OUT to
start anew.
"""

import argparse
import shlex
import subprocess
import sys
import time
from pathlib import Path

from mmseg_pfdiff.command_line import run_main
from mmseg_pfdiff.reports.demo_page import MIXED, REAL, write_demo_page

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / 'configs/small'
GENERATOR, SUPER_RESOLUTION = 'pf-diffseg_tiny-64x64', 'pair-sr_tiny-64to128'
EPOCHS = {GENERATOR: 100, SUPER_RESOLUTION: 30, REAL: 21, MIXED: 7}  # the segmentors: equally many steps
NUM_PAIRS = 240  # two for each of the 96 training tiles, and some for pairs that are not kept


def train(config: str, out: Path, *options: str) -> list[str]:
    """Command that trains one of the configs."""
    epochs = EPOCHS[config]
    command = ['train.py', f'{CONFIGS / config}.py', '--work-dir', f'{out / config}', '--data', f'{out / "data"}']
    lengths = [f'train_cfg.max_epochs={epochs}', f'train_cfg.val_interval={epochs}']
    return [*command, '--resume', '--cfg-options', *lengths, *options]


def test(config: str, out: Path) -> list[str]:
    """Command that tests a trained segmentor."""
    work_dir = out / config
    command = ['test.py', f'{CONFIGS / config}.py', checkpoint(config, out), '--work-dir', f'{work_dir}']
    return [*command, '--data', f'{out / "data"}', '--out', f'{work_dir / "predictions"}']


def checkpoint(config: str, out: Path) -> str:
    """Where the last weights of a training lie."""
    return f'{out / config}/epoch_{EPOCHS[config]}.pth'


def steps(out: Path) -> dict[str, list[str]]:
    """Name of each step -> its tool and arguments."""
    release, data, pairs = out / 'release', out / 'data', out / 'pairs'
    mix = [
        f'train_dataloader.dataset.synthetic.data_root={pairs}',
        'train_dataloader.dataset.synthetic.pipeline.2.scale=(128,128)',
    ]
    generate = [
        *('generate_pairs.py', f'{CONFIGS / GENERATOR}.py', checkpoint(GENERATOR, out)),
        *('--sr-config', f'{CONFIGS / SUPER_RESOLUTION}.py', '--sr-checkpoint', checkpoint(SUPER_RESOLUTION, out)),
        # Networks trained for minutes need fresh noise in sampling: it mends the errors of earlier steps.
        *('--out', f'{pairs}', '--num', f'{NUM_PAIRS}', '--sampler', 'renoise', '--steps', '25'),
        *('--data', f'{data}'),
    ]
    split = ['--split', f'{release / "split"}', '--tile-size', '128']
    return {
        '1 write micrographs': ['dataset_converters/make_demo_release.py', f'{release}'],
        '2 convert them': ['dataset_converters/metaldam.py', f'{release}', f'{data}', *split],
        '3 train the generator': train(GENERATOR, out),
        '4 train the super-resolution': train(SUPER_RESOLUTION, out),
        '5 generate pairs': generate,
        '6 train on real tiles': train(REAL, out),
        '7 train on the mix': train(MIXED, out, *mix),
        '8 test real': test(REAL, out),
        '9 test mix': test(MIXED, out),
    }


def run(name: str, arguments: list[str], out: Path) -> None:
    """Runs a step, its output into a log; a finished one is passed over."""
    stem = out / 'logs' / name.replace(' ', '_')
    log, done = stem.with_suffix('.log'), stem.with_suffix('.seconds')
    if done.exists():
        print(f'{name}: done before')
        return
    print(f'{name} ...', end='', flush=True)
    start = time.perf_counter()
    with open(log, 'w') as file:
        print(f'python tools/{arguments[0]}', shlex.join(arguments[1:]), file=file, flush=True)
        command = [sys.executable, f'{ROOT / "tools" / arguments[0]}', *arguments[1:]]
        code = subprocess.call(command, stdout=file, stderr=subprocess.STDOUT)
    seconds = time.perf_counter() - start
    if code:
        print(log.read_text()[-3000:])
        raise SystemExit(f'"{name}" failed after {seconds:.0f} s. All it printed is in {log}')
    done.write_text(f'{seconds:.1f}')
    print(f' {seconds:.0f} s', flush=True)


def main() -> None:
    """Runs the steps and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out', type=Path, help='folder for everything the demo makes')
    out = parser.parse_args().out.resolve()
    (out / 'logs').mkdir(parents=True, exist_ok=True)
    for name, arguments in steps(out).items():
        run(name, arguments, out)
    print(f'Done. Open {write_demo_page(out)}')


if __name__ == '__main__':
    run_main(main, 'Steps that finished are kept; the same command goes on.')
