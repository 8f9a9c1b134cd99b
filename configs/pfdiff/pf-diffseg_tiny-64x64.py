# For a CPU: a narrow network of three stages on 64x64 pairs, behind a 2x pixel-unshuffle.
_base_ = './pf-diffseg_128x128.py'
model = dict(
    data_preprocessor=dict(size=64),
    unet=dict(block_out_channels=(64, 128, 192), layers_per_block=1, patch_size=2),
    # A briefly trained network needs fresh noise: with DDIM its errors stay.
    sampler=dict(_delete_=True, type='renoise', steps=50),
)
train_dataloader = dict(num_workers=1)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
train_cfg = dict(max_epochs=40, val_interval=10)
default_hooks = dict(checkpoint=dict(interval=5))
