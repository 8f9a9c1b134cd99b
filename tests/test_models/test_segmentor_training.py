"""MMEngine's Runner on files: train, validate and test in slide mode, from a config."""

import json

import numpy as np
import pytest
import torch
from mmengine import Config
from mmengine.runner import Runner
from PIL import Image

import mmseg_pfdiff  # noqa: F401


@pytest.fixture
def data_root(tmp_path):
    """Bright discs (class 1) on dark ground (class 0): 4 tiles, 2 micrographs, one lower than a window."""
    rng = np.random.default_rng(0)
    for part, sizes in (('train', [(64, 64)] * 4), ('test', [(90, 110), (50, 80)])):
        for i, (height, width) in enumerate(sizes):
            y, x = np.mgrid[:height, :width]
            label = ((y - height / 2) ** 2 + (x - width / 2) ** 2 < (height / 3) ** 2).astype(np.uint8)
            image = np.clip(60 + 120 * label + rng.normal(0, 10, label.shape), 0, 255).astype(np.uint8)
            label[:3] = 255
            for kind, array in (('img_dir', image), ('ann_dir', label)):
                folder = tmp_path / kind / part
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(array).save(folder / f'{part}{i}.png')
    return tmp_path


def config(data_root, report):
    pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), dict(type='PackSegInputs')]

    def loader(part, batch_size, pipeline):
        return dict(
            batch_size=batch_size,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=part == 'train'),
            dataset=dict(
                type='BaseSegDataset',
                data_root=str(data_root),
                img_suffix='.png',
                seg_map_suffix='.png',
                metainfo=dict(classes=('ground', 'disc'), palette=[[0, 0, 0], [255, 255, 255]]),
                data_prefix=dict(img_path=f'img_dir/{part}', seg_map_path=f'ann_dir/{part}'),
                pipeline=pipeline,
            ),
        )

    return Config(
        dict(
            default_scope='mmseg',
            experiment_name='segmentor',
            work_dir=str(data_root / 'work'),
            model=dict(
                type='SlidingWindowEncoderDecoder',
                data_preprocessor=dict(
                    type='SegDataPreProcessor', mean=[120.0] * 3, std=[60.0] * 3, seg_pad_val=255, size=(64, 64)
                ),
                backbone=dict(type='SMPEncoder', name='resnet18', weights=None),
                decode_head=dict(
                    type='SMPDecoderHead',
                    decoder='unet',
                    in_channels=[3, 64, 64, 128, 256, 512],
                    num_classes=2,
                    decoder_cfg=dict(decoder_channels=(32, 16, 8, 8, 4)),
                ),
                test_cfg=dict(mode='slide', crop_size=(64, 64), stride=(32, 32)),
            ),
            train_dataloader=loader('train', 2, [*pipeline[:2], dict(type='RandomSquareSymmetry'), pipeline[2]]),
            test_dataloader=loader('test', 1, pipeline),
            test_evaluator=dict(type='MicrographIoUMetric', report_file=str(report)),
            train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=1),
            test_cfg=dict(type='TestLoop'),
            optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3)),
            randomness=dict(seed=0),
            log_level='WARNING',
        )
    )


def test_train_and_test_whole_micrographs(data_root):
    report = data_root / 'report.json'
    runner = Runner.from_cfg(config(data_root, report))
    before = {name: value.clone() for name, value in runner.model.named_parameters()}
    runner.train()
    assert runner.iter == 2
    changed = [name for name, value in runner.model.named_parameters() if not torch.equal(value, before[name])]
    assert len(changed) == len(before)
    metrics = runner.test()
    rows = json.loads(report.read_text())
    assert [row['micrograph'] for row in rows] == ['test0', 'test1', 'all']
    assert 0 < metrics['aAcc'] == pytest.approx(rows[2]['aAcc'])
    assert metrics['mIoU'] == pytest.approx(np.mean([metrics['IoU.ground'], metrics['IoU.disc']]))

    # The report holds what the model predicts: window by window on the small micrograph, which is one window.
    runner.model.eval()
    image = np.array(Image.open(data_root / 'img_dir/test/test1.png'))
    label = np.array(Image.open(data_root / 'ann_dir/test/test1.png'))
    inputs = torch.from_numpy((image.astype(np.float32) - 120) / 60).expand(1, 3, -1, -1)
    total, count = torch.zeros(2, 50, 80), torch.zeros(50, 80)
    for x in (0, 16):
        with torch.no_grad():
            total[..., x : x + 64] += runner.model(inputs[..., x : x + 64])[0].softmax(0)
        count[:, x : x + 64] += 1
    predicted = (total / count).argmax(0).numpy()
    valid = label != 255
    assert rows[1]['aAcc'] == pytest.approx(100 * (predicted == label)[valid].mean(), abs=0.1)
