"""What the README tells a user to write works."""

import re
import textwrap
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmseg.registry import DATASETS, MODELS
from PIL import Image

from mmseg_pfdiff.datasets import PairFolder, PairRow
from mmseg_pfdiff.datasets.tile_folder import tile_folder
from mmseg_pfdiff.generators.loading import build_fraction_sampler

CLASSES = ('ferrite', 'pearlite', 'cementite')
PALETTE = [[0, 114, 178], [240, 228, 66], [213, 94, 0]]
ROOT = Path(__file__).parents[1]
README = (ROOT / 'README.md').read_text()


def test_config_for_own_data(tmp_path):
    [block] = re.findall(r'\n( +_base_ = .\.\./pfdiff/pf-diffseg.*?richest=0\.1\)\]\))\n', README, re.DOTALL)
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


def test_segmentor_config_for_own_data(tmp_path):
    [block] = re.findall(r'\n( +_base_ = .\.\./pfdiff/unet_r50.*?num_classes=3\)\))\n', README, re.DOTALL)
    text = textwrap.dedent(block).replace('../pfdiff', str(ROOT / 'configs/pfdiff'))
    (tmp_path / 'mine.py').write_text(text)
    label = np.random.default_rng(0).integers(0, 3, (256, 256)).astype(np.uint8)
    for folder in ('img_dir', 'ann_dir', 'images', 'labels'):
        (tmp_path / folder).mkdir()
        Image.fromarray(label).save(tmp_path / folder / 'a.png')
    pairs = PairFolder.create(tmp_path / 'pairs', dict(classes=CLASSES, palette=PALETTE))
    for index in range(8):
        pairs.write(PairRow(index, 0, 'uniform', (1, 0, 0), (1, 0, 0)), label[:128, :128], label[:128, :128])
    config = Config.fromfile(tmp_path / 'mine.py')
    mix = config.train_dataloader.dataset
    mix.real.data_root, mix.synthetic.data_root = str(tmp_path), str(tmp_path / 'pairs')
    dataset = DATASETS.build(mix)
    assert len(dataset) == 9 and dataset[0]['inputs'].shape == dataset[8]['inputs'].shape == (3, 256, 256)
    for loader in (config.val_dataloader, config.test_dataloader):
        loader.dataset.data_root = str(tmp_path)
        assert DATASETS.build(loader.dataset).metainfo['classes'] == CLASSES
    assert config.model.decode_head.num_classes == 3


@pytest.mark.parametrize('path', sorted(set(re.findall(r'(?:configs|tools|mmseg_pfdiff)/[\w./-]+\.py', README))))
def test_files_it_names_are_there(path):
    assert (ROOT / path).is_file()
