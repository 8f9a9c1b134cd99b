import copy

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmseg.registry import MODELS

from mmseg_pfdiff.engine.model_checks import batch_sizes, check_losses, check_model
from mmseg_pfdiff.engine.run_checks import check_run

from ..running import ROOT
from .toy import toy_runner, train

SOUND = [
    dict(type='SMPDiceLoss'),
    dict(type='SMPDiceLoss', class_weights=[1.0, 1.0, 2.0, 5.0]),
    dict(type='CrossEntropyLoss', class_weight=[0.5, 0.0, 2.0, 1.0]),
    dict(type='CrossEntropyLoss', use_sigmoid=True),
    dict(type='CrossEntropyLoss', avg_non_ignore=True),
    dict(type='LovaszLoss', reduction='none'),
    dict(type='TverskyLoss'),
    dict(type='DiceLoss', use_sigmoid=False),
    [dict(type='CrossEntropyLoss', loss_name='loss_ce'), dict(type='DiceLoss', use_sigmoid=False)],
]


def make_head(loss, num_classes=4, **settings):
    return MODELS.build(
        dict(
            type='FCNHead',
            in_channels=3,
            channels=4,
            num_convs=1,
            num_classes=num_classes,
            loss_decode=loss,
            **settings,
        )
    )


@pytest.mark.parametrize('loss', SOUND)
def test_losses_that_fit_pass(loss):
    check_losses('head', make_head(loss))
    check_losses('head', make_head(loss, sampler=dict(type='OHEMPixelSampler', thresh=0.7, min_kept=10)))


@pytest.mark.parametrize('weights', [[1.0, 2.0, 3.0], [1.0] * 5])
@pytest.mark.parametrize('kind', ['CrossEntropyLoss', 'FocalLoss', 'LovaszLoss', 'TverskyLoss', 'SMPDiceLoss', 'file'])
def test_class_weights_of_another_number_are_named(kind, weights, tmp_path):
    np.save(tmp_path / 'weights.npy', weights)
    key = 'class_weights' if kind == 'SMPDiceLoss' else 'class_weight'
    loss = {'type': kind, key: weights, **(dict(reduction='none') if kind == 'LovaszLoss' else {})}
    if kind == 'file':
        loss = dict(type='CrossEntropyLoss', class_weight=str(tmp_path / 'weights.npy'))
    head = make_head([dict(type='CrossEntropyLoss', loss_name='loss_ce'), loss])
    with pytest.raises(ValueError, match=f'aux.loss_decode: .* has {len(weights)} class weights, the head 4'):
        check_losses('aux', head)


@pytest.mark.parametrize(
    ('loss', 'message'),
    [
        (dict(type='SMPDiceLoss'), 'SMPDiceLoss cannot be computed'),
        (dict(type='DiceLoss'), 'DiceLoss is as large for predictions that are right'),
        (dict(type='CrossEntropyLoss'), 'CrossEntropyLoss cannot be computed|is as large'),
    ],
)
def test_one_channel_for_two_classes(loss, message):
    with pytest.raises(ValueError, match=rf'({message}).*use_sigmoid=True'):
        check_losses('head', make_head(loss, num_classes=2, out_channels=1, threshold=0.3))
    check_losses('head', make_head(loss, num_classes=2))
    check_losses('head', make_head(dict(type='CrossEntropyLoss', use_sigmoid=True), 2, out_channels=1, threshold=0.3))


def test_sizes_of_batches():
    for (samples, size, drop), expected in {
        (4, 2, False): [2],
        (5, 2, False): [2, 1],
        (5, 2, True): [2],
        (3, 4, False): [4, 3],
        (1, 4, False): [4, 1],
    }.items():
        loader = torch.utils.data.DataLoader(range(samples), size, drop_last=drop)
        assert list(batch_sizes(loader)) == expected


def test_a_batch_of_one_sample(tmp_path):
    for place, options, message in (
        ('a', {'train_dataloader.dataset.size': 5}, '5 samples in batches of 2 leave one over: set .*drop_last=True'),
        ('b', {'train_dataloader.batch_size': 1}, 'Set train_dataloader.batch_size to 2 or more'),
    ):
        with pytest.raises(SystemExit, match=f'error: A batch of training will have one sample.*{message}'):
            train(tmp_path / place, epochs=1, **{'model.norm': True}, **options)
        train(tmp_path / place, epochs=1, **options)  # a network without batch norm takes it
    train(tmp_path / 'c', epochs=1, **{'model.norm': True, 'train_dataloader.dataset.size': 6})
    row = {'train_dataloader.sampler.type': 'InfiniteSampler', 'loop': dict(by_epoch=False, max_iters=2)}
    train(tmp_path / 'd', **{'model.norm': True, 'train_dataloader.dataset.size': 5}, **row)


def test_the_trial_changes_nothing(tmp_path):
    runner = toy_runner(tmp_path, **{'train_dataloader.dataset.size': 5})
    before = copy.deepcopy(runner.model.state_dict())
    check_model(runner)
    after = runner.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_no_batch_at_all(tmp_path):
    options = {'train_dataloader.batch_size': 8, 'train_dataloader.drop_last': True}
    with pytest.raises(SystemExit, match='There are 4 training samples, fewer than make a batch of 8'):
        train(tmp_path / 'a', epochs=1, **options)


def test_a_segmentor_on_real_files(demo_data, tmp_path):
    """UPerNet pools to a single pixel: its batch norms take two samples or more."""
    config = Config.fromfile(ROOT / 'configs/small/unet_r18_128x128_real.py')
    config.merge_from_dict(
        {
            'work_dir': str(tmp_path),
            'model.decode_head.decoder': 'upernet',
            'model.decode_head.decoder_cfg': dict(_delete_=True, decoder_channels=8),
            'train_dataloader.dataset.data_root': str(demo_data),
            'train_dataloader.dataset.indices': 5,
            'train_dataloader.batch_size': 4,
            'train_dataloader.num_workers': 0,
            'train_dataloader.persistent_workers': False,
            'val_cfg': None,
            'val_dataloader': None,
            'val_evaluator': None,
            'log_level': 'ERROR',
        }
    )
    config.train_dataloader.dataset.pipeline[2].crop_size = (64, 64)
    check_run(config, ['train', 'val'])
    with pytest.raises(ValueError, match=r'one sample.*5 samples in batches of 4 leave one over'):
        check_model(Runner.from_cfg(config))
    config.train_dataloader.drop_last = True
    check_model(Runner.from_cfg(config))
