_base_ = [
    'mmseg::_base_/models/segformer_mit-b0.py',
    '../_base_/datasets/metaldam_256x256_ratio8.py',
    '../_base_/schedules/schedule_100e.py',
    '../_base_/default_runtime.py',
]
# Without the network: --cfg-options model.backbone.init_cfg=None
checkpoint = 'https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segformer/mit_b0_20220624-7e0fe6dd.pth'
model = dict(
    type='SlidingWindowEncoderDecoder',
    data_preprocessor=dict(size=(256, 256)),
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint=checkpoint)),
    decode_head=dict(num_classes=4, norm_cfg=dict(type='BN')),
    test_cfg=dict(mode='slide', crop_size=(256, 256), stride=(128, 128)),
)
default_hooks = dict(checkpoint=dict(save_best='mIoU'))
