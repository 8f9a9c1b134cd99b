"""Tests a segmentor on whole micrographs: `python tools/test.py CONFIG CHECKPOINT`."""

import argparse
import sys
from pathlib import Path

from mmengine.config import ConfigDict
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader

from mmseg_pfdiff.engine.run_checks import check_run
from mmseg_pfdiff.engine.run_config import add_run_arguments, read_run_config


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='weights written by tools/train.py')
    parser.add_argument('--out', help='folder for the predicted label maps: index PNGs, and overlays/ to look at')
    add_run_arguments(parser)
    return parser.parse_args()


def image_folder(dataset: ConfigDict) -> str | None:
    """Folder of the images of a data set, below which its micrographs are named."""
    prefix = dataset.get('data_prefix', {}).get('img_path')
    return None if prefix is None else str(Path(dataset.get('data_root') or '', prefix))


def main() -> None:
    """Tests."""
    args = parse_args()
    config = read_run_config(args)
    if config.get('test_evaluator') is None:
        raise SystemExit(
            f'{args.config} has no test part; tools/test.py tests segmentors. Generators are judged by the validation '
            'of tools/train.py and by tools/generate_pairs.py.'
        )
    check_run(config, ['test'])
    config.load_from = args.checkpoint
    evaluators = config.test_evaluator if isinstance(config.test_evaluator, list) else [config.test_evaluator]
    reports = [evaluator for evaluator in evaluators if evaluator.type == 'MicrographIoUMetric']
    if args.out and not reports:
        raise SystemExit('--out needs a test_evaluator of type MicrographIoUMetric.')
    for report in reports:
        report.setdefault('report_file', str(Path(config.work_dir, 'test.json')))
        report.output_dir = args.out
        report.image_root = image_folder(config.test_dataloader.dataset)
    runner = Runner.from_cfg(config)
    state = CheckpointLoader.load_checkpoint(args.checkpoint, map_location='cpu')
    state = state.get('state_dict', state)
    needed = {name: weight.shape for name, weight in runner.model.state_dict().items()}
    unfit = sorted(name for name, shape in needed.items() if name not in state or state[name].shape != shape)
    if unfit:
        # mmengine would go on with random weights.
        raise SystemExit(
            f'{args.checkpoint} does not fit the network of {args.config}: {len(unfit)} of its weights are missing or '
            f'of another shape, {unfit[0]} for one. Give the checkpoint that was trained with this config.'
        )
    runner.test()
    if runner.rank == 0:
        print('Done.', *(f'Per micrograph: {report.report_file}.' for report in reports))
        if args.out:
            print(f'Predicted label maps: {args.out}')


if __name__ == '__main__':
    try:
        main()
    except (ValueError, OSError) as error:
        sys.exit(f'error: {error}')
