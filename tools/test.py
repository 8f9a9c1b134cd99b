"""Tests a segmentor on whole micrographs: `python tools/test.py CONFIG CHECKPOINT`."""

import argparse
from pathlib import Path

from mmengine.config import ConfigDict
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader

from mmseg_pfdiff.engine.run_checks import check_run, data_folder, data_sets
from mmseg_pfdiff.engine.run_config import add_run_arguments, read_run_config
from mmseg_pfdiff.tool_main import run_main


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='weights written by tools/train.py')
    parser.add_argument('--out', help='folder for the predicted label maps: index PNGs, and overlays/ to look at')
    add_run_arguments(parser)
    return parser.parse_args()


def check_out(out: str, tested: ConfigDict) -> None:
    """Refuses to write predictions, which are named like micrographs, among the data.

    Raises:
        ValueError: `out` is a folder of a data set, or in one.
    """
    folders = [data_folder(one, kind) for one in data_sets(tested) for kind in ('img_path', 'seg_map_path')]
    for folder in filter(None, folders):
        if Path(out).resolve().is_relative_to(folder.resolve()):
            raise ValueError(f'--out {out} lies in {folder}, whose files it would replace: give a folder of its own.')


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
    tested = config.test_dataloader.dataset
    evaluators = config.test_evaluator if isinstance(config.test_evaluator, list) else [config.test_evaluator]
    reports = [evaluator for evaluator in evaluators if evaluator.type == 'MicrographIoUMetric']
    if args.out and not reports:
        raise SystemExit('--out needs a test_evaluator of type MicrographIoUMetric.')
    if args.out:
        check_out(args.out, tested)
    # Micrographs are named by their paths below it.
    image_root = data_folder(tested, 'img_path')
    for evaluator in evaluators:
        if evaluator.type in ('MicrographIoUMetric', 'PhaseFractionMetric'):
            evaluator.image_root = None if image_root is None else str(image_root)
    for report in reports:
        report.setdefault('report_file', str(Path(config.work_dir, 'test.json')))
        report.output_dir = args.out
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
    run_main(main, 'There is no report; the same command tests anew.')
