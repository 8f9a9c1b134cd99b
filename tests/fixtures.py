"""Fixtures of all tests, and settings of the process that they run in."""

import os
import random
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from mmseg_pfdiff.data.demo import write_demo_release
from mmseg_pfdiff.data.metaldam.convert import convert_release

from .generators import generator, painter, super_resolution
from .grey import grey_data, grey_segmentor, segmentor_config
from .releases import real, synthetic, three_micrographs, tiny_release, zip_folder
from .running import ROOT

# Those of other modules.
__all__ = [
    'generator', 'grey_data', 'grey_segmentor', 'painter', 'real', 'segmentor_config', 'super_resolution', 'synthetic',
    'three_micrographs', 'tiny_release', 'zip_folder',
]  # fmt: skip

# Two threads on networks this small mostly wait for each other; those of commands that tests start as well.
torch.set_num_threads(1)
os.environ.setdefault('OMP_NUM_THREADS', '1')
# Ctrl-C is ignored by what a shell starts in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Worker processes of a runner that is collected as garbage do not hear that they shall end; torch waits 5 s for each.
torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL = 0.2
# The same cases on every machine, however slow it is.
settings.register_profile('suite', derandomize=True, deadline=None)
settings.load_profile('suite')
# As the Runner does from a config: components are looked up in mmseg's registries.
init_default_scope('mmseg')


@pytest.fixture(autouse=True)
def same_random_numbers():
    """The same random numbers in every run of a test, alone or among others."""
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)


@pytest.fixture(scope='session')
def metaldam_root() -> Path:
    """The MetalDAM release, zip or folder; the test is skipped without it."""
    root = os.environ.get('METALDAM_ROOT')
    if not root:
        pytest.skip('METALDAM_ROOT is not set to the MetalDAM release')
    return Path(root)


@pytest.fixture(scope='session')
def demo_release(tmp_path_factory) -> Path:
    """A small procedural release, 9 micrographs of 128x192; its split lies in `split/`. Read only."""
    root = tmp_path_factory.mktemp('demo') / 'release'
    write_demo_release(root, num_micrographs=9, size=(128, 192), seed=0)
    return root


@pytest.fixture(scope='session')
def demo_data(demo_release, tmp_path_factory) -> Path:
    """The procedural release converted, with tiles of 64x64. Read only."""
    root = tmp_path_factory.mktemp('converted') / 'data'
    convert_release(demo_release, root, split=str(demo_release / 'split'), tile_size=64)
    return root


@pytest.fixture(scope='session')
def few_tiles(demo_data, tmp_path_factory) -> Path:
    """`demo_data` with two of its training micrographs, for what takes long on each tile. Read only."""
    root = tmp_path_factory.mktemp('few') / 'data'
    shutil.copytree(demo_data, root)
    others = sorted(path.stem for path in (demo_data / 'img_dir/train').iterdir())[2:]
    for path in root.rglob('train/*.png'):
        if path.stem.partition('_y')[0] in others:
            path.unlink()
    return root


@pytest.fixture(scope='session')
def random_generators(demo_data, tmp_path_factory) -> list[Path]:
    """Config and checkpoint of a generator and of a super-resolution model, of random weights, for `demo_data`."""
    root = tmp_path_factory.mktemp('random')
    paths = []
    for name, size in (('pf-diffseg_tiny-64x64', 32), ('pair-sr_tiny-64to128', 64)):
        config = Config.fromfile(ROOT / f'configs/small/{name}.py')
        config.merge_from_dict(
            {
                'model.unet': dict(block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4, patch_size=2),
                'model.data_preprocessor.size': size,
                'model.sampler.steps': 3,
                'train_dataloader.dataset.data_root': str(demo_data),
            }
        )
        config.dump(root / f'{name}.py')
        torch.manual_seed(0)
        torch.save(dict(state_dict=MODELS.build(config.model).state_dict()), root / f'{name}.pth')
        paths += [root / f'{name}.py', root / f'{name}.pth']
    return paths
