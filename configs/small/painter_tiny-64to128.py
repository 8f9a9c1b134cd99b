# For a CPU: narrow networks, 64x64 to 128x128, trained on quarters of tiles.
_base_ = '../pfdiff/painter_128to256.py'
model = dict(
    data_preprocessor=dict(size=128),
    generator=dict(channels=48, num_blocks=5, top_channels=24),
    discriminator=dict(channels=(16, 32, 64)),
    crop=64,
)
train_dataloader = dict(batch_size=8, num_workers=1)
train_cfg = dict(max_epochs=80, val_interval=20)
default_hooks = dict(checkpoint=dict(interval=5))
