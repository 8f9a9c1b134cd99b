# For a CPU: narrow networks, 128x128, trained on quarters of tiles.
_base_ = '../pfdiff/mask-painter_256x256.py'
model = dict(
    data_preprocessor=dict(size=128),
    generator=dict(channels=48, num_blocks=5, top_channels=24),
    discriminator=dict(channels=(16, 32, 64)),
    crop=64,
)
train_dataloader = dict(batch_size=4, num_workers=1)
optim_wrapper = dict(optimizer=dict(lr=5e-4), modules=dict(discriminator=dict(optimizer=dict(lr=1e-3))))
train_cfg = dict(max_epochs=55, val_interval=20)
default_hooks = dict(checkpoint=dict(interval=5))
