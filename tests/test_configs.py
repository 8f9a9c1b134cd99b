"""Every config loads; every segmentor of them builds."""

import argparse
from pathlib import Path

import pytest
import torch
from mmengine import Config, DictAction
from mmengine.registry import DefaultScope
from mmseg.registry import DATASETS, MODELS
from PIL import Image

import mmseg_pfdiff  # noqa: F401

ROOT = Path(__file__).parents[1] / 'configs'
FOLDERS = ('pfdiff', 'baselines', 'small')
CONFIGS = sorted(path for folder in FOLDERS for path in (ROOT / folder).glob('*.py'))
ARCHITECTURES = ('unet', 'unetplusplus', 'linknet', 'manet')


def load(name, folder='pfdiff'):
    return Config.fromfile(ROOT / folder / f'{name}.py')


def build(config):
    with DefaultScope.overwrite_default_scope('mmseg'):
        return MODELS.build(config.model)


def without_weights(config, key):
    """As `--cfg-options model.backbone.<key>=None` reads it."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    config.merge_from_dict(parser.parse_args(['--cfg-options', f'model.backbone.{key}=None']).cfg_options)
    return config


def test_there_are_configs():
    names = {path.stem for path in CONFIGS}
    assert {f'{a}_r50_{r}' for a in ARCHITECTURES for r in ('real', 'ratio8')} | {'segformer_mit-b0_ratio8'} <= names
    assert len(names) == len(CONFIGS), 'work directories are named by configs, so each has a name of its own'


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_loads_and_says_what_it_needs(path):
    config = Config.fromfile(path)
    assert config.custom_imports.imports == ['mmseg_pfdiff']
    assert config.default_scope == 'mmseg'
    assert config.train_dataloader.batch_size >= 1
    assert Config.fromstring(config.pretty_text, '.py')._cfg_dict == config._cfg_dict  # what the run folder keeps


@pytest.mark.parametrize('architecture', ARCHITECTURES)
def test_smp_segmentors(architecture):
    real, mixed = load(f'{architecture}_r50_real'), load(f'{architecture}_r50_ratio8')
    assert real.model == mixed.model
    assert real.model.backbone.weights == 'imagenet'
    assert without_weights(load(f'{architecture}_r50_real'), 'weights').model.backbone.weights is None
    with torch.device('meta'):  # building is enough, and quick without values
        model = build(real)
    assert model.decode_head.recipe.decoder.__name__.lower() == f'{architecture}decoder'
    assert model.decode_head.loss_decode.loss_name == 'loss_dice'
    assert model.num_classes == 4
    assert mixed.train_dataloader.dataset.real == real.train_dataloader.dataset
    assert real.train_dataloader.batch_size == mixed.train_dataloader.batch_size == 64
    assert real.train_cfg.max_epochs == 100
    assert real.optim_wrapper.optimizer == dict(type='Adam', lr=1e-4)
    assert real.model.test_cfg == dict(
        mode='slide', crop_size=(256, 256), stride=(128, 128), window_batch=8, average='probabilities'
    )


def test_the_ratio_is_one_option():
    config = load('unet_r50_ratio8')
    config.merge_from_dict({'train_dataloader.dataset.ratio': 4})
    assert config.train_dataloader.dataset.type == 'SyntheticPairMix'
    assert config.train_dataloader.dataset.ratio == 4
    assert config.train_dataloader.dataset.real.data_prefix.img_path == 'tiles/img_dir/train'
    assert 'data_prefix' not in config.train_dataloader.dataset


def test_test_and_validation_stay_apart():
    config = load('unet_r50_real')
    config.merge_from_dict({'test_dataloader.dataset.data_root': 'elsewhere', 'test_evaluator.0.report_file': 'a.json'})
    assert config.val_dataloader.dataset.data_root == 'data/metaldam'
    assert config.val_dataloader.dataset.data_prefix.img_path == 'img_dir/val'
    assert config.test_dataloader.dataset.data_prefix.img_path == 'img_dir/test'
    assert config.test_evaluator[0].report_file == 'a.json' and 'report_file' not in config.val_evaluator[0]
    assert config.val_evaluator[1].type == config.test_evaluator[1].type == 'PhaseFractionMetric'
    assert config.default_hooks.checkpoint.save_best == 'mIoU'


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_segmentors_can_be_tested_with_augmentation(path):
    config = Config.fromfile(path)
    if 'test_dataloader' not in config:
        return
    views, load_label, pack = config.tta_pipeline[-1].transforms
    # But for the views, micrographs are loaded, resized and packed as without them.
    assert [*config.tta_pipeline[:-1], *load_label, *pack] == config.test_pipeline
    assert [view.prob for view in views] == [0, 1, 1] and config.tta_model.type == 'MicrographTTAModel'
    assert config.test_dataloader.dataset.pipeline == config.val_dataloader.dataset.pipeline == config.test_pipeline
    assert config.model.test_cfg.get('window_batch', 8) == 8 and 'keep_logits' not in config.model.test_cfg


def test_at_half_size_predictions_have_the_size_of_the_micrograph(demo_data):
    config = load('unet_r18_half-size_ratio2', 'small')
    for part in ('train', 'val'):
        dataset = config[f'{part}_dataloader'].dataset
        dataset.get('real', dataset).data_root = str(demo_data)
    tiles = DATASETS.build(config.train_dataloader.dataset.real)
    assert tiles[0]['inputs'].shape == (3, 128, 128)
    micrographs = DATASETS.build(config.val_dataloader.dataset)
    size = Image.open(micrographs.get_data_info(0)['img_path']).size[::-1]
    sample = micrographs[0]
    assert sample['inputs'].shape == (3, *(round(side / 2) for side in size))
    [result] = build(config).eval().test_step(dict(inputs=[sample['inputs']], data_samples=[sample['data_samples']]))
    assert result.pred_sem_seg.data.shape == result.gt_sem_seg.data.shape == (1, *size)


def test_a_model_that_mmseg_ships():
    config = load('segformer_mit-b0_ratio8')
    assert config.train_dataloader.dataset.type == 'SyntheticPairMix'
    model = build(without_weights(config, 'init_cfg'))
    model.init_weights()  # reads nothing from the network
    assert type(model).__name__ == 'SlidingWindowEncoderDecoder'
    assert model.test_cfg.mode == 'slide'
    assert model.decode_head.conv_seg.out_channels == 4
    assert 'SyncBatchNorm' not in {type(module).__name__ for module in model.modules()}
