"""Draws pairs whose fraction of one phase rises from left to right, a row for each phase, into one picture (Fig. 5)."""

import argparse
from pathlib import Path

import mmseg_pfdiff  # noqa: F401  (registers the components, and lets checkpoints load safely)
from mmseg_pfdiff.checkpoints import open_generator
from mmseg_pfdiff.checkpoints.options import add_generator_arguments, check_generator_arguments, generator_arguments
from mmseg_pfdiff.command_line import run_main, seed_number
from mmseg_pfdiff.data.record import refuse_among_data
from mmseg_pfdiff.pairs.grid import write_picture
from mmseg_pfdiff.reports.fraction_grid import fraction_grid

MOST = 100  # pairs in a row; more would be too small to see


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_generator_arguments(parser)
    parser.add_argument('--out', required=True, help='PNG to write')
    parser.add_argument('--number', type=int, default=6, help='pairs in a row (default: 6)')
    parser.add_argument('--seed', type=seed_number, default=0)
    args = parser.parse_args()
    check_generator_arguments(parser, args)
    if not 2 <= args.number <= MOST:
        parser.error(f'--number must be 2 to {MOST}')
    if Path(args.out).suffix.lower() != '.png' or Path(args.out).is_dir():
        parser.error(f'--out must be a file whose name ends with .png, got {args.out}')
    return args


def main() -> None:
    """Draws."""
    args = parse_args()
    refuse_among_data(args.out)
    opened = open_generator(**generator_arguments(args))
    picture = fraction_grid(opened.cascade(device=args.device), opened.card, args.number, args.seed)
    write_picture(args.out, picture)
    print(f'The picture is {args.out}.')


if __name__ == '__main__':
    run_main(main, 'The picture is written at the end, whole or not at all; the same command draws anew.')
