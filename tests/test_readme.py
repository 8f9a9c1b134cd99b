"""What the README tells a user to write works."""

import re
import textwrap
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmseg.registry import DATASETS, MODELS
from PIL import Image

from mmseg_pfdiff.datasets.tile_folder import tile_folder
from mmseg_pfdiff.generators.loading import build_fraction_sampler

ROOT = Path(__file__).parents[1]
README = (ROOT / 'README.md').read_text()


def test_config_for_own_data(tmp_path):
    [block] = re.findall(r'\n( +_base_ = .\.\./pfdiff.*?richest=0\.1\)\]\))\n', README, re.DOTALL)
    text = textwrap.dedent(block).replace('../pfdiff', str(ROOT / 'configs/pfdiff'))
    (tmp_path / 'mine.py').write_text(text)
    for name in ('images', 'labels'):
        (tmp_path / name).mkdir()
    label = np.random.default_rng(0).integers(0, 3, (256, 300)).astype(np.uint8)
    Image.fromarray(label).save(tmp_path / 'images/a.png')
    Image.fromarray(label).save(tmp_path / 'labels/a.png')
    tile_folder(tmp_path / 'images', tmp_path / 'labels', tmp_path / 'tiles', num_classes=3)
    config = Config.fromfile(tmp_path / 'mine.py')
    unet = dict(block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4)
    config.merge_from_dict(
        {f'{part}_dataloader.dataset.data_root': str(tmp_path / 'tiles') for part in ('train', 'val')}
    )
    config.model.unet = unet
    model = MODELS.build(config.model)
    dataset = DATASETS.build(config.train_dataloader.dataset)
    batch = model.data_preprocessor(
        dict(
            inputs=[dataset[0]['inputs'], dataset[1]['inputs']],
            data_samples=[dataset[n]['data_samples'] for n in (0, 1)],
        )
    )
    assert batch['inputs']['pairs'].shape == (2, 3, 128, 128)
    assert model(**batch, mode='loss')['loss_mse'].item() == pytest.approx(1, abs=0.3)
    assert build_fraction_sampler(config).classes == ('ferrite', 'pearlite', 'cementite')


@pytest.mark.parametrize('path', sorted(set(re.findall(r'(?:configs|tools|mmseg_pfdiff)/[\w./-]+\.py', README))))
def test_files_it_names_are_there(path):
    assert (ROOT / path).is_file()
