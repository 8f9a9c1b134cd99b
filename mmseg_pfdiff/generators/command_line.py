"""What the command lines of tools that draw pairs share."""

import argparse

import torch

from ..arguments import ConfigOptions, check_device
from .samplers import SAMPLERS


def add_generator_arguments(parser: argparse.ArgumentParser, one_sampler: bool = True) -> None:
    """Adds the options that name a trained generator and say where it runs.

    Args:
        parser: Gets the options.
        one_sampler: Also --sampler and --steps.
    """
    parser.add_argument('config', metavar='CONFIG|FOLDER', help='config of the generator, or an exported generator')
    parser.add_argument('checkpoint', nargs='?', help='weights of the generator, with a config')
    parser.add_argument('--sr-config', help='config of the super-resolution model; without it pairs stay small')
    parser.add_argument('--sr-checkpoint', help='weights of the super-resolution model')
    if one_sampler:
        parser.add_argument('--sampler', choices=sorted(SAMPLERS), help="in place of the configs' samplers")
        parser.add_argument('--steps', type=int, help="in place of the samplers' numbers of steps")
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions, help='key=value settings over CONFIG|FOLDER')
    parser.add_argument(
        '--sr-cfg-options', nargs='+', action=ConfigOptions, help='the same over the super-resolution model'
    )


def check_generator_arguments(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Ends the program, with a message, for options that do not go together.

    Args:
        parser: That parsed them.
        args: What it parsed.
    """
    if bool(args.sr_config) != bool(args.sr_checkpoint):
        parser.error('--sr-config and --sr-checkpoint go together')
    if getattr(args, 'steps', None) is not None and not isinstance(args.steps, list) and args.steps < 1:
        parser.error(f'--steps must be at least 1, got {args.steps}')
    check_device(parser, args.device)


def generator_files(args: argparse.Namespace) -> tuple[str | None, ...]:
    """The first four arguments of `open_generator`."""
    return args.config, args.checkpoint, args.sr_config, args.sr_checkpoint
