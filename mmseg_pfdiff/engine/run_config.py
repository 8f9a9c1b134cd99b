"""What the command lines of training and testing share."""

import argparse
from pathlib import Path

from mmengine.config import Config, DictAction


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options that say how a config is run.

    Args:
        parser: Has or gets the positional argument `config`.
    """
    parser.add_argument('--work-dir', help='where everything goes; default: work_dirs/<name of the config>')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='key=value settings over the config')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    # Launchers of older torch pass it; newer ones set LOCAL_RANK only.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def read_run_config(args: argparse.Namespace) -> Config:
    """The config of a run, with the options of its command line.

    Args:
        args: Parsed by a parser that :func:`add_run_arguments` filled.

    Returns:
        The config; `work_dir` and `launcher` are set.
    """
    config = Config.fromfile(args.config)
    config.merge_from_dict(args.cfg_options or {})
    config.work_dir = args.work_dir or config.get('work_dir') or f'work_dirs/{Path(args.config).stem}'
    config.launcher = args.launcher
    return config
