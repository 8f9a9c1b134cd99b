"""Trains a generator or a segmentor: `python tools/train.py configs/pfdiff/unet_r50_ratio8.py`."""

import argparse

from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmseg_pfdiff.command_line import run_main
from mmseg_pfdiff.data.label_scan import check_label_maps
from mmseg_pfdiff.engine.generator_checks import check_generator
from mmseg_pfdiff.engine.launch import prepare_cpu_training, process_rank
from mmseg_pfdiff.engine.model_checks import check_model
from mmseg_pfdiff.engine.run_checks import check_run
from mmseg_pfdiff.engine.run_config import add_run_arguments, read_run_config, use_mixed_precision, use_own_hooks
from mmseg_pfdiff.engine.work_dir import checkpoint_to_resume, describe_result, failures_named, prepare_work_dir
from mmseg_pfdiff.folder_lock import locked_folder


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    begin = parser.add_mutually_exclusive_group()
    begin.add_argument(
        '--resume',
        action='store_true',
        help='go on from the last checkpoint of the work dir, by the schedule and the optimizer settings given now',
    )
    begin.add_argument('--overwrite', action='store_true', help='first remove the checkpoints in the work dir')
    parser.add_argument('--amp', action='store_true', help='mixed precision, on a GPU')
    add_run_arguments(parser)
    return parser.parse_args()


def main() -> None:
    """Trains."""
    args = parse_args()
    config = read_run_config(args)
    if args.amp:
        use_mixed_precision(config)
    use_own_hooks(config)
    init_default_scope(config.get('default_scope') or 'mmseg')  # where the checks look components up
    check_run(config, ['train', 'val'])
    leader = process_rank(config.launcher) == 0
    if leader:
        scan = check_label_maps([(config.get(f'{part}_dataloader') or {}).get('dataset') for part in ('train', 'val')])
        check_generator(config, scan.fractions)
    resume = args.resume or bool(config.get('resume'))
    config.resume = False  # what is written to the work dir, with the rest of the config, is how to train it
    with locked_folder(config.work_dir, leader=leader), failures_named(config.work_dir):
        if leader:
            prepare_work_dir(config, resume=resume, overwrite=args.overwrite)
        prepare_cpu_training(config)
        runner = Runner.from_cfg(config)
        check_model(runner)
        # The other processes wait for the first one when the Runner is built: now all find the same.
        checkpoint = checkpoint_to_resume(config) if resume else None
        if checkpoint is not None:
            # Not in the config, whose `load_from` is where training started from.
            runner._resume, runner._load_from = True, str(checkpoint)
        runner.train()
        if leader:
            print(describe_result(config))


if __name__ == '__main__':
    run_main(
        main,
        'Checkpoints written so far are kept; the same command with --resume (without --overwrite) goes on from the '
        'last one.',
    )
