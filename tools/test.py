"""Tests a segmentor on whole micrographs: `python tools/test.py CONFIG CHECKPOINT`."""

import argparse
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.runner import Runner

import mmseg_pfdiff  # noqa: F401  (registers the components, and lets checkpoints load safely)


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='weights written by tools/train.py')
    parser.add_argument('--work-dir', help='where logs and the report go; default: work_dirs/<name of the config>')
    parser.add_argument('--out', help='folder for the predicted label maps (index PNGs)')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='key=value settings over the config')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Tests."""
    args = parse_args()
    config = Config.fromfile(args.config)
    config.merge_from_dict(args.cfg_options or {})
    if config.get('test_evaluator') is None:
        raise SystemExit(
            f'{args.config} has no test part; tools/test.py tests segmentors. Generators are judged by '
            'the validation of tools/train.py and by tools/generate_pairs.py.'
        )
    config.work_dir = args.work_dir or config.get('work_dir') or f'work_dirs/{Path(args.config).stem}'
    config.launcher = args.launcher
    config.load_from = args.checkpoint
    report = Path(config.work_dir, 'test.json')
    if config.test_evaluator.type == 'MicrographIoUMetric':
        config.test_evaluator.setdefault('report_file', str(report))
        if args.out:
            config.test_evaluator.output_dir = args.out
    runner = Runner.from_cfg(config)
    runner.test()
    if runner.rank == 0:
        print(
            f'Done. Per micrograph: {config.test_evaluator.get("report_file", "see the log")}'
            + (f'; predictions: {args.out}' if args.out else '')
        )


if __name__ == '__main__':
    main()
