r"""Measures samplers on a trained generator: time, evaluations, fraction error, distance to real tiles.

    python tools/benchmark_sampling.py CONFIG CHECKPOINT --real-root data/metaldam --out work_dirs/sampling \
        --samplers ddim dpmsolver++ unipc --steps 10 20 50

The fraction error is that of what the networks drew, before pixels are moved to meet the fractions. Every row draws the
same pairs: same fractions, same noise. Run the same command again to go on; more samplers, steps and values of --vary
join the table.
"""

import argparse
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

import mmseg_pfdiff  # noqa: F401  (registers the components, and lets checkpoints load safely)
from mmseg_pfdiff.checkpoints import OpenedGenerator, open_generator
from mmseg_pfdiff.checkpoints.options import add_generator_arguments, check_generator_arguments, generator_arguments
from mmseg_pfdiff.command_line import run_main, seed_number
from mmseg_pfdiff.compat import package_versions
from mmseg_pfdiff.folder_lock import locked_folder
from mmseg_pfdiff.metrics.sampling_benchmark import RealReference, draw_timed, fraction_columns, network_evaluations
from mmseg_pfdiff.models.diffusion.samplers import SAMPLERS
from mmseg_pfdiff.pairs.grid import pair_grid, write_picture
from mmseg_pfdiff.reports.tables import ResultTable

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
    parser.add_argument('--seed', type=seed_number, default=0)
    parser.add_argument('--speck-area', type=int, default=0, help='as of generate_pairs.py')
    parser.add_argument('--half', action='store_true', help='half precision (GPU only)')
    args = parser.parse_args()
    check_generator_arguments(parser, args)
    if min(args.num, args.batch_size, *args.steps) < 1 or args.num < 2 or args.speck_area < 0:
        parser.error('--steps and --batch-size must be at least 1, --num at least 2, --speck-area at least 0')
    try:
        args.vary = parse_varied(args.vary)
    except ValueError as error:
        parser.error(str(error))
    for key in (*args.vary, *(args.cfg_options or {}), *(args.sr_cfg_options or {})):
        if key in ('model.sampler', 'model.sampler.type', 'model.sampler.steps'):
            parser.error(f'{key} is what --samplers and --steps say: leave it out')
    return args


def parse_varied(texts: Sequence[str]) -> dict[str, list[str]]:
    """Settings and their values, of texts such as `model.guidance_scale=1,2`.

    Args:
        texts: Of the command line.

    Returns:
        Values, which are numbers, by the key of their setting.

    Raises:
        ValueError: Another form, or a key given twice.
    """
    varied: dict[str, list[str]] = {}
    for text in texts:
        key, _, values = text.partition('=')
        try:
            numbers = [number(value) for value in values.split(',')]
        except ValueError:
            numbers = []
        if not key or not numbers or key in varied:
            raise ValueError(f'--vary takes each setting once, with numbers, as model.guidance_scale=1,2; got {text!r}')
        varied[key] = values.split(',')
    return varied


def number(text: str) -> int | float:
    """A number, whole where it is written so."""
    return int(text) if text.lstrip('-').isdigit() else float(text)


def opened_with(args: argparse.Namespace, sampler: str, steps: int, varied: dict[str, str]) -> OpenedGenerator:
    """The generator under one setting."""
    options = {**(args.cfg_options or {}), **{key: number(value) for key, value in varied.items()}}
    return open_generator(**generator_arguments(args) | dict(sampler=sampler, steps=steps, cfg_options=options))


def common_settings(args: argparse.Namespace, opened: OpenedGenerator) -> dict:
    """Settings that all rows of a table have in common."""
    made_by = {part: described and without_varied(described, args.vary) for part, described in opened.identity.items()}
    if not any(key.startswith('fraction_sampler.') for key in args.vary):
        made_by['fractions'] = opened.requests.describe()
    names = ('num', 'seed', 'batch_size', 'speck_area', 'real_root', 'device', 'half', 'cfg_options', 'sr_cfg_options')
    return {
        **made_by,
        **{name: getattr(args, name) for name in names},
        'threads': torch.get_num_threads(),
        'versions': package_versions(),
    }


def without_varied(described: dict, varied: Iterable[str]) -> dict:
    """The identity of a model, but for what the rows of a table differ in."""
    names = [key.split('.')[1] for key in varied if key.startswith('model.')]
    settings = {name: value for name, value in described['settings'].items() if name not in names}
    return {**{key: value for key, value in described.items() if key != 'sampler'}, 'settings': settings}


def measure(args: argparse.Namespace, opened: OpenedGenerator, real: RealReference | None, picture: Path) -> dict:
    """Draws pairs with one setting; returns the numbers and leaves a picture."""
    cascade = opened.cascade(device=args.device, speck_area=args.speck_area, half=args.half)
    pairs = draw_timed(cascade, opened.requests, args.num, args.seed, args.batch_size)
    columns = list(zip(pairs.images[:SHOWN].numpy(), pairs.labels[:SHOWN].numpy(), strict=True))
    write_picture(picture, pair_grid(columns, opened.card.palette))
    cost = {'s a pair': pairs.seconds, 'evaluations': network_evaluations(cascade)}
    distances = real.columns(pairs.images, pairs.labels) if real else {}
    return {**cost, **fraction_columns(pairs, opened.card.classes), **distances}


def main() -> None:
    """Measures."""
    args = parse_args()
    with locked_folder(args.out):
        fill_table(args)


def fill_table(args: argparse.Namespace) -> None:
    """Measures what the table lacks."""
    grid = [dict(zip(args.vary, chosen, strict=True)) for chosen in itertools.product(*args.vary.values())]
    first = opened_with(args, args.samplers[0], args.steps[0], grid[0])
    table = ResultTable(args.out, 'sampling', common_settings(args, first), ['sampler', 'steps', *args.vary])
    real, notes = None, []
    if args.real_root:
        side = first.cascade().tile_size
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
