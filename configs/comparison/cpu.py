# What two CPU cores do in some hours: small networks on tiles of half size, three seeds, every training equally long.
data = dict(holdout5='data/metaldam')
seeds = [0, 1, 2]
ratios = [1, 2]
epochs = 12
budget = 'iterations'
segmentors = dict(unet_r18='../small/unet_r18_half-size_ratio2.py')
# In one process, so that an interrupted training ends as an uninterrupted one.
_alone = {
    part: {f'{part}_dataloader.num_workers': 0, f'{part}_dataloader.persistent_workers': False}
    for part in ('train', 'val', 'test')
}
segmentor_options = {
    'train_cfg.val_interval': 3,
    # With a learning rate that stays, the scores of trainings as short as these jump from epoch to epoch.
    'param_scheduler': [dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True)],
    'default_hooks.checkpoint.interval': 1,
    'default_hooks.checkpoint.max_keep_ckpts': 1,
    **_alone['train'],
    **_alone['val'],
    **_alone['test'],
}
_options = {**_alone['train'], **_alone['val']}
generators = {
    'pf-diffseg': dict(config='../small/pf-diffseg_tiny-64x64.py', epochs=150, options=_options),
    'pair-sr': dict(config='../small/pair-sr_tiny-64to128.py', epochs=20, options=_options),
    # The two stages take as many epochs together as the one of PF-DiffSeg.
    'seg-guided-mask': dict(config='../small/seg-guided-mask_tiny-64x64.py', epochs=75, options=_options),
    'seg-guided-image': dict(config='../small/seg-guided-image_tiny-64x64.py', epochs=75, options=_options),
}
methods = {
    'pf-diffseg-boosted': dict(generator='pf-diffseg', super_resolution='pair-sr', paper='PF-DiffSeg'),
    'seg-guided': dict(
        generator='seg-guided-mask', image='seg-guided-image', super_resolution='pair-sr', paper='SegGuidedDiff'
    ),
}
del _alone, _options
# Guesses for the first estimate: seconds for an epoch of a generator or a segmentor, a pair, a test.
seconds = dict(generator=18, pairs=0.9, segmentor=30, test=60)
