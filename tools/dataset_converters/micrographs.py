"""Cuts one's own training micrographs into tiles: python tools/dataset_converters/tiles.py IMAGES LABELS OUT."""

import argparse
import sys

from mmseg_pfdiff.datasets.tile_folder import tile_folder
from mmseg_pfdiff.datasets.tiling import TILINGS


def main(argv: list[str] | None = None) -> None:
    """Tiles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('images', help='folder of training micrographs')
    parser.add_argument('labels', help='folder of index images NAME.png: classes 0..K-1, 255 = ignore')
    parser.add_argument('out', help='folder to fill with img_dir/ and ann_dir/')
    parser.add_argument('--num-classes', type=int, required=True, help='K')
    parser.add_argument('--tile-size', type=int, default=256, help='side of the tiles in pixels (%(default)s)')
    parser.add_argument('--tiling', choices=TILINGS, default='cover')
    args = parser.parse_args(argv)
    try:
        number = tile_folder(args.images, args.labels, args.out, args.num_classes, args.tile_size, args.tiling)
    except (ValueError, OSError) as error:
        sys.exit(f'error: {error}')
    print(f'{args.out}: {number} tiles of {args.tile_size}x{args.tile_size} in img_dir and ann_dir')


if __name__ == '__main__':
    main()
