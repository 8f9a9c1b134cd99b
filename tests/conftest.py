import os
from pathlib import Path

import pytest
import torch
from mmengine.registry import init_default_scope

from mmseg_pfdiff.datasets.demo_micrographs import write_demo_release

# Two threads on networks this small mostly wait for each other.
torch.set_num_threads(1)
# As the Runner does from a config: components are looked up in mmseg's registries.
init_default_scope('mmseg')


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
