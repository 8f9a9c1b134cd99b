import pytest
from mmengine.config import Config


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
