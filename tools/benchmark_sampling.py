r"""Measures samplers on a trained generator: time, evaluations, fraction error, distance to real tiles.

    python tools/benchmark_sampling.py CONFIG CHECKPOINT --real-root data/metaldam --out work_dirs/sampling \
        --samplers ddim dpmsolver++ unipc --steps 10 20 50

The fraction error is that of what the networks drew, before pixels are moved to meet the fractions. Every row draws the
same pairs: same fractions, same noise. Run the same command again to go on; more samplers, steps and values of --vary
join the table.
"""

import argparse
import itertools
from pathlib import Path

import cv2
import torch

import mmseg_pfdiff  # noqa: F401  (registers the components, and lets checkpoints load safely)
from mmseg_pfdiff.evaluation.pair_grid import pair_grid
from mmseg_pfdiff.evaluation.result_table import ResultTable
from mmseg_pfdiff.evaluation.sampling_benchmark import (
    RealReference,
    draw_timed,
    fraction_columns,
    network_evaluations,
)
from mmseg_pfdiff.generators import SAMPLERS, PairCascade
from mmseg_pfdiff.generators.command_line import add_generator_arguments, check_generator_arguments, generator_files
from mmseg_pfdiff.generators.opening import OpenedGenerator, open_generator
from mmseg_pfdiff.package_versions import package_versions
from mmseg_pfdiff.tool_main import run_main

SHOWN = 8  # pairs in the picture of each row


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_generator_arguments(parser, one_sampler=False)
    parser.add_argument('--out', required=True, help='folder for sampling.md, sampling.csv and pictures')
    parser.add_argument('--real-root', help='converted data set; without it there are no distances to real tiles')
    parser.add_argument('--samplers', nargs='+', choices=sorted(SAMPLERS), default=sorted(SAMPLERS))
    parser.add_argument('--steps', nargs='+', type=int, default=[10, 15, 20, 50], help='of both networks')
    parser.add_argument(
        '--vary',
        nargs='+',
        default=[],
        metavar='KEY=V1,V2',
        help='settings of the generator, tried in all combinations',
    )
    parser.add_argument('--num', type=int, default=64, help='pairs for each row (default: 64)')
    parser.add_argument('--batch-size', type=int, default=16, help='pairs drawn together (default: 16)')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--speck-area', type=int, default=0, help='as of generate_pairs.py')
    parser.add_argument('--half', action='store_true', help='half precision (GPU only)')
    args = parser.parse_args()
    check_generator_arguments(parser, args)
    if min(args.num, args.batch_size, *args.steps) < 1 or args.num < 2:
        parser.error('--steps and --batch-size must be at least 1, --num at least 2')
    if not all('=' in text for text in args.vary):
        parser.error('--vary takes settings as model.guidance_scale=1,2')
    return args


def opened_with(args: argparse.Namespace, sampler: str, steps: int, varied: dict[str, str]) -> OpenedGenerator:
    """The generator under one setting."""
    options = {**(args.cfg_options or {}), **{key: float(value) for key, value in varied.items()}}
    return open_generator(*generator_files(args), sampler, steps, options, args.sr_cfg_options)


def common_settings(args: argparse.Namespace, opened: OpenedGenerator) -> dict:
    """What all rows of a table have in common."""
    made_by = {
        part: {key: value for key, value in (found or {}).items() if key not in ('sampler', 'config_sha256')}
        for part, found in opened.description.items()
    }
    names = ('num', 'seed', 'batch_size', 'speck_area', 'real_root', 'device', 'half', 'cfg_options', 'sr_cfg_options')
    return {
        **made_by,
        **{name: getattr(args, name) for name in names},
        'threads': torch.get_num_threads(),
        'versions': package_versions(),
    }


def measure(args: argparse.Namespace, opened: OpenedGenerator, real: RealReference | None, picture: Path) -> dict:
    """Draws pairs with one setting; returns the numbers and leaves a picture."""
    cascade = PairCascade(*opened[:2], args.device, speck_area=args.speck_area, half=args.half)
    pairs = draw_timed(cascade, opened.requests, args.num, args.seed, args.batch_size)
    columns = list(zip(pairs.images[:SHOWN].numpy(), pairs.labels[:SHOWN].numpy(), strict=True))
    cv2.imwrite(str(picture), cv2.cvtColor(pair_grid(columns, opened.card.palette), cv2.COLOR_RGB2BGR))
    cost = {'s a pair': pairs.seconds, 'evaluations': network_evaluations(cascade)}
    distances = real.columns(pairs.images, pairs.labels) if real else {}
    return {**cost, **fraction_columns(pairs, opened.card.classes), **distances}


def main() -> None:
    """Measures."""
    args = parse_args()
    vary = {name: values.split(',') for name, values in (text.split('=', 1) for text in args.vary)}
    grid = [dict(zip(vary, chosen, strict=True)) for chosen in itertools.product(*vary.values())]
    first = opened_with(args, args.samplers[0], args.steps[0], grid[0])
    table = ResultTable(args.out, 'sampling', common_settings(args, first), ['sampler', 'steps', *vary])
    real, notes = None, []
    if args.real_root:
        side = (first.super_resolution or first.generator).data_preprocessor.size
        real = RealReference(args.real_root, side, first.card.palette, args.device, args.batch_size)
        floor = ', '.join(f'{name} {value:.2f}' for name, value in real.floor().items())
        notes = [f'Tiles of the validation micrographs: {floor}. Features: {real.extractor.name}. KID times 1000.']
    for sampler, steps, varied in itertools.product(args.samplers, args.steps, grid):
        setting = dict(sampler=sampler, steps=steps, **varied)
        if table.has(**setting):
            continue
        print(' '.join(f'{key}={value}' for key, value in setting.items()), flush=True)
        picture = Path(args.out, '_'.join([sampler, str(steps), *(f'{k}={v}' for k, v in varied.items())]) + '.png')
        table.add({**setting, **measure(args, opened_with(args, sampler, steps, varied), real, picture)}, notes)
    print(table.path.with_name('sampling.md').read_text())
    print(f'The table is {table.path}.md and .csv; pictures of the pairs lie beside it.')


if __name__ == '__main__':
    run_main(main, 'Rows measured so far are kept; the same command goes on.')
