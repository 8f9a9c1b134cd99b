"""Generates image-mask pairs with a trained generator, into a pair folder.

Run the same command again to continue an interrupted run, or with a larger --num to add pairs.
"""

import argparse
import time

import torch
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope

import mmseg_pfdiff  # noqa: F401  (registers the components, and lets checkpoints load safely)
from mmseg_pfdiff.datasets import PairFolder
from mmseg_pfdiff.evaluation import fraction_table
from mmseg_pfdiff.generators import SAMPLERS, PairCascade
from mmseg_pfdiff.generators.generation import describe_fractions, describe_part, generate_pairs, package_versions
from mmseg_pfdiff.generators.loading import build_fraction_sampler, dataset_palette, load_generator


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config of the generator; its training tiles give the phase fractions')
    parser.add_argument('checkpoint', help='weights of the generator')
    parser.add_argument('--out', required=True, help='pair folder to write')
    parser.add_argument('--num', type=int, required=True, help='pairs the folder shall hold')
    parser.add_argument('--sr-config', help='config of the super-resolution model; without it pairs stay small')
    parser.add_argument('--sr-checkpoint', help='weights of the super-resolution model')
    parser.add_argument('--seed', type=int, default=0, help='pair i is a function of the seed and i (default: 0)')
    parser.add_argument('--batch-size', type=int, default=16, help='pairs drawn together (default: 16)')
    parser.add_argument('--sampler', choices=sorted(SAMPLERS), help="in place of the configs' samplers")
    parser.add_argument('--steps', type=int, help="in place of the samplers' numbers of steps")
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='key=value settings over CONFIG')
    args = parser.parse_args()
    if bool(args.sr_config) != bool(args.sr_checkpoint):
        parser.error('--sr-config and --sr-checkpoint go together')
    if args.num < 1 or args.batch_size < 1 or args.seed < 0:
        parser.error('--num and --batch-size must be at least 1, --seed at least 0')
    return args


def main() -> None:
    """Generates."""
    args = parse_args()
    config = Config.fromfile(args.config)
    config.merge_from_dict(args.cfg_options or {})
    init_default_scope(config.get('default_scope', 'mmseg'))
    generator, sampler = load_generator(config, args.checkpoint, args.sampler, args.steps)
    parts = dict(generator=describe_part(config, args.checkpoint, sampler), super_resolution=None)
    super_resolution = None
    if args.sr_config:
        sr_config = Config.fromfile(args.sr_config)
        super_resolution, sampler = load_generator(sr_config, args.sr_checkpoint, args.sampler, args.steps)
        parts['super_resolution'] = describe_part(sr_config, args.sr_checkpoint, sampler)
    cascade = PairCascade(generator, super_resolution, args.device)
    fractions = build_fraction_sampler(config)
    folder = PairFolder.create(
        args.out,
        dict(
            classes=fractions.classes,
            palette=dataset_palette(config),
            size=[cascade.size, cascade.size],
            seed=args.seed,
            fractions=describe_fractions(fractions, config),
            **parts,
            versions=package_versions(),
        ),
    )
    start = time.perf_counter()
    written = generate_pairs(cascade, fractions, folder, args.num, args.seed, args.batch_size)
    seconds = time.perf_counter() - start
    rows = folder.rows()
    target, measured = (torch.tensor([getattr(row, name) for row in rows]) for name in ('target', 'measured'))
    print(fraction_table(target, measured, folder.classes))
    if written:
        print(f'{written} pairs written in {seconds:.1f} s, {seconds / written:.2f} s a pair.')
    print(f'{args.out} holds {len(rows)} pairs of {cascade.size}x{cascade.size}.')


if __name__ == '__main__':
    main()
