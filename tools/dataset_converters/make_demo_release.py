"""Writes the procedural demo data set: python tools/dataset_converters/make_demo_release.py data/demo_release."""

import argparse
import sys

from mmseg_pfdiff.datasets.demo_micrographs import write_demo_release


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description='Write a small procedural data set in the layout of the MetalDAM release.'
    )
    parser.add_argument('out', metavar='OUT', help='new or empty folder')
    parser.add_argument('--num', type=int, default=12, help='labelled micrographs (%(default)s)')
    parser.add_argument('--size', type=int, nargs=2, default=(384, 512), metavar=('H', 'W'), help='%(default)s')
    parser.add_argument('--seed', type=int, default=0, help='another seed, other micrographs (%(default)s)')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Writes the data set, then tells how to convert it."""
    args = parse_args(argv)
    try:
        split = write_demo_release(args.out, args.num, tuple(args.size), args.seed)
    except (ValueError, OSError) as error:
        sys.exit(f'error: {error}')
    print(f'{args.out}: {args.num} labelled micrographs and one without a label. Convert them with')
    print(f'    python tools/dataset_converters/metaldam.py {args.out} OUT --split {split} --tile-size 128')


if __name__ == '__main__':
    main()
