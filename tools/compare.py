"""Compares ways of adding synthetic pairs: `python tools/compare.py configs/comparison/cpu.py --work-dir DIR`.

Trains generators, generates pairs, trains segmentors for every method, ratio, split and seed, chooses the ratio on the
validation part, tests, and writes a report. Run the same command again to go on. Snakemake runs the jobs: all further
options are its own, such as `--cores 4`, `--executor slurm --jobs 20` or `--profile slurm`.
"""

import argparse
import math
from pathlib import Path

import mmseg_pfdiff  # noqa: F401  (registers the components)
from mmseg_pfdiff.command_line import run_main
from mmseg_pfdiff.comparison.estimate import describe_work
from mmseg_pfdiff.comparison.plan_file import read_plan
from mmseg_pfdiff.comparison.report import write_report
from mmseg_pfdiff.comparison.scheduling import run_snakemake, snakemake_command, sync_marks, write_tasks
from mmseg_pfdiff.comparison.summary import summarise
from mmseg_pfdiff.comparison.workbench import Workbench
from mmseg_pfdiff.folder_lock import locked_folder


def parse_args() -> tuple[argparse.Namespace, list[str]]:
    """The command line, and what of it is Snakemake's."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument('plan', help='Python file that says what to compare; see configs/comparison/')
    parser.add_argument('--work-dir', required=True, help='folder for everything')
    parser.add_argument('--max-hours', type=float, default=math.inf, help='stop cleanly after so many hours')
    parser.add_argument('-n', '--dry-run', action='store_true', help='only list the tasks and estimate their time')
    args, options = parser.parse_known_args()
    if not args.max_hours > 0:
        parser.error('--max-hours must be above 0')
    return args, options


def main() -> None:
    """Compares."""
    args, options = parse_args()
    bench = Workbench(read_plan(args.plan), args.work_dir)
    bench.check()
    print(describe_work(bench), flush=True)
    if args.dry_run:
        return
    with locked_folder(bench.work_dir):
        sync_marks(bench)
        tasks = write_tasks(bench, Path(__file__).resolve().parent)
        try:
            finished = run_snakemake(snakemake_command(tasks, bench.work_dir, options), args.max_hours)
            if not finished:
                print('Stopped; the same command goes on from here.')
        finally:
            page = write_report(summarise(bench), bench.work_dir / 'report')
    print(f'The report{"" if finished else " of what is done"} is {page}')


if __name__ == '__main__':
    run_main(main, 'What is done is kept; the same command goes on.', also=(RuntimeError,))
