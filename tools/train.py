"""Trains a generator or a segmentor: `python tools/train.py configs/pfdiff/unet_r50_ratio8.py`."""

import argparse
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.runner import Runner

import mmseg_pfdiff  # noqa: F401  (registers the components, and lets checkpoints load safely)


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='where logs and checkpoints go; default: work_dirs/<name of the config>')
    parser.add_argument('--resume', action='store_true', help='continue from the last checkpoint of the work dir')
    parser.add_argument('--amp', action='store_true', help='mixed precision')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='key=value settings over the config')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    # torchrun of older torch passes it with a hyphen, newer sets LOCAL_RANK only.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Trains."""
    args = parse_args()
    config = Config.fromfile(args.config)
    config.merge_from_dict(args.cfg_options or {})
    config.work_dir = args.work_dir or config.get('work_dir') or f'work_dirs/{Path(args.config).stem}'
    config.launcher = args.launcher
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
    main()
