model = dict(
    type='SlidingWindowEncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        # ImageNet's; a grey micrograph is read as three equal channels
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size=(256, 256),
    ),
    # Without the network: --cfg-options model.backbone.weights=None
    backbone=dict(type='SMPEncoder', name='resnet50', weights='imagenet'),
    decode_head=dict(
        type='SMPDecoderHead',
        decoder='unet',
        in_channels=[3, 64, 256, 512, 1024, 2048],
        num_classes=4,
        loss_decode=dict(type='SMPDiceLoss'),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='slide', crop_size=(256, 256), stride=(128, 128), window_batch=8, average='probabilities'),
)
