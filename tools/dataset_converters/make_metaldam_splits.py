"""Makes the splits that stand in the package: python tools/dataset_converters/make_metaldam_splits.py SOURCE."""

import argparse
from pathlib import Path

from mmseg_pfdiff.command_line import run_main
from mmseg_pfdiff.data.metaldam.deal import folds, holdout, release_statistics
from mmseg_pfdiff.data.metaldam.release import MetalDAMRelease
from mmseg_pfdiff.data.metaldam.splits import SPLITS_FOLDER, write_split

HELD_OUT = 5  # test micrographs of holdout5 as in the paper; validation micrographs of every split
FOLDS = 5


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description='Make the named splits of MetalDAM by the rule in split_rule.py.')
    parser.add_argument('source', help='zip or folder of the release')
    parser.add_argument('--out', type=Path, default=SPLITS_FOLDER, help='default: the package, %(default)s')
    return parser.parse_args()


def main() -> None:
    """Writes holdout5 and fold0..fold4."""
    args = parse_args()
    statistics = release_statistics(MetalDAMRelease(args.source))
    splits = {f'holdout{HELD_OUT}': holdout(statistics, val=HELD_OUT, test=HELD_OUT)}
    splits.update({f'fold{k}': parts for k, parts in enumerate(folds(statistics, FOLDS, val=HELD_OUT))})
    for name, parts in splits.items():
        write_split(args.out / name, parts)
        print(f'{args.out / name}: ' + ', '.join(f'{len(names)} {part}' for part, names in parts.items()))


if __name__ == '__main__':
    run_main(main, 'The same command writes all splits anew.')
