_base_ = './metaldam_256x256.py'
# A pair of a small generator shows a whole tile at a lower resolution: brought to the size of a tile, structures of
# real and synthetic samples are equally large.
resize = dict(type='Resize', scale=(256, 256))
load, augment = _base_.train_pipeline[:2], _base_.train_pipeline[2:]
# Another ratio: --cfg-options train_dataloader.dataset.ratio=4
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='SyntheticPairMix',
        real=_base_.train_dataloader.dataset,
        synthetic=dict(
            type='SyntheticPairDataset',
            data_root='data/synthetic/metaldam',
            pipeline=[*load, resize, *augment],
        ),
        ratio=8,
    )
)
