"""A training that is interrupted and resumed against one that is not, by the command line, with worker processes."""

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner.checkpoint import CheckpointLoader
from mmseg.registry import HOOKS

from ..running import ROOT, run_tool
from .toy import toy_runner, train

TINY_UNET = dict(block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4, patch_size=2)
MODELS = {
    'pf-diffseg_tiny-64x64': {'unet': TINY_UNET, 'data_preprocessor.size': 32, 'sampler.steps': 2},
    'dcgan_tiny-64x64': {'base_channels': 8, 'data_preprocessor.size': 32},
    'pix2pixhd_tiny-64x64': {
        'generator.base_channels': 4,
        'discriminator.base_channels': 4,
        'data_preprocessor.size': 32,
    },
    'painter_tiny-64to128': {
        'generator': dict(channels=8, num_blocks=1, top_channels=4),
        'discriminator.channels': (4, 8),
        'grain.num': 4,
        'data_preprocessor.size': 32,
        'crop': 16,
    },
    'unet_r18_128x128_real': {
        'backbone.name': 'tu-mobilenetv3_small_050',
        'decode_head.in_channels': [3, 16, 8, 16, 24, 288],
        'decode_head.decoder_cfg.decoder_channels': (16, 8, 8, 8, 8),
        'decode_head.dropout_ratio': 0.1,
        'data_preprocessor.size': (64, 64),
        'test_cfg.crop_size': (64, 64),
        'test_cfg.stride': (64, 64),
    },
}


@HOOKS.register_module()
class Interrupt(Hook):
    """Ctrl-C after an iteration."""

    def __init__(self, iteration):
        self.iteration = iteration

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.iteration:
            raise KeyboardInterrupt


def write_config(name, data, path, stop=None, **options):
    """A config of two epochs of two iterations, the second with a smaller batch."""
    config = Config.fromfile(ROOT / f'configs/small/{name}.py')
    options |= {f'model.{key}': value for key, value in MODELS[name].items()}
    for part in ('train', 'val'):
        options |= {
            f'{part}_dataloader.dataset.data_root': str(data),
            f'{part}_dataloader.num_workers': 2 if part == 'train' else 0,
            f'{part}_dataloader.persistent_workers': part == 'train',
            f'{part}_dataloader.dataset.serialize_data': False,
        }
    options |= {
        'train_dataloader.batch_size': 4,
        'train_dataloader.sampler': dict(type='FixedLengthSampler', length=6),
        'train_cfg.max_epochs': 2,
        'train_cfg.val_interval': 1,
        'default_hooks.checkpoint.interval': 1,
        **options,
    }
    config.merge_from_dict(options)
    if 'pipeline' in config.train_dataloader.dataset and 'unet' in name:
        config.train_dataloader.dataset.pipeline[2].crop_size = (64, 64)
    else:
        config.val_dataloader.sampler.num = 2
    if stop is not None:
        config.custom_hooks = [*config.get('custom_hooks', []), dict(type='Interrupt', iteration=stop)]
    config.dump(path)
    return path


def tensors(path):
    """Everything in a checkpoint that training goes on with, by name."""
    checkpoint = CheckpointLoader.load_checkpoint(str(path))
    held = {}

    def walk(value, name):
        if isinstance(value, torch.Tensor):
            held[name] = value
        elif isinstance(value, dict):
            for key, item in value.items():
                walk(item, f'{name}.{key}')
        elif isinstance(value, (list, tuple)):
            walk(dict(enumerate(value)), name)
        else:
            held[name] = torch.tensor(float(value)) if isinstance(value, (int, float)) else torch.zeros(0)

    for key in ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers'):
        walk(checkpoint.get(key, {}), key)
    return held


def assert_equal_training(first, second):
    first, second = tensors(first), tensors(second)
    assert list(first) == list(second)
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


@pytest.mark.parametrize('name', MODELS)
def test_a_resumed_training_equals_an_uninterrupted_one(name, demo_data, tmp_path):
    seed = {'randomness.seed': 3}
    run_tool('train.py', write_config(name, demo_data, tmp_path / 'run.py', **seed), '--work-dir', tmp_path / 'whole')
    stopped = write_config(name, demo_data, tmp_path / 'stopped.py', stop=3, **seed)
    with pytest.raises(SystemExit):
        run_tool('train.py', stopped, '--work-dir', tmp_path / 'parts')
    assert [path.name for path in (tmp_path / 'parts').glob('epoch_*.pth')] == ['epoch_1.pth']
    run_tool('train.py', tmp_path / 'run.py', '--work-dir', tmp_path / 'parts', '--resume')
    assert_equal_training(tmp_path / 'whole/epoch_2.pth', tmp_path / 'parts/epoch_2.pth')


# Ways to train that go other ways through the loader, with a training that takes no time.
TOYS = {
    'workers': {'train_dataloader.num_workers': 1},
    'two optimizers': {
        'model.type': 'ToyPair',
        'optim_wrapper.constructor': 'PerModuleOptimWrapperConstructor',
        'optim_wrapper.modules': dict(generator=dict(), discriminator=dict()),
    },
    'no seed': {'randomness': dict(seed=None, diff_rank_seed=True)},
    'a seed of the sampler': {'train_dataloader.sampler.seed': 7},
    'iterations': {
        'loop': dict(type='IterBasedTrainLoop', max_iters=8, val_interval=3),
        'train_dataloader.sampler.type': 'InfiniteSampler',
        'default_hooks.checkpoint.by_epoch': False,
        'train_dataloader.num_workers': 1,
    },
    'averaged weights': {'custom_hooks': [dict(type='EMAHook', momentum=0.3)]},
}


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """A function that trains without an interruption, once for each case and seed; gives the work directory."""
    folders = {}

    def train_whole(case, seed, hooks, options):
        if (case, seed) not in folders:
            folders[case, seed] = tmp_path_factory.mktemp('toys') / 'whole'
            train(folders[case, seed], custom_hooks=hooks, **options)
        return folders[case, seed]

    return train_whole


@pytest.mark.parametrize('case', TOYS)
@pytest.mark.parametrize('iteration', [3, 5])
def test_wherever_it_is_interrupted(case, iteration, whole, tmp_path):
    options = dict(TOYS[case])
    hooks = options.pop('custom_hooks', [])
    with pytest.raises(SystemExit):
        stop = dict(type='Stop', moment='before_train_iter', iteration=iteration)
        train(tmp_path / 'parts', custom_hooks=[*hooks, stop], **options)
    [first] = (tmp_path / 'parts').glob(f'*_{iteration // 2 if case != "iterations" else iteration}.pth')
    seed = CheckpointLoader.load_checkpoint(str(first))['meta']['seed']
    train(tmp_path / 'parts', '--resume', custom_hooks=hooks, **options)
    if case == 'no seed':
        options['randomness'] = dict(seed=seed, diff_rank_seed=True)
    last = 'iter_8.pth' if case == 'iterations' else 'epoch_4.pth'
    assert_equal_training(whole(case, seed, hooks, options) / last, tmp_path / 'parts' / last)


def test_a_loop_that_drew_samples_when_it_was_built_begins_again(tmp_path):
    """As mmengine's own does; the maintained build waits until training begins."""
    options = TOYS['iterations']
    train(tmp_path / 'late', **options)
    runner = toy_runner(tmp_path / 'early', **options)
    loop = runner.train_loop
    loop.dataloader_iterator._iterator = iter(loop.dataloader)
    runner.train()
    assert_equal_training(tmp_path / 'late/iter_8.pth', tmp_path / 'early/iter_8.pth')
