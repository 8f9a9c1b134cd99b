# The same with two synthetic pairs for each real tile.
_base_ = './unet_r18_128x128_real.py'
# A pair shows a whole tile: brought to the size of a tile, structures of real and synthetic samples are equally large.
load, augment = _base_.train_pipeline[:2], _base_.train_pipeline[2:]
synthetic_pipeline = [*load, dict(type='Resize', scale=(256, 256)), *augment]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='SyntheticPairMix',
        real=_base_.train_dataloader.dataset,
        synthetic=dict(type='SyntheticPairDataset', data_root='data/synthetic/metaldam', pipeline=synthetic_pipeline),
        ratio=2,
    )
)
