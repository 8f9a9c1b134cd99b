import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS
from PIL import Image

# Grey level of each phase in `grey_data`, and of what no phase is.
GREY_LEVELS = (150, 82, 205, 18)
GREY_OF_IGNORED = 245


@pytest.fixture(scope='session')
def segmentor_config() -> Config:
    """A small U-Net of four classes. Read only."""
    return Config(
        dict(
            default_scope='mmseg',
            model=dict(
                type='EncoderDecoder',
                data_preprocessor=dict(type='SegDataPreProcessor', mean=[120.0] * 3, std=[60.0] * 3, bgr_to_rgb=True),
                backbone=dict(type='SMPEncoder', name='resnet18', depth=3, weights='imagenet'),
                decode_head=dict(
                    type='SMPDecoderHead',
                    decoder='unet',
                    in_channels=[3, 64, 64, 128],
                    num_classes=4,
                    decoder_cfg=dict(decoder_channels=(32, 16, 8)),
                ),
                test_cfg=dict(mode='whole'),
            ),
            test_dataloader=dict(dataset=dict(type='BaseSegDataset', pipeline=[dict(type='LoadImageFromFile')])),
        )
    )


def drawn_in_grey(labels: np.ndarray) -> np.ndarray:
    """The images of label maps, uint8, in which each phase has one grey level and nothing else is seen."""
    levels = np.full(256, GREY_OF_IGNORED, np.uint8)
    levels[: len(GREY_LEVELS)] = GREY_LEVELS
    return levels[labels]


@pytest.fixture(scope='session')
def grey_data(demo_data, tmp_path_factory) -> Path:
    """The converted data set with images that `grey_segmentor` reads without an error. Read only."""
    root = tmp_path_factory.mktemp('grey') / 'data'
    shutil.copytree(demo_data, root)
    for path in root.rglob('ann_dir/*/*.png'):
        image = Image.fromarray(drawn_in_grey(np.array(Image.open(path))))
        image.save(path.parents[2] / 'img_dir' / path.parent.name / path.name)
    return root


@pytest.fixture(scope='session')
def grey_segmentor(tmp_path_factory) -> tuple[Path, Path]:
    """Config and checkpoint of a segmentor built by hand: it gives each pixel the phase of the nearest grey level.

    A 1x1 convolution is enough: -(g - m)^2 is linear in g, but for a term that all classes share.
    """
    head = dict(type='FCNHead', num_convs=0, concat_input=False, in_channels=3, channels=3, num_classes=4)
    config = Config(
        dict(
            default_scope='mmseg',
            model=dict(
                type='EncoderDecoder',
                data_preprocessor=dict(type='SegDataPreProcessor', mean=[0.0] * 3, std=[10.0] * 3),
                backbone=dict(type='SMPEncoder', name='mobilenet_v2', depth=1, out_indices=(0,), weights=None),
                decode_head=dict(**head, in_index=0, norm_cfg=dict(type='BN')),
                test_cfg=dict(mode='whole'),
            ),
            test_dataloader=dict(dataset=dict(type='BaseSegDataset', pipeline=[dict(type='LoadImageFromFile')])),
        )
    )
    model = MODELS.build(config.model)
    means = torch.tensor(GREY_LEVELS) / 10
    with torch.no_grad():
        model.decode_head.conv_seg.weight.copy_((2 / 3 * means)[:, None, None, None].expand(-1, 3, 1, 1))
        model.decode_head.conv_seg.bias.copy_(-(means**2))
    root = tmp_path_factory.mktemp('grey_segmentor')
    config.dump(root / 'segmentor.py')
    torch.save(dict(state_dict=model.state_dict()), root / 'segmentor.pth')
    return root / 'segmentor.py', root / 'segmentor.pth'
