"""Converts the MetalDAM release: python tools/dataset_converters/metaldam.py MetalDAM_labeled.zip data/metaldam."""

import argparse
from pathlib import Path

from mmseg_pfdiff.command_line import add_conversion_arguments, run_main
from mmseg_pfdiff.data.layout import TILINGS
from mmseg_pfdiff.data.metaldam.convert import convert_release, format_notes, format_shares
from mmseg_pfdiff.data.metaldam.dataset import MetalDAMDataset
from mmseg_pfdiff.data.metaldam.splits import split_names
from mmseg_pfdiff.data.release_files import download_release


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description='Write whole micrographs by part, tiles of the training micrographs, and dataset.json to OUT.'
    )
    parser.add_argument(
        'source',
        nargs='?',
        metavar='SOURCE',
        help='zip of the release, or the folder it unpacks to; leave it out with --download',
    )
    parser.add_argument('out', metavar='OUT', type=Path, help='folder to fill, for example data/metaldam')
    parser.add_argument(
        '--download', action='store_true', help='fetch the zip of release 1.0 into the folder above OUT'
    )
    parser.add_argument('--url', help=f'where --download fetches it from ({MetalDAMDataset.url})')
    parser.add_argument('--sha256', help=f'checksum it must have ({MetalDAMDataset.sha256})')
    add_conversion_arguments(parser, TILINGS)
    parser.add_argument(
        '--split',
        default='holdout5',
        help=f'{", ".join(split_names())}, or a folder with train.txt, val.txt and test.txt (%(default)s)',
    )
    args = parser.parse_intermixed_args()  # SOURCE may be left out, and options may stand between the two paths
    if bool(args.source) == args.download:
        parser.error('give either SOURCE or --download')
    if (args.url or args.sha256) and not args.download:
        parser.error('--url and --sha256 are of --download')
    return args


def main() -> None:
    """Converts, then tells what stands where."""
    args = parse_args()
    source = args.source
    if args.download:
        source = download_release(
            args.url or MetalDAMDataset.url,
            args.sha256 or MetalDAMDataset.sha256,
            args.out.parent / MetalDAMDataset.filename,
        )
    record, changed = convert_release(
        source, args.out, args.split, args.tile_size, args.tiling, allow_absent=args.allow_absent
    )
    print(f'{format_shares(record)}\n{format_notes(record)}')
    print(f'{args.out.resolve()}: {"written" if changed else "complete already, nothing changed"}')


if __name__ == '__main__':
    run_main(main, 'Files written so far are kept, and the same command goes on; a download begins anew.')
