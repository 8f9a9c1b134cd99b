# The super-resolution model of Table A3: 128x128 to 256x256, 5,000 epochs.
_base_ = ['../_base_/datasets/metaldam_pairs.py', '../_base_/schedules/schedule_diffusion.py']
model = dict(
    type='PairSuperResolution',
    data_preprocessor=dict(type='PairDataPreprocessor', num_classes=4, size=256),
    unet=dict(block_out_channels=(128, 128, 256, 256, 512, 512), layers_per_block=2),
    sampler=dict(type='dpmsolver++', steps=20),
)
train_cfg = dict(max_epochs=5000)
