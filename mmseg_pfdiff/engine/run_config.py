"""Command lines of training and testing: the options that both have, and the config that they make."""

import argparse
import inspect
from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner

from ..command_line import ConfigOptions, add_data_argument
from ..config_files import check_first_keys, merge_options, read_config
from ..models.own_data import use_data
from .launch import process_rank
from .work_dir import MARK

# As in configs/_base_/default_runtime.py, for configs that have another base.
OWN_HOOKS = dict(repeatable='RepeatableTrainingHook', resume='ResumeHook', validate_on_resume='ValidateOnResumeHook')

# What the Runner, or a tool, looks at in a config, and a config may lack.
RUN_SETTINGS = (*inspect.signature(Runner.__init__).parameters, 'fraction_sampler', 'tta_model', 'tta_pipeline')
SECTIONS = ('model', 'train_dataloader', 'val_dataloader', 'test_dataloader', 'train_cfg', 'optim_wrapper')


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options that say how a config is run.

    Args:
        parser: Has or gets the positional argument `config`.
    """
    parser.add_argument('--work-dir', help='where everything goes; default: work_dirs/<name of the config>')
    add_data_argument(parser)
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions, help='key=value settings over the config')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    # Launchers of older torch pass it; newer ones set LOCAL_RANK only.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def read_run_config(args: argparse.Namespace) -> Config:
    """The config of a run, with the options of its command line.

    Args:
        args: Parsed by a parser that :func:`add_run_arguments` filled.

    Returns:
        The config; `work_dir` and `launcher` are set.

    Raises:
        FileNotFoundError: There is no such config, or no such data set.
        ValueError: It cannot be read; an option that nothing would look at; a section that is no dict; data that do not
            fit the config; or the config lies in a work directory, and names another one.
    """
    config = read_config(args.config)
    check_first_keys(config, args.cfg_options, args.config, RUN_SETTINGS)
    if args.data:
        check_sections(config, args.config)
        line = use_data(config, args.data)
        if process_rank(args.launcher) == 0:
            print(line)
    merge_options(config, args.cfg_options, args.config)
    check_sections(config, args.config)
    own, named = Path(args.config).parent, config.get('work_dir')
    if named and not args.work_dir and (own / MARK).exists() and Path(named).resolve() != own.resolve():
        raise ValueError(
            f'{args.config} lies in a work directory that was copied or moved: it names {named}. Say which one is '
            f'meant: --work-dir {own} or --work-dir {named}.'
        )
    config.work_dir = args.work_dir or named or f'work_dirs/{Path(args.config).stem}'
    config.launcher = args.launcher
    return config


def check_sections(config: Config, place: str) -> None:
    """Sees that the parts of a config that are built from are dicts.

    Args:
        config: Of a run.
        place: Of the config, for messages.

    Raises:
        ValueError: One is something else; only parts of validation and testing may be None.
    """
    for name in SECTIONS:
        section = config.get(name, {})
        if not isinstance(section, Mapping) and (section is not None or name == 'model'):
            raise ValueError(f'{place}: {name} must be a dict, got {section!r}.')


def use_own_hooks(config: Config) -> None:
    """Has a training of any config keep whole checkpoints, and go on as if it had not been interrupted.

    Args:
        config: Of a training. Changed in place. Hooks that it sets itself stay; None leaves one of them out.
    """
    hooks = config.setdefault('default_hooks', ConfigDict())
    checkpoint = hooks.setdefault('checkpoint', ConfigDict(interval=1))
    if checkpoint is not None and checkpoint.get('type', 'CheckpointHook') == 'CheckpointHook':
        checkpoint.type = 'AtomicCheckpointHook'
    for name, kind in OWN_HOOKS.items():
        if hooks.setdefault(name, ConfigDict(type=kind)) is None:
            del hooks[name]


def use_mixed_precision(config: Config) -> None:
    """Has a training compute in mixed precision.

    Args:
        config: Of a training. Changed in place.
    """
    config.optim_wrapper.type = 'AmpOptimWrapper'
    config.optim_wrapper.setdefault('loss_scale', 'dynamic')
