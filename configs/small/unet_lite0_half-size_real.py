# EfficientNet-Lite0 with the ImageNet weights of a package, on tiles and micrographs at half their size.
_base_ = './unet_r18_half-size_real.py'
model = dict(
    data_preprocessor=dict(mean=[127.0, 127.0, 127.0], std=[128.0, 128.0, 128.0]),
    backbone=dict(name='tu-tf_efficientnet_lite0', weights='package'),
    decode_head=dict(
        in_channels=[3, 16, 24, 40, 112, 320],
        loss_decode=[dict(type='SMPDiceLoss'), dict(type='CrossEntropyLoss', loss_name='loss_ce')],
    ),
)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05))
param_scheduler = [dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(max_epochs=30, val_interval=5)
