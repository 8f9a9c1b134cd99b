"""Counts parameters and operations of generators: `python tools/count_operations.py configs/pfdiff/p[af]*.py`."""

import argparse
from pathlib import Path

import mmseg_pfdiff  # noqa: F401  (registers the components)
from mmseg_pfdiff.command_line import run_main
from mmseg_pfdiff.config_files import read_config
from mmseg_pfdiff.models.operations import count_operations
from mmseg_pfdiff.reports.tables import markdown_table


def main() -> None:
    """Counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('configs', nargs='+', help='configs of generators or super-resolution models')
    rows = []
    for path in parser.parse_args().configs:
        cost = count_operations(read_config(path))
        numbers = {'parameters, M': cost.parameters / 1e6, 'GFLOP a forward': cost.flops / 1e9}
        rows.append({'config': Path(path).stem, **{name: f'{value:.2f}' for name, value in numbers.items()}})
    print(markdown_table(rows, list(rows[0])))


if __name__ == '__main__':
    run_main(main, 'Nothing was written.')
