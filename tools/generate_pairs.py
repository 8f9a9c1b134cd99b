"""Generates image-mask pairs with a trained generator, into a pair folder.

Run the same command again to continue an interrupted run, or with a larger --num or --kept to add pairs.
"""

import argparse
import time

from mmengine.dist import barrier, get_dist_info, get_local_rank

import mmseg_pfdiff  # noqa: F401  (registers the components, and lets checkpoints load safely)
from mmseg_pfdiff.checkpoints import OpenedGenerator, open_for_masks, open_generator
from mmseg_pfdiff.checkpoints.options import add_generator_arguments, check_generator_arguments, generator_arguments
from mmseg_pfdiff.command_line import ConfigOptions, run_main, seed_number
from mmseg_pfdiff.compat import package_versions
from mmseg_pfdiff.engine.launch import join_processes
from mmseg_pfdiff.folder_lock import locked_folder
from mmseg_pfdiff.models.generate import MAX_INVENTED, MAX_MOVED, PairRecorder, generate_pairs, generate_until_kept
from mmseg_pfdiff.pairs.folder import PairFolder
from mmseg_pfdiff.reports.folder_summary import folder_summary
from mmseg_pfdiff.requests import FractionSupport, number_of_pairs


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_generator_arguments(parser)
    parser.add_argument('--image-config', help='second stage of a two-stage baseline; CONFIG is then its mask model')
    parser.add_argument('--image-checkpoint', help='weights of the second stage')
    parser.add_argument('--image-cfg-options', nargs='+', action=ConfigOptions, help='the same over the --image-config')
    parser.add_argument(
        '--masks', metavar='FOLDER', help='draw images for these label maps; CONFIG is then that of a painter'
    )
    parser.add_argument(
        '--remodel', action='store_true', help='turn, bend and grow the --masks, to the fractions asked for'
    )
    parser.add_argument('--out', required=True, help='pair folder to write')
    numbers = parser.add_mutually_exclusive_group()
    numbers.add_argument('--num', type=int, help='pairs the folder shall hold; default: the rows of --fractions')
    numbers.add_argument('--kept', type=int, help='draw until so many pairs are kept, in place of --num')
    parser.add_argument(
        '--fractions', metavar='FILE.csv|SHARES', help='a row for each pair, or one for all: matrix=0.3,austenite=0.7'
    )
    parser.add_argument('--target-mean', metavar='SHARES', help='class shares of the whole set, as defect=0.04')
    parser.add_argument(
        '--seed', type=seed_number, default=0, help='pair i is a function of the seed and i (default: 0)'
    )
    parser.add_argument('--batch-size', type=int, default=16, help='pairs drawn together (default: 16)')
    parser.add_argument('--size', type=height_width, metavar='HxW', help='larger pairs, by overlapping windows')
    parser.add_argument(
        '--max-moved', type=float, default=MAX_MOVED, help='share of pixels the exact fractions may move in a kept pair'
    )
    parser.add_argument(
        '--max-invented', type=float, default=MAX_INVENTED, help='share of a class that may be moved there, not drawn'
    )
    parser.add_argument(
        '--speck-area',
        type=int,
        default=0,
        help='before the fractions are met, smaller components take the class around them',
    )
    parser.add_argument('--plain', action='store_true', help='take the nearest class, not exactly the fractions asked')
    parser.add_argument('--half', action='store_true', help='half precision (GPU only)')
    parser.add_argument('--channels-last', action='store_true', help='memory layout that GPUs prefer')
    parser.add_argument('--compile', action='store_true', help='compile the networks: slow start, then faster')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    check_arguments(parser, args)
    return args


def check_arguments(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Ends the program, with a message, for options that do not go together."""
    check_generator_arguments(parser, args)
    if bool(args.image_config) != bool(args.image_checkpoint):
        parser.error('--image-config and --image-checkpoint go together')
    if args.image_cfg_options and not args.image_config:
        parser.error('--image-cfg-options are settings over the --image-config, which is missing')
    check_masks(parser, args)
    if '' in (args.fractions, args.target_mean):
        parser.error('--fractions and --target-mean must not be empty; leave them out for the mixture of the config')
    if args.batch_size < 1 or args.speck_area < 0:
        parser.error('--batch-size must be at least 1, --speck-area at least 0')
    limits = (args.max_moved, args.max_invented)
    if not all(0 <= share <= 1 for share in limits):
        parser.error(f'--max-moved and --max-invented are shares from 0 to 1 (0.03 is 3 %), got {limits}')


def check_masks(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """The same for options that two-stage baselines and given label maps do not take."""
    steering = (args.fractions, args.target_mean)
    drawing = (args.size, args.speck_area, args.plain, args.half, args.channels_last, args.compile)
    if args.image_config and any(steering + drawing):
        parser.error('two-stage baselines take no options for fractions, size, clean-up, precision or compilation')
    if args.masks and any(drawing):
        parser.error('images for given --masks take no options for size, clean-up, precision or compilation')
    if args.masks and args.image_config:
        parser.error('--masks take the place of a mask model: give the image model as CONFIG, without --image-config')
    if args.remodel and not args.masks:
        parser.error('--remodel changes label maps that are given: name their folder with --masks')
    if args.masks and any(steering) and not args.remodel:
        parser.error('--masks are taken as they are: for label maps of other fractions, add --remodel')


def height_width(text: str) -> tuple[int, int]:
    """`703x1024` -> (703, 1024)."""
    height, _, width = text.partition('x')
    if not (height.isdigit() and width.isdigit() and int(height) and int(width)):
        raise argparse.ArgumentTypeError(f'give height and width as 703x1024, got {text!r}')
    return int(height), int(width)


def drawing_options(args: argparse.Namespace) -> dict:
    """Options of the cascade; two stages and given label maps take none."""
    if args.image_config or args.masks:
        return {}
    names = ('speck_area', 'half', 'channels_last', 'compile')
    return dict(exact=not args.plain, **{name: getattr(args, name) for name in names})


def main() -> None:
    """Generates."""
    args = parse_args()
    join_processes(args.launcher, args.device)
    rank, _ = get_dist_info()
    with locked_folder(args.out, leader=rank == 0):
        generate(args, rank)


def open_models(args: argparse.Namespace) -> OpenedGenerator:
    """What draws the pairs."""
    if args.masks is None:
        return open_generator(**generator_arguments(args))
    arguments = {name: value for name, value in generator_arguments(args).items() if not name.startswith('image_')}
    return open_for_masks(args.masks, remodelled=args.remodel, **arguments)


def generate(args: argparse.Namespace, rank: int) -> None:
    """Opens the models, draws what the folder lacks, and says what it holds then."""
    device = f'cuda:{get_local_rank()}' if args.device == 'cuda' else args.device
    opened = open_models(args)
    requests = opened.choose_requests(fractions=args.fractions, target_mean=args.target_mean)
    cascade = opened.cascade(device=device, **drawing_options(args))
    num = number_of_pairs(requests, args.num if args.kept is None else args.kept)
    size = args.size or (cascade.tile_size, cascade.tile_size)
    cascade.check_size(size)
    limits = dict(max_moved=args.max_moved, max_invented=args.max_invented)
    description = dict(
        classes=opened.classes, palette=opened.palette, fractions=requests.describe() or None, **opened.identity,
        size=size, seed=args.seed, exact=cascade.exact, speck_area=args.speck_area, half=args.half,
        **limits, versions=package_versions(),
    )  # fmt: skip
    if rank == 0:
        PairFolder.create(args.out, description)
    barrier()
    folder = PairFolder(args.out)
    support = FractionSupport(opened.card.vectors) if opened.card else None
    record = PairRecorder(cascade, folder.classes, support=support, **limits)
    start, before = time.perf_counter(), len(folder.rows())

    def draw(number: int) -> None:
        options = dict(seed=args.seed, batch_size=args.batch_size, size=args.size, record=record)
        generate_pairs(cascade, requests, folder, num=number, **options)

    if args.kept is None:
        draw(num)
    else:
        generate_until_kept(draw, folder, num, requests.num)
    written, seconds = len(folder.rows()) - before, time.perf_counter() - start
    if rank == 0:
        print(folder_summary(folder, support and support.limit))
        if written:
            print(f'{written} pairs written now, in {seconds:.1f} s, {seconds / written:.2f} s a pair.')


if __name__ == '__main__':
    run_main(main, 'Pairs written so far are kept; the same command goes on.')
