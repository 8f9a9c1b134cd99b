# Tiles and micrographs at half their size: 128x128 shows what 256x256 did, and pairs of that size are used as drawn.
_base_ = './unet_r18_128x128_real.py'
half = dict(type='Resize', scale=(128, 128))
train_pipeline = [*_base_.train_pipeline[:2], half, *_base_.train_pipeline[3:]]
# Predictions are brought back to the micrograph's own size before they are compared with its label map.
halve = dict(type='Resize', scale_factor=0.5, keep_ratio=True)
test_pipeline = [_base_.test_pipeline[0], halve, *_base_.test_pipeline[1:]]
tta_pipeline = [_base_.tta_pipeline[0], halve, *_base_.tta_pipeline[1:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
