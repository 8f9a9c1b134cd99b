"""Settings of a command line over those of a config or of an exported folder, for all tools that draw pairs."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import is_main_process

from ..command_line import ConfigOptions, add_data_argument, check_device
from ..config_files import check_first_keys, merge_options, read_config
from ..models.diffusion.samplers import SAMPLERS
from ..models.own_data import use_data

# Settings of a folder that take further arguments than those written there.
OPEN_SETTINGS = ('sampler', 'noise_schedule')


def config_with_options(
    path: str, options: Mapping[str, Any] | None = None, also: Sequence[str] = (), data: str | None = None
) -> Config:
    """A config with the options of a command line.

    Args:
        path: Of the config.
        options: Values by dotted key, as `--cfg-options` gives them.
        also: First keys that take effect though the config lacks them.
        data: Root of a data set in place of those of the config, as `--data` gives it; what it changes is printed.

    Returns:
        The merged config.

    Raises:
        FileNotFoundError: No such config, or no such data set.
        ImportError: A module that it imports is missing.
        ValueError: No config of a model, an option whose first key the config lacks, or one that does not fit the
            setting it would change.
    """
    config = read_config(path)
    if not isinstance(config.get('model'), Mapping):
        raise ValueError(f'{path} has no model: it is no config of a generator.')
    check_first_keys(config, options, path, also)
    if data:
        line = use_data(config, data)
        if is_main_process():
            print(line)
    return merge_options(config, options, path)


def settings_with_options(settings: Mapping, options: Mapping[str, Any]) -> dict:
    """Settings of a model from an exported folder with the `model.` options of a command line.

    Args:
        settings: Constructor arguments, as the folder has them.
        options: Values by dotted key below `model`: `fraction_guidance`, `sampler.steps`.

    Returns:
        The changed settings.

    Raises:
        ValueError: An option that names no setting there.
    """
    if not options:
        return dict(settings)
    for key in options:
        _check_known(settings, key)
    if 'sampler.type' in options:
        # Arguments of another scheduler go with it.
        settings = {**settings, 'sampler': dict(steps=settings['sampler']['steps'])}
    return merge_options(Config(dict(settings)), options, 'the settings').to_dict()


def split_options(options: Mapping[str, Any] | None, known: tuple[str, ...], place: str) -> dict[str, dict[str, Any]]:
    """Options for a folder, sorted by the part of it that they change.

    Args:
        options: Values by dotted key.
        known: First keys that there are parts for.
        place: The folder, for messages.

    Returns:
        For each of `known`, the options below it by the rest of their key, '' if they give it as a whole.

    Raises:
        ValueError: An option with another first key.
    """
    sorted_options: dict[str, dict[str, Any]] = {name: {} for name in known}
    for key, value in (options or {}).items():
        first, _, rest = key.partition('.')
        if first not in known:
            raise ValueError(
                f'Option {key}: {place} is an exported generator, which has no {first!r}; options for it begin with '
                f'{" or ".join(f"{name}." for name in known)}'
            )
        sorted_options[first][rest] = value
    return sorted_options


def _check_known(settings: Mapping, key: str) -> None:
    """Refuses a key that names no setting."""
    names, value = key.split('.'), settings
    for depth, name in enumerate(names):
        if isinstance(value, Mapping) and name in value:
            value = value[name]
        elif isinstance(value, list) and name in map(str, range(len(value))):
            value = value[int(name)]
        elif depth == 1 and names[0] in OPEN_SETTINGS:
            return
        else:
            there = ', '.join(map(str, value)) if isinstance(value, Mapping) else repr(value)[:100]
            raise ValueError(f'there is no setting model.{key}, but {there}.')


def add_generator_arguments(parser: argparse.ArgumentParser, *, one_sampler: bool = True) -> None:
    """Adds the options that name a trained generator and say where it runs.

    Args:
        parser: Gets the options.
        one_sampler: Also --sampler and --steps.
    """
    parser.add_argument('source', metavar='CONFIG|FOLDER', help='config of the generator, or an exported generator')
    parser.add_argument('checkpoint', nargs='?', help='weights of the generator, with a config')
    parser.add_argument('--sr-config', help='config of the super-resolution model; without it pairs stay small')
    parser.add_argument('--sr-checkpoint', help='weights of the super-resolution model')
    if one_sampler:
        parser.add_argument('--sampler', choices=sorted(SAMPLERS), help="in place of the configs' samplers")
        parser.add_argument('--steps', type=int, help="in place of the samplers' numbers of steps")
    add_data_argument(parser)
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


def generator_arguments(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `open_generator` that a command line has."""
    names = [f'{prefix}{name}' for prefix in ('', 'image_', 'sr_') for name in ('config', 'checkpoint', 'cfg_options')]
    return {name: getattr(args, name) for name in ('source', 'data', 'sampler', 'steps', *names) if name in args}
