# What two CPU cores do in some hours: small networks on half-size tiles, three seeds, every training equally long.
data = dict(holdout5='data/metaldam')
seeds = [0, 1, 2]
ratios = [1, 2]
epochs = 12
budget = 'iterations'
segmentors = dict(unet_r18='../pfdiff/unet_r18_128x128_ratio2.py')
segmentor_options = {
    'train_cfg.val_interval': 3,
    'default_hooks.checkpoint.interval': 1,
    'default_hooks.checkpoint.max_keep_ckpts': 1,
    # In one process, so that an interrupted training ends as an uninterrupted one.
    **{
        f'{part}_dataloader.{key}': value
        for part in ('train', 'val', 'test')
        for key, value in (('num_workers', 0), ('persistent_workers', False))
    },
}
generators = {
    'pf-diffseg': dict(config='../pfdiff/pf-diffseg_tiny-64x64.py', epochs=150),
    'pair-sr': dict(config='../pfdiff/pair-sr_tiny-64to128.py', epochs=20),
    # The two stages take as many epochs together as the one of PF-DiffSeg.
    'seg-guided-mask': dict(config='../pfdiff/seg-guided-mask_tiny-64x64.py', epochs=75),
    'seg-guided-image': dict(config='../pfdiff/seg-guided-image_tiny-64x64.py', epochs=75),
}
methods = {
    'pf-diffseg': dict(generator='pf-diffseg', super_resolution='pair-sr', paper='PF-DiffSeg'),
    'seg-guided': dict(
        generator='seg-guided-mask', image='seg-guided-image', super_resolution='pair-sr', paper='SegGuidedDiff'
    ),
}
# Guesses for the first estimate: seconds for an epoch of a generator or a segmentor, a pair, a test.
seconds = dict(generator=18, pairs=0.9, segmentor=30, test=60)
