# For a CPU: as pf-diffseg_tiny-64x64.py.
_base_ = '../baselines/seg-guided-mask_128x128.py'
model = dict(
    data_preprocessor=dict(size=64),
    unet=dict(block_out_channels=(96, 128, 192), layers_per_block=1, patch_size=4),
    noise_schedule=dict(prediction_type='sample'),
    sampler=dict(type='dpmsolver++', steps=10),
)
train_dataloader = dict(num_workers=1)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
train_cfg = dict(max_epochs=40, val_interval=10)
default_hooks = dict(checkpoint=dict(interval=5))
