"""Lays one's own micrographs out as a data set: whole ones by part, and tiles of the training ones.

Usage: python tools/dataset_converters/micrographs.py data/mine --num-classes 3 --train IMAGES LABELS [--val ...]
"""

import argparse
from pathlib import Path

from mmseg_pfdiff.command_line import add_conversion_arguments, run_main
from mmseg_pfdiff.data.class_shares import format_shares
from mmseg_pfdiff.data.layout import PARTS, TILINGS
from mmseg_pfdiff.data.micrographs import convert_micrographs, format_notes

USES = dict(
    train='to train on; tiles are cut from these alone',
    val='to choose weights and ratios by, and to measure pairs against; recommended',
    test='to read scores on once, at the end; recommended',
)


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('out', metavar='OUT', type=Path, help='folder to fill, for example data/mine')
    parser.add_argument('--num-classes', type=int, required=True, metavar='K', help='number of classes')
    parser.add_argument('--classes', nargs='+', metavar='NAME', help='their K names in order (class_0 class_1 ...)')
    for part in PARTS:
        parser.add_argument(
            f'--{part}',
            nargs=2,
            required=part == 'train',
            metavar=('IMAGES', 'LABELS'),
            help=f'folders of micrographs and of index images NAME.png (0..K-1, 255 = ignore) {USES[part]}',
        )
    add_conversion_arguments(parser, TILINGS)
    return parser.parse_args()


def main() -> None:
    """Converts, then tells what stands where."""
    args = parse_args()
    parts = {part: folders for part in PARTS if (folders := getattr(args, part))}
    record, changed = convert_micrographs(
        parts,
        args.out,
        args.num_classes,
        args.tile_size,
        args.tiling,
        args.classes,
        allow_absent=args.allow_absent,
    )
    print(f'{format_shares(record)}\n{format_notes(record)}')
    print(f'{args.out.resolve()}: {"written" if changed else "complete already, nothing changed"}')


if __name__ == '__main__':
    run_main(main, 'Files written so far are kept; the same command goes on.')
