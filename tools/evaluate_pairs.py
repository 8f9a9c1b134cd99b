"""Evaluates a folder of generated pairs: `python tools/evaluate_pairs.py PAIRS data/metaldam --out evaluation`.

Writes index.html, a page that needs no other file, and evaluation.json with its numbers: phase fractions, distances,
precision and recall of images and masks, maps, microstructure of masks, power spectra of images, and copies of training
tiles, each beside the same for real tiles that the generator never saw. The pairs stay as they are.
"""

import argparse
import time
from pathlib import Path

import torch

import mmseg_pfdiff  # noqa: F401  (registers the components, and lets checkpoints load safely)
from mmseg_pfdiff.command_line import check_device, run_main, seed_number
from mmseg_pfdiff.folder_lock import locked_folder
from mmseg_pfdiff.metrics.agreement import load_segmentor
from mmseg_pfdiff.metrics.features import InceptionFeatures, LiteFeatures, check_torch_fidelity
from mmseg_pfdiff.metrics.pair_check import PairChecker
from mmseg_pfdiff.pairs.folder import PairFolder
from mmseg_pfdiff.reports.embedding import METHODS, check_scikit_learn
from mmseg_pfdiff.reports.evaluation_page import check_out, evaluate_pairs, write_evaluation

FEATURES = ('efficientnet-lite0', 'inception', 'none')


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('pairs', help='folder that tools/generate_pairs.py wrote')
    parser.add_argument('real_root', help='converted data set that the generator was trained on')
    parser.add_argument('--out', type=Path, required=True, help='folder for the page and its numbers')
    parser.add_argument('--held-out', choices=['val', 'test'], default='val', help='real tiles that give the floor')
    parser.add_argument(
        '--features',
        choices=FEATURES,
        default=FEATURES[0],
        help='network for distances and maps; FID and IS are those of inception (default: %(default)s)',
    )
    parser.add_argument('--inception-weights', metavar='PATH', help='file, in place of fetching them (95 MB)')
    parser.add_argument('--segmentor', nargs=2, metavar=('CONFIG', 'CHECKPOINT'), help='trained on real tiles alone')
    parser.add_argument('--embedding', choices=METHODS, default=METHODS[0], help='of the maps (default: %(default)s)')
    parser.add_argument('--no-copies', action='store_true', help='leave the search for copies out')
    parser.add_argument('--side', type=int, help='windows that pairs are cut into; needed for reduced large pairs only')
    parser.add_argument('--seed', type=seed_number, default=0, help='of subsets, maps and resampling (default: 0)')
    parser.add_argument('--batch-size', type=int, default=16, help='pairs in memory (default: 16)')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    args = parser.parse_args()
    check_device(parser, args.device)
    if args.inception_weights and args.features != 'inception':
        parser.error('--inception-weights needs --features inception')
    if args.batch_size < 1:
        parser.error('--batch-size must be at least 1')
    return args


def load_features(args: argparse.Namespace) -> torch.nn.Module | None:
    """The network that was asked for."""
    if args.features == 'none':
        return None
    check_torch_fidelity('Precision, recall and class scores')
    model = InceptionFeatures(args.inception_weights) if args.features == 'inception' else LiteFeatures()
    return model.to(args.device)


def main() -> None:
    """Evaluates."""
    args = parse_args()
    folder = PairFolder(args.pairs)
    # Before the long work, what is missing shall show.
    check_out(args.out, folder)
    folder.refuse_half_changed()
    check_scikit_learn()
    with locked_folder(args.out):
        evaluate(args, folder)


def evaluate(args: argparse.Namespace, folder: PairFolder) -> None:
    """Compares and writes. The pairs are not locked, as many may read them at a time; that they stayed is checked."""
    start = time.perf_counter()
    extractor = load_features(args)
    segmentor = load_segmentor(*args.segmentor, len(folder.classes), args.device) if args.segmentor else None
    checker = PairChecker(folder, args.real_root, args.held_out, args.side, args.batch_size, args.device)
    sections = evaluate_pairs(
        checker, extractor, segmentor, copies=not args.no_copies, method=args.embedding, seed=args.seed
    )
    checker.refuse_changed_pairs()
    path = write_evaluation(sections, checker, args.out, args.seed)
    seconds = time.perf_counter() - start
    print(f'{len(checker.result.rows)} pairs evaluated in {seconds:.0f} s. Open {path.resolve()}')
    print(f'Its numbers: {path.with_name("evaluation.json").resolve()}')


if __name__ == '__main__':
    run_main(main, 'The pairs stay as they are; the same command evaluates anew.')
