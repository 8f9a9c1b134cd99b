import copy

import pytest
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.runner import Runner
from mmseg.registry import MODELS

from mmseg_pfdiff.engine.model_checks import check_model, check_sample_sizes

from ..releases import write_pairs
from ..running import ROOT, SMALL_SEGMENTOR

CONFIGS = ROOT / 'configs/small'


@pytest.fixture
def mix(demo_data, tmp_path):
    """A config of tiles of 64x64 and pairs of 8x8 that are resized to 256x256; crops of 128x128."""
    write_pairs(tmp_path / 'pairs', 90)
    config = Config.fromfile(CONFIGS / 'unet_r18_128x128_ratio2.py')
    config.train_dataloader.dataset.real.data_root = str(demo_data)
    config.train_dataloader.dataset.synthetic.data_root = str(tmp_path / 'pairs')
    return config


def check(config, **preprocessor):
    preprocessor = MODELS.build({**config.model.data_preprocessor, **preprocessor})
    check_sample_sizes(config.train_dataloader.dataset, pseudo_collate, preprocessor)


def test_tiles_smaller_than_the_crop(mix, demo_data):
    dataset = mix.train_dataloader.dataset
    for wrapped in (dataset, dataset.real, dict(type='RepeatDataset', times=2, dataset=dataset.real)):
        mix.train_dataloader.dataset = wrapped
        with pytest.raises(ValueError, match=f'tiles of {demo_data} are 64x64, the crop is 128x128 .*--tile-size'):
            check(mix)
    dataset.real.pipeline[2].crop_size = (64, 64)
    check(mix)
    # mmseg's own way: of whatever size a tile is resized to, what is smaller than the crop is filled up.
    dataset.real.pipeline[2].crop_size = (128, 128)
    dataset.real.pipeline.insert(2, dict(type='Resize', scale=(96, 96)))
    check(mix)


def test_samples_that_make_no_batch(mix, demo_data, tmp_path):
    mix.train_dataloader.dataset.real.pipeline[2].crop_size = (64, 48)
    sizes = f'(48x64|64x48) of {demo_data}, 128x128 of {tmp_path}/pairs make no batch: .*Bring them to one size'
    with pytest.raises(ValueError, match=sizes):
        check(mix, size=(64, 64))
    check(mix)  # each is filled up to 128x128
    no_pairs = copy.deepcopy(mix)
    no_pairs.train_dataloader.dataset.ratio = 0
    check(no_pairs, size=(64, 64))


def test_a_training_is_refused(mix, tmp_path):
    mix.merge_from_dict(
        {
            **SMALL_SEGMENTOR,
            'work_dir': str(tmp_path / 'work'),
            'train_dataloader.num_workers': 0,
            'train_dataloader.persistent_workers': False,
            'val_cfg': None,
            'val_dataloader': None,
            'val_evaluator': None,
            'log_level': 'ERROR',
        }
    )
    with pytest.raises(ValueError, match='are 64x64, the crop is 128x128'):
        check_model(Runner.from_cfg(mix))
