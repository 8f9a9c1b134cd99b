"""Checks a folder of generated pairs: `python tools/check_pairs.py PAIRS --real-root data/metaldam`.

Prints tables, writes them to check.md and check.json, and then the measures of each pair to the folder's pairs.csv.
Pairs and labels stay as they are unless --drop-copies or --filter asks otherwise; label maps that are filtered stay in
the folder as they were drawn, and it is those that the next check looks at.
"""

import argparse
from contextlib import ExitStack
from pathlib import Path

import torch

import mmseg_pfdiff  # noqa: F401  (registers the components, and lets checkpoints load safely)
from mmseg_pfdiff.command_line import check_device, run_main
from mmseg_pfdiff.files import resolved
from mmseg_pfdiff.folder_lock import locked_folder
from mmseg_pfdiff.metrics.agreement import load_segmentor
from mmseg_pfdiff.metrics.features import LiteFeatures
from mmseg_pfdiff.metrics.pair_check import PairChecker
from mmseg_pfdiff.metrics.pair_filter import drop_copies, ignore_pixels, mark_disagreeing, plan_ignored
from mmseg_pfdiff.pairs.folder import PairFolder
from mmseg_pfdiff.reports.check_report import write_check


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('pairs', help='folder that tools/generate_pairs.py wrote')
    parser.add_argument('--real-root', required=True, help='converted data set that the generator was trained on')
    parser.add_argument('--held-out', choices=['val', 'test'], default='val', help='real tiles to compare with')
    parser.add_argument('--segmentor', nargs=2, metavar=('CONFIG', 'CHECKPOINT'), help='trained on real tiles alone')
    parser.add_argument('--drop-copies', action='store_true', help='mark copies of training tiles as not kept')
    parser.add_argument(
        '--filter',
        choices=['mark', 'ignore'],
        help='mark pairs that disagree more than real tiles as not kept, or write 255 where image and mask disagree',
    )
    parser.add_argument('--no-copies', action='store_true', help='leave the search for copies out')
    parser.add_argument('--no-distances', action='store_true', help='leave KID and Frechet distance out')
    parser.add_argument('--side', type=int, help='windows that pairs are cut into; needed for reduced large pairs only')
    parser.add_argument('--out', help='folder for the report (default: PAIRS)')
    parser.add_argument('--batch-size', type=int, default=16, help='pairs in memory (default: 16)')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    args = parser.parse_args()
    check_device(parser, args.device)
    if args.filter and not args.segmentor:
        parser.error('--filter needs --segmentor')
    if args.drop_copies and args.no_copies:
        parser.error('--drop-copies needs the search that --no-copies leaves out')
    if args.filter and args.held_out == 'test':
        parser.error('--filter chooses what is trained on, which the test part must not: use --held-out val')
    if args.batch_size < 1:
        parser.error('--batch-size must be at least 1')
    return args


def main() -> None:
    """Checks."""
    args = parse_args()
    PairFolder(args.pairs)  # a wrong path is told before a lock is laid beside it
    out = Path(args.out or args.pairs)
    if out.exists() and not out.is_dir():
        raise ValueError(f'--out {out} is a file; give a folder for the report.')
    with ExitStack() as locks:
        for folder in sorted({resolved(args.pairs), resolved(out)}):
            locks.enter_context(locked_folder(folder))
        check_pairs(args, PairFolder(args.pairs), out)


def check_pairs(args: argparse.Namespace, folder: PairFolder, out: Path) -> None:
    """Looks at all that is asked for, writes the report, and then changes the pairs."""
    folder.remove_leftovers()
    if args.filter != 'ignore':  # which completes what it began
        folder.refuse_half_changed()
    # Before the long work, what is missing shall show.
    extractor = None if args.no_distances else LiteFeatures().to(args.device)
    segmentor = load_segmentor(*args.segmentor, len(folder.classes), args.device) if args.segmentor else None
    checker = PairChecker(folder, args.real_root, args.held_out, args.side, args.batch_size, args.device)
    check, notes = checker.result, []
    if not args.no_copies:
        checker.check_copies()
    if segmentor is not None:
        checker.check_agreement(segmentor)
    if args.drop_copies:
        notes.append(f'{drop_copies(check)} pairs are marked as not kept: copies.')
    if args.filter == 'mark':
        notes.append(f'{mark_disagreeing(check)} pairs are marked as not kept: image and mask disagree.')
    if args.filter == 'ignore':
        check.rows = plan_ignored(folder, check.rows, check.marks)
        notes.append('Label maps are 255 where image and mask disagree; as they were drawn they are in drawn/.')
    if extractor is not None:
        checker.check_distances(extractor)
    kept = sum(row.kept for row in check.rows)
    notes.append(f'{kept} of {len(check.rows)} pairs are kept for training.')
    report = write_check(check, folder.classes, notes, out)
    folder.merge()  # of an interrupted run, so that pairs.csv is all there is
    if args.filter == 'ignore':
        ignore_pixels(folder, check.rows, check.marks)
    else:
        folder.replace_rows(check.rows)
    print(report)


if __name__ == '__main__':
    run_main(main, 'No pair is lost; the same command checks anew, and completes what was begun.')
