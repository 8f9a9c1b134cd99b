# Stage one of SegGuidedDiff (Table A2): masks without a condition, 10,000 epochs.
_base_ = ['../_base_/datasets/metaldam_pairs.py', '../_base_/schedules/schedule_diffusion.py']
model = dict(
    type='MaskDiffusion',
    data_preprocessor=dict(type='PairDataPreprocessor', num_classes=4, size=128),
    unet=dict(block_out_channels=(128, 128, 256, 256, 512, 512), layers_per_block=2),
    sampler=dict(type='ddim', steps=50),
)
train_cfg = dict(max_epochs=10000)
# Nothing is asked of these models that fractions could be held against; the pictures show what they draw.
val_evaluator = []
