"""Tests a segmentor on whole micrographs: `python tools/test.py CONFIG CHECKPOINT`."""

import argparse
from contextlib import ExitStack
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import barrier
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmseg_pfdiff.command_line import run_main
from mmseg_pfdiff.data.label_scan import check_label_maps
from mmseg_pfdiff.engine.launch import prepare_cpu_training, process_rank
from mmseg_pfdiff.engine.run_checks import check_run
from mmseg_pfdiff.engine.run_config import add_run_arguments, read_run_config
from mmseg_pfdiff.engine.testing import (
    TestedMicrographs,
    check_weights,
    data_folders,
    look_at_micrographs,
    predictions_depend_on,
    tested_metrics,
    under_another_name,
    use_augmentation,
)
from mmseg_pfdiff.folder_lock import locked_folder
from mmseg_pfdiff.metrics.predictions import PredictionFolder, refuse_over_data
from mmseg_pfdiff.metrics.segmentation import MicrographIoUMetric


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='weights written by tools/train.py')
    parser.add_argument('--out', help='folder for the predicted label maps: index PNGs, and overlays/ to look at')
    parser.add_argument('--tta', action='store_true', help='average over the views of tta_pipeline')
    add_run_arguments(parser)
    return parser.parse_args()


def prepare(args: argparse.Namespace) -> tuple[Config, TestedMicrographs]:
    """The config of the test, and its micrographs; refuses what cannot be tested."""
    config = read_run_config(args)
    if config.get('test_evaluator') is None:
        raise ValueError(
            f'{args.config} has no test part; tools/test.py tests segmentors. Generators are judged by the validation '
            'of tools/train.py and by tools/generate_pairs.py.'
        )
    init_default_scope(config.get('default_scope') or 'mmseg')  # where the checks look components up
    check_run(config, ['test'])
    if process_rank(config.launcher) == 0:
        check_label_maps([config.test_dataloader.dataset])
    config.load_from = args.checkpoint
    reports = tested_metrics(config, MicrographIoUMetric)
    if args.out and not reports:
        raise ValueError('--out needs a test_evaluator of type MicrographIoUMetric.')
    for report in reports:
        report.setdefault('report_file', str(Path(config.work_dir, 'test.json')))
        report.output_dir = args.out
    if args.tta:
        use_augmentation(config)
    tested = look_at_micrographs(config)
    if args.out:
        files = [*tested.images, *filter(None, tested.labels)]
        refuse_over_data(args.out, tested.names, data_folders(config), files)
    return under_another_name(config, f'{Path(args.config).stem}_test.py'), tested


def test(config: Config, tested: TestedMicrographs, args: argparse.Namespace, *, leader: bool) -> None:
    """Tests, and writes what was asked for."""
    prepare_cpu_training(config)
    runner = Runner.from_cfg(config)
    weights = check_weights(runner, args.checkpoint)
    folder = PredictionFolder(args.out, predictions_depend_on(config, weights, tested)) if args.out else None
    if folder is not None and leader:
        folder.begin()
    barrier()  # no process writes a prediction before the first one has found that it may
    runner.test()
    if leader:
        if folder is not None:
            folder.finish()
        print(
            'Done.',
            *(f'Per micrograph: {metric.report_file}.' for metric in tested_metrics(config, MicrographIoUMetric)),
        )
        if args.out:
            print(f'Predicted label maps: {args.out}')


def main() -> None:
    """Tests, alone in what it writes."""
    args = parse_args()
    config, tested = prepare(args)
    leader = process_rank(config.launcher) == 0
    written = [metric.report_file for metric in tested_metrics(config, MicrographIoUMetric)]
    with ExitStack() as locks:
        for path in filter(None, [*dict.fromkeys(written), args.out]):
            locks.enter_context(locked_folder(path, leader=leader))
        test(config, tested, args, leader=leader)


if __name__ == '__main__':
    run_main(
        main,
        'A report that was there stays as it was until the test is at its end. Predicted label maps written so far lie '
        'in --out, if it was given. The same command tests anew.',
    )
