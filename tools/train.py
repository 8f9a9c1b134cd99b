"""Trains a generator or a segmentor: `python tools/train.py configs/pfdiff/unet_r50_ratio8.py`."""

import argparse
from pathlib import Path

from mmengine.runner import Runner

from mmseg_pfdiff.engine.run_checks import check_run
from mmseg_pfdiff.engine.run_config import add_run_arguments, read_run_config
from mmseg_pfdiff.tool_main import run_main


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('--resume', action='store_true', help='continue from the last checkpoint of the work dir')
    parser.add_argument('--amp', action='store_true', help='mixed precision')
    add_run_arguments(parser)
    return parser.parse_args()


def main() -> None:
    """Trains."""
    args = parse_args()
    config = read_run_config(args)
    check_run(config, ['train', 'val'])
    config.resume = args.resume
    if args.amp:
        config.optim_wrapper.type = 'AmpOptimWrapper'
        config.optim_wrapper.setdefault('loss_scale', 'dynamic')
    runner = Runner.from_cfg(config)
    runner.train()
    if runner.rank == 0:
        last = Path(config.work_dir, 'last_checkpoint')
        print(f'Done. The last checkpoint is {last.read_text() if last.exists() else "not there"}.')


if __name__ == '__main__':
    run_main(main, 'Checkpoints written so far are kept; the same command with --resume goes on from the last one.')
