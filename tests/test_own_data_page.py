"""The commands and configs of docs/own-data.md work on own micrographs."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.registry import DATASETS, MODELS
from PIL import Image

from mmseg_pfdiff.engine.generator_checks import check_generator
from mmseg_pfdiff.metrics.real_tiles import held_out_tiles, training_tiles
from mmseg_pfdiff.models.own_data import use_data
from mmseg_pfdiff.pairs.folder import PairFolder
from mmseg_pfdiff.pairs.rows import PairRow

from .running import run_tool

CLASSES = ('ferrite', 'pearlite', 'cementite')
PALETTE = [[0, 114, 178], [240, 228, 66], [213, 94, 0]]
ROOT = Path(__file__).parents[1]
PAGE = (ROOT / 'docs/own-data.md').read_text()
SIZES = dict(train=(256, 300), val=(270, 256), test=(256, 256))


def own_micrograph(part):
    return np.random.default_rng(list(SIZES).index(part)).integers(0, 3, SIZES[part]).astype(np.uint8)


@pytest.fixture
def own_data(tmp_path, monkeypatch):
    """The page's command, run where a micrograph of each part lies; paths are from there."""
    monkeypatch.chdir(tmp_path)
    for part in SIZES:
        label = own_micrograph(part)
        for folder, pixels in (('images', label * 100), ('labels', label)):
            path = Path('my', part, folder, f'{part}0.png')
            path.parent.mkdir(parents=True)
            Image.fromarray(pixels).save(path)
    [command] = re.findall(r'python tools/(dataset_converters/micrographs\.py data/mine .*?)\n```', PAGE, re.DOTALL)
    tool, *arguments = shlex.split(command.replace('\\\n', ''))
    run_tool(tool, *arguments)
    return Path('data/mine')


def config_of(name):
    """A config that the page prints, its base where it lies."""
    [block] = re.findall(rf'title="configs/mine/{name}"\n(.*?)```', PAGE, re.DOTALL)
    Path('mine.py').write_text(block.replace('../pfdiff', str(ROOT / 'configs/pfdiff')))
    return Config.fromfile('mine.py')


def paths_and_classes(dataset):
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    return {(info['img_path'], info['seg_map_path']) for info in infos}, dataset.metainfo['classes']


def expected_paths(*names):
    return {tuple(str(Path('data/mine') / name.format(kind)) for kind in ('img_dir', 'ann_dir')) for name in names}


TILES = expected_paths('tiles/{}/train/train0_y0000_x0000.png', 'tiles/{}/train/train0_y0000_x0044.png')


@pytest.mark.usefixtures('own_data')
def test_config_for_own_data():
    config = config_of('pf-diffseg.py')
    config.model.unet = dict(block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4)
    model = MODELS.build(config.model)
    torch.nn.init.zeros_(model.unet.net.conv_out.weight)
    torch.nn.init.zeros_(model.unet.net.conv_out.bias)
    dataset = DATASETS.build(config.train_dataloader.dataset)
    for one in (dataset, DATASETS.build(config.val_dataloader.dataset)):
        assert paths_and_classes(one) == (TILES, CLASSES)
    batch = model.data_preprocessor(
        dict(
            inputs=[dataset[0]['inputs'], dataset[1]['inputs']],
            data_samples=[dataset[n]['data_samples'] for n in (0, 1)],
        )
    )
    assert batch['inputs']['pairs'].shape == (2, 3, 128, 128)
    # A network that says 0 misses by the noise itself, of variance 1, here of 2 x 3 x 128 x 128 numbers.
    assert model(**batch, mode='loss')['loss_mse'].item() == pytest.approx(1, abs=0.03)
    check_generator(config)


@pytest.mark.usefixtures('own_data')
def test_segmentor_config_for_own_data():
    label = own_micrograph('test')
    pairs = PairFolder.create('data/synthetic/mine', dict(classes=CLASSES, palette=PALETTE))
    for index in range(16):
        pairs.write(PairRow(index, 0, 'uniform', (1, 0, 0), (1, 0, 0)), label[:128, :128], label[:128, :128])
    config = config_of('unet.py')
    mix = config.train_dataloader.dataset
    assert paths_and_classes(DATASETS.build(mix.real)) == (TILES, CLASSES)
    dataset = DATASETS.build(mix)
    assert len(dataset) == 18 and dataset[0]['inputs'].shape == dataset[17]['inputs'].shape == (3, 256, 256)
    for part in ('val', 'test'):
        held_out = DATASETS.build(config[f'{part}_dataloader'].dataset)
        assert paths_and_classes(held_out) == (expected_paths(f'{{}}/{part}/{part}0.png'), CLASSES)
        sample = held_out[0]
        label = own_micrograph(part)
        assert np.array_equal(sample['inputs'].numpy(), np.stack([label * 100] * 3))
        assert np.array_equal(sample['data_samples'].gt_sem_seg.data[0].numpy(), label)
    assert config.model.decode_head.num_classes == 3


def test_own_data_serve_the_evaluation_of_pairs(own_data):
    tiles = training_tiles(own_data, side=128, num_classes=3)
    assert tiles.names == ['train0_y0000_x0000', 'train0_y0000_x0044'] and tiles.images.shape == (2, 128, 128)
    for part, count in (('train', 2), ('val', 2), ('test', 1)):
        held_out = held_out_tiles(own_data, part, side=128, num_classes=3)
        assert held_out.images.shape == held_out.labels.shape == (count, 128, 128)
    whole = held_out_tiles(own_data, 'test', side=256, num_classes=3)
    assert np.array_equal(whole.labels[0], own_micrograph('test'))
    assert np.array_equal(whole.images[0], own_micrograph('test') * 100)


@pytest.mark.usefixtures('own_data')
def test_data_option_reads_what_the_configs_say():
    lines = re.findall(r'tools/(train|test)\.py (configs/\S+ [^\n]*--data data/mine)', PAGE)
    assert len(lines) == 4
    for tool, line in lines:
        config = Config.fromfile(ROOT / line.split()[0])
        use_data(config, 'data/mine')
        part = config[f'{tool}_dataloader'].dataset
        dataset = DATASETS.build(part.get('real', part))
        assert dataset.metainfo['classes'] == CLASSES and dataset[0]['data_samples'] is not None
        counts = [config.model.get('decode_head', {}), config.model.data_preprocessor]
        assert {count['num_classes'] for count in counts if 'num_classes' in count} == {3}
