_base_ = './metaldam_256x256.py'
# Another ratio: --cfg-options train_dataloader.dataset.ratio=4
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='SyntheticPairMix',
        real=_base_.train_dataloader.dataset,
        synthetic=dict(
            type='SyntheticPairDataset',
            data_root='data/synthetic/metaldam',
            pipeline=_base_.train_pipeline,
        ),
        ratio=8,
    )
)
