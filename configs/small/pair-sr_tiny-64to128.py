# For a CPU: a narrow network of three stages, 64x64 to 128x128, behind a 4x pixel-unshuffle.
_base_ = '../pfdiff/pair-sr_128to256.py'
model = dict(
    data_preprocessor=dict(size=128),
    unet=dict(block_out_channels=(64, 96, 128), layers_per_block=1, patch_size=4),
    noise_schedule=dict(prediction_type='sample'),
    sampler=dict(steps=10),
    fraction_guidance=1.0,
)
train_dataloader = dict(num_workers=1)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
train_cfg = dict(max_epochs=40, val_interval=10)
default_hooks = dict(checkpoint=dict(interval=5))
