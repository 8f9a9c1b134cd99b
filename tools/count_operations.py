"""Counts parameters and operations of generators: `python tools/count_operations.py configs/pfdiff/p[af]*.py`."""

import argparse
from pathlib import Path

from mmengine.config import Config

import mmseg_pfdiff  # noqa: F401  (registers the components)
from mmseg_pfdiff.evaluation.result_table import markdown_table
from mmseg_pfdiff.generators.operations import count_operations
from mmseg_pfdiff.tool_main import run_main


def main() -> None:
    """Counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('configs', nargs='+', help='configs of generators or super-resolution models')
    rows = []
    for path in parser.parse_args().configs:
        found = count_operations(Config.fromfile(path))
        numbers = {'parameters, M': found.parameters / 1e6, 'GFLOP a forward': found.flops / 1e9}
        rows.append({'config': Path(path).stem, **{name: f'{value:.2f}' for name, value in numbers.items()}})
    print(markdown_table(rows, list(rows[0])))


if __name__ == '__main__':
    run_main(main, 'Nothing was written.')
