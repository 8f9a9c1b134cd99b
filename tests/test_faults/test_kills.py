"""Every tool, killed at random moments and run again, ends with what it makes when it is left alone."""

import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from ..forked import kill, start
from ..running import ROOT, SMALL_SEGMENTOR, run_tool
from .snapshot import differences, snapshot

KILLS = 20


class Case(NamedTuple):
    """A tool that is killed.

    Attributes:
        arguments: Name of the tool and what follows it, of a working folder.
        prepare: Puts into the working folder what is there before.
        also: Pattern of files that differ from run to run, as they tell of time spent.
    """

    arguments: Callable[[Path], list]
    prepare: Callable[[Path], object] = lambda root: None
    also: str = '$^'


def convert_metaldam(world):
    return Case(lambda root: [
        'dataset_converters/metaldam.py', world.release, root / 'data', '--split', world.release / 'split',
        '--tile-size', 64,
    ])  # fmt: skip


def convert_own(world):
    parts = [
        argument
        for part in ('train', 'val', 'test')
        for argument in (f'--{part}', world.data / 'img_dir' / part, world.data / 'ann_dir' / part)
    ]
    return Case(lambda root: [
        'dataset_converters/micrographs.py', root / 'data', '--num-classes', 4, '--tile-size', 64, *parts,
    ])  # fmt: skip


def training(config, world, options):
    """Three epochs, with two workers, a checkpoint and a validation after each."""
    options = {
        **options,
        'randomness.seed': 0,
        'train_cfg.max_epochs': 3,
        'train_cfg.val_interval': 1,
        'default_hooks.checkpoint.interval': 1,
        'train_dataloader.num_workers': 2,
        'val_dataloader.num_workers': 0,
        'val_dataloader.persistent_workers': False,
        'train_dataloader.dataset.data_root': world.data,
        'val_dataloader.dataset.data_root': world.data,
    }
    return Case(lambda root: [
        'train.py', ROOT / f'configs/small/{config}.py', '--work-dir', root / 'work', '--resume', '--cfg-options',
        *(f'{key}={value}' for key, value in options.items()),
    ])  # fmt: skip


def train_generator(world):
    return training('pf-diffseg_tiny-64x64', world, {
        'model.data_preprocessor.size': 32, 'model.unet.block_out_channels': '(8,16)',
        'model.unet.norm_num_groups': 4, 'model.sampler.steps': 2, 'val_dataloader.sampler.num': 2,
        'train_dataloader.batch_size': 16,
    })  # fmt: skip


def train_segmentor(world):
    return training('unet_r18_128x128_real', world, {
        'model.data_preprocessor.size': '(64,64)', 'model.test_cfg.crop_size': '(64,64)',
        'model.test_cfg.stride': '(64,64)', 'train_dataloader.dataset.pipeline.2.crop_size': '(64,64)',
        **SMALL_SEGMENTOR, 'train_dataloader.batch_size': 16,
    })  # fmt: skip


def generate(world):
    config, checkpoint, sr_config, sr_checkpoint = world.generators
    # One at a time: kernels round otherwise in batches of other sizes.
    return Case(lambda root: [
        'generate_pairs.py', config, checkpoint, '--sr-config', sr_config, '--sr-checkpoint', sr_checkpoint,
        '--out', root / 'pairs', '--num', 12, '--batch-size', 1, '--max-moved', 1, '--max-invented', 1,
    ])  # fmt: skip


def check(world, *flags):
    return Case(
        lambda root: [
            'check_pairs.py', root / 'pairs', '--real-root', world.data, '--segmentor', *world.segmentor,
            '--no-distances', *flags,
        ],
        lambda root: shutil.copytree(world.pairs, root / 'pairs'),
    )  # fmt: skip


def check_mark(world):
    return check(world, '--filter', 'mark', '--drop-copies')


def check_ignore(world):
    return check(world, '--filter', 'ignore')


def evaluate(world):
    return Case(
        lambda root: ['evaluate_pairs.py', root / 'pairs', world.data, '--out', root / 'out', '--features', 'none'],
        lambda root: shutil.copytree(world.pairs, root / 'pairs'),
    )


def export(world):
    config, checkpoint, sr_config, sr_checkpoint = world.generators
    return Case(lambda root: [
        'export_generator.py', config, checkpoint, root / 'out',
        '--sr-config', sr_config, '--sr-checkpoint', sr_checkpoint,
    ])  # fmt: skip


def run_to_end(case: Case, root: Path) -> None:
    log = root.with_suffix('.log')
    process = start(log, run_tool, *map(str, case.arguments(root)))
    process.join()
    assert process.exitcode == 0, log.read_text(errors='replace')[-3000:]


def killed_and_mended(case: Case, root: Path, expected: dict[str, str], seconds: float) -> list[str]:
    """What is wrong after a kill at a moment, and the same command to its end."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    case.prepare(root)
    process = start(root.with_suffix('.log'), run_tool, *map(str, case.arguments(root)))
    process.join(seconds)
    kill(process)
    if not differences(snapshot(root, case.also), expected):
        return []  # it had come to its end, or very near
    try:
        run_to_end(case, root)
    except AssertionError as error:
        return [f'ended with {error}']
    return differences(snapshot(root, case.also), expected)


CASES = [
    convert_metaldam, convert_own, train_generator, train_segmentor, generate, check_mark, check_ignore, evaluate,
    export,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize('make_case', CASES, ids=lambda case: case.__name__)
def test_a_tool_that_was_killed_ends_as_if_it_had_not(make_case, world, tmp_path):
    case, root = make_case(world), tmp_path / 'root'  # one path for all runs, as files name it
    root.mkdir()
    case.prepare(root)
    begun = time.monotonic()
    run_to_end(case, root)
    seconds = time.monotonic() - begun
    expected = snapshot(root, case.also)
    assert expected
    moments = random.Random(make_case.__name__)
    wrong = {}
    for _ in range(KILLS):
        moment = moments.uniform(0, seconds)
        if found := killed_and_mended(case, root, expected, moment):
            wrong[f'{moment:.3f} s of {seconds:.3f}'] = found
    assert not wrong, f'{len(wrong)} of {KILLS}: {wrong}'
