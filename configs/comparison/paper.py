# All of the paper's comparison: its methods, segmentors, ratios and five seeds. For several GPUs over days: --dry-run
# estimates them. PF-DiffSeg is guided to its fractions here, which the paper's is not.
data = dict(holdout5='data/metaldam')
seeds = [0, 1, 2, 3, 4]
ratios = [1, 2, 4, 6, 8, 10]
epochs = 100
budget = 'epochs'
segmentors = dict(
    unet='../pfdiff/unet_r50_ratio8.py',
    unetplusplus='../pfdiff/unetplusplus_r50_ratio8.py',
    linknet='../pfdiff/linknet_r50_ratio8.py',
    manet='../pfdiff/manet_r50_ratio8.py',
)
generators = {
    'pf-diffseg': dict(config='../pfdiff/pf-diffseg_128x128.py', epochs=20000),
    'pair-sr': dict(config='../pfdiff/pair-sr_128to256.py', epochs=5000),
    'seg-guided-mask': dict(config='../baselines/seg-guided-mask_128x128.py', epochs=10000),
    'seg-guided-image': dict(config='../baselines/seg-guided-image_128x128.py', epochs=10000),
    'dcgan': dict(config='../baselines/dcgan_128x128.py', epochs=7300),
    'pix2pixhd': dict(config='../baselines/pix2pixhd_128x128.py', epochs=200),
}
# The paper's sampler for all: else Table 5 would compare samplers.
_ddim = {'model.sampler.type': 'ddim', 'model.sampler.steps': 50}
_guided = {**_ddim, 'model.fraction_guidance': 1.0}
methods = {
    'pf-diffseg': dict(
        generator='pf-diffseg',
        super_resolution='pair-sr',
        options={**_guided, 'fraction_sampler.groups': [dict(name='uniform', share=1)]},
        super_resolution_options=_guided,
    ),
    'pf-diffseg-boosted': dict(
        generator='pf-diffseg',
        super_resolution='pair-sr',
        options=_guided,
        super_resolution_options=_guided,
        paper='PF-DiffSeg',
    ),
    'seg-guided': dict(
        generator='seg-guided-mask',
        image='seg-guided-image',
        super_resolution='pair-sr',
        super_resolution_options=_ddim,
        paper='SegGuidedDiff',
    ),
    'gan': dict(
        generator='dcgan',
        image='pix2pixhd',
        super_resolution='pair-sr',
        super_resolution_options=_ddim,
        paper='DCGAN+Pix2PixHD',
    ),
}
del _ddim, _guided
# Estimated from counts of operations at 30 % of an A100's TF32 peak, not measured; the GANs' are guesses.
seconds = dict(
    generator={
        'pf-diffseg': 3.3,
        'pair-sr': 13,
        'seg-guided-mask': 3.3,
        'seg-guided-image': 3.3,
        'dcgan': 0.3,
        'pix2pixhd': 10,
    },
    pairs=0.7,
    segmentor=2,
    test=20,
)
