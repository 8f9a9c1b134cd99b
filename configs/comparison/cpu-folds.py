# Five folds, in which each micrograph is tested once, on two CPU cores: ImageNet weights, tiles of half size.
_base_ = './cpu.py'
data = dict(_delete_=True, **{f'fold{n}': f'data/metaldam-fold{n}' for n in range(5)})
seeds = [0, 1]
ratios = [4]
epochs = 30
segmentors = dict(_delete_=True, unet_lite0='../small/unet_lite0_half-size_ratio2.py')
segmentor_options = dict(param_scheduler=_base_.segmentor_options['param_scheduler'])
segmentor_options['train_cfg.val_interval'] = 5
generators = dict(
    _delete_=True,
    **{
        'mask-painter': dict(
            config='../small/mask-painter_tiny-128x128.py',
            epochs=55,
            options=_base_.generators['pair-sr']['options'],
        )
    },
)
methods = dict(
    _delete_=True,
    **{
        # The paper's mixing: all samples alike.
        'remodelled': dict(generator='mask-painter', masks='tiles/ann_dir/train', remodel=True),
        'remodelled-half-real': dict(pairs_of='remodelled', real_share=0.5),
    },
)
seconds = dict(generator=50, pairs=0.2, segmentor=25, test=30)
