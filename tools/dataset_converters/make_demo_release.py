"""Writes the procedural demo data set: python tools/dataset_converters/make_demo_release.py data/demo_release."""

import argparse

from mmseg_pfdiff.command_line import run_main, seed_number
from mmseg_pfdiff.data.demo import write_demo_release


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description='Write a small procedural data set in the layout of the MetalDAM release.'
    )
    parser.add_argument('out', metavar='OUT', help='new or empty folder')
    parser.add_argument('--num', type=int, default=12, help='labelled micrographs (%(default)s)')
    parser.add_argument('--size', type=int, nargs=2, default=(384, 512), metavar=('H', 'W'), help='%(default)s')
    parser.add_argument('--seed', type=seed_number, default=0, help='another seed, other micrographs (%(default)s)')
    return parser.parse_args()


def main() -> None:
    """Writes the data set, then tells how to convert it."""
    args = parse_args()
    split = write_demo_release(args.out, args.num, tuple(args.size), args.seed)
    print(f'{args.out}: {args.num} labelled micrographs and one without a label. Convert them with')
    print(f'    python tools/dataset_converters/metaldam.py {args.out} OUT --split {split} --tile-size 128')


if __name__ == '__main__':
    run_main(main, 'Nothing was written; the same command begins anew.')
