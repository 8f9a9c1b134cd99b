"""Compares ways of adding synthetic pairs: `python tools/compare.py configs/comparison/cpu.py --work-dir DIR`.

Trains generators, generates pairs, trains segmentors for every method, ratio, split and seed, chooses the ratio on the
validation part, tests, and writes a report. Run the same command again to go on, or beside the first one to share the
work.
"""

import argparse
import math
from pathlib import Path

import torch

import mmseg_pfdiff  # noqa: F401  (registers the components)
from mmseg_pfdiff.command_line import run_main
from mmseg_pfdiff.comparison.estimate import describe_work
from mmseg_pfdiff.comparison.plan_file import read_plan
from mmseg_pfdiff.comparison.report import write_report
from mmseg_pfdiff.comparison.summary import summarise
from mmseg_pfdiff.comparison.tool_runner import LAUNCHERS, OutOfTimeError, ToolRunner
from mmseg_pfdiff.comparison.workbench import Workbench


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('plan', help='Python file that says what to compare; see configs/comparison/')
    parser.add_argument('--work-dir', required=True, help='folder for everything')
    parser.add_argument('--max-hours', type=float, default=math.inf, help='stop cleanly after so many hours')
    parser.add_argument('--launcher', choices=sorted(LAUNCHERS), default='none', help='for trainings and generation')
    parser.add_argument(
        '--processes', type=int, default=max(1, torch.cuda.device_count()), help='of --launcher pytorch'
    )
    parser.add_argument('--dry-run', action='store_true', help='only list the tasks and estimate their time')
    args = parser.parse_args()
    if not args.max_hours > 0 or args.processes < 1:
        parser.error('--max-hours must be above 0, --processes at least 1')
    return args


def main() -> None:
    """Compares."""
    args = parse_args()
    runner = ToolRunner(Path(__file__).resolve().parent, args.launcher, args.processes, args.max_hours)
    bench = Workbench(read_plan(args.plan), args.work_dir, runner)
    print(describe_work(bench), flush=True)
    if args.dry_run:
        return
    what = 'The report'
    try:
        bench.work()
    except (OutOfTimeError, KeyboardInterrupt):
        print('Stopped; the same command goes on from here.')
        what = 'The report of what is done'
    print(f'{what} is {write_report(summarise(bench), bench.work_dir / "report")}')


if __name__ == '__main__':
    run_main(main, 'What is done is kept; the same command goes on.', also=(RuntimeError,))
