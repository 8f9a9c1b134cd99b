from pathlib import Path
from typing import NamedTuple

import pytest

from ..grey import grey_data, grey_segmentor  # noqa: F401
from ..running import run_tool


class World(NamedTuple):
    """What tools take that are killed; all of it is read only."""

    release: Path
    data: Path
    segmentor: tuple[Path, Path]
    generators: list[Path]
    pairs: Path


@pytest.fixture(scope='module')
def world(demo_release, grey_data, grey_segmentor, random_generators, tmp_path_factory):  # noqa: F811
    pairs = tmp_path_factory.mktemp('drawn') / 'pairs'
    free = ['--max-moved', 1, '--max-invented', 1]
    run_tool('generate_pairs.py', *random_generators[:2], '--out', pairs, '--num', 12, '--size', '64x64', *free)
    return World(demo_release, grey_data, grey_segmentor, random_generators, pairs)
