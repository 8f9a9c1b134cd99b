# For a CPU: narrow networks on 64x64 masks.
_base_ = '../baselines/dcgan_128x128.py'
model = dict(data_preprocessor=dict(size=64), base_channels=16)
train_dataloader = dict(batch_size=16, num_workers=1)
train_cfg = dict(max_epochs=100, val_interval=10)
default_hooks = dict(checkpoint=dict(interval=10))
