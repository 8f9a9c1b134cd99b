# One pass in place of the super-resolution's steps: 128x128 to 256x256, with the grain of the training tiles.
_base_ = ['../_base_/datasets/metaldam_pairs.py', '../_base_/schedules/schedule_painter.py']
model = dict(
    type='PairPainter',
    data_preprocessor=dict(type='PairDataPreprocessor', num_classes=4, size=256),
    factor=2,
    generator=dict(channels=64, num_blocks=8, top_channels=32),
    discriminator=dict(channels=(32, 64, 128, 256)),
    crop=128,
)
train_cfg = dict(max_epochs=1000)
# The label maps are the real ones; the pictures show the images painted for them.
val_evaluator = []
