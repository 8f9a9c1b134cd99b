# The same with two synthetic pairs for each real tile.
_base_ = './unet_lite0_half-size_real.py'
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='SyntheticPairMix',
        real=_base_.train_dataloader.dataset,
        synthetic=dict(
            type='SyntheticPairDataset', data_root='data/synthetic/metaldam', pipeline=_base_.train_pipeline
        ),
        ratio=2,
    )
)
