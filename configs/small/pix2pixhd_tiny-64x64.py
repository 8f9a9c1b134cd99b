# For a CPU: narrow networks on 64x64 pairs.
_base_ = '../baselines/pix2pixhd_128x128.py'
model = dict(
    data_preprocessor=dict(size=64),
    generator=dict(base_channels=16, num_downsamplings=2, num_blocks=3),
    discriminator=dict(num_scales=2, base_channels=16),
)
train_dataloader = dict(batch_size=4, num_workers=1)
train_cfg = dict(max_epochs=40)
param_scheduler = [dict(type='LinearLR', start_factor=1.0, end_factor=0.0, begin=20, end=40, by_epoch=True)]
