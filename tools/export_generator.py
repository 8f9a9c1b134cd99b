"""Writes a trained generator as a folder of safetensors and JSON with a model card, in the layout of diffusers.

`tools/generate_pairs.py` and `mmseg_pfdiff.checkpoints.load_cascade` take the folder, without config or data set.
"""

import argparse
from pathlib import Path

import mmseg_pfdiff  # noqa: F401  (registers the components, and lets checkpoints load safely)
from mmseg_pfdiff.checkpoints import GeneratorCard, open_generator
from mmseg_pfdiff.checkpoints.options import generator_arguments
from mmseg_pfdiff.checkpoints.save import check_exportable, check_new_folder, write_cascade
from mmseg_pfdiff.command_line import ConfigOptions, add_data_argument, run_main
from mmseg_pfdiff.folder_lock import locked_folder


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'source', metavar='config', help='config of the generator; its training tiles give the phase fractions'
    )
    parser.add_argument('checkpoint', help='weights of the generator')
    parser.add_argument('out', help='folder to write, missing or empty')
    parser.add_argument('--sr-config', help='config of the super-resolution model')
    parser.add_argument('--sr-checkpoint', help='weights of the super-resolution model')
    parser.add_argument('--licence', help='licence of the training data, for the model card')
    parser.add_argument('--description', help='what the training data are, for the model card')
    add_data_argument(parser)
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions, help='key=value settings over CONFIG')
    parser.add_argument('--sr-cfg-options', nargs='+', action=ConfigOptions, help='the same over the --sr-config')
    args = parser.parse_args()
    if bool(args.sr_config) != bool(args.sr_checkpoint):
        parser.error('--sr-config and --sr-checkpoint go together')
    return args


def export(args: argparse.Namespace) -> GeneratorCard:
    """Writes the folder; returns its card."""
    opened = open_generator(**generator_arguments(args))
    check_exportable(opened.card, opened.requests)
    stated = dict(data=args.description, licence=args.licence)
    card = opened.card._replace(**{name: text for name, text in stated.items() if text})
    write_cascade(opened.cascade(), args.out, card)
    return card


def main() -> None:
    """Exports."""
    args = parse_args()
    with locked_folder(args.out):
        check_new_folder(args.out)
        card = export(args)
    size = sum(path.stat().st_size for path in Path(args.out).rglob('*') if path.is_file())
    print(f'{args.out} holds the generator of {", ".join(card.classes)}: {size / 2**20:.1f} MiB. See its README.md.')
    if not args.licence:
        print('The card states no licence of the training data; give it with --licence.')


if __name__ == '__main__':
    run_main(main, 'The folder is written whole or not at all; if it is not there, the same command exports anew.')
