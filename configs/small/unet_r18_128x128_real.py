# For a CPU: a ResNet-18 U-Net on 128x128 crops, from random weights.
_base_ = '../pfdiff/unet_r50_real.py'
model = dict(
    data_preprocessor=dict(size=(128, 128)),
    backbone=dict(name='resnet18', weights=None),
    decode_head=dict(in_channels=[3, 64, 64, 128, 256, 512], decoder_cfg=dict(decoder_channels=(128, 64, 32, 16, 16))),
    test_cfg=dict(crop_size=(128, 128), stride=(64, 64)),
)
train_pipeline = [*_base_.train_pipeline[:2], dict(type='RandomCrop', crop_size=(128, 128)), *_base_.train_pipeline[2:]]
train_dataloader = dict(batch_size=16, num_workers=1, dataset=dict(pipeline=train_pipeline))
optim_wrapper = dict(optimizer=dict(lr=1e-3))
train_cfg = dict(max_epochs=20)
