# The generator of Table A2: 128x128 pairs of one image and three mask channels, 20,000 epochs.
_base_ = ['../_base_/datasets/metaldam_pairs.py', '../_base_/schedules/schedule_diffusion.py']
model = dict(
    type='PFDiffSeg',
    data_preprocessor=dict(type='PairDataPreprocessor', num_classes=4, size=128),
    unet=dict(block_out_channels=(128, 128, 256, 256, 512, 512), layers_per_block=2),
    # The paper's is dict(type='ddim', steps=50); on a small network 10 steps of this one lost nothing against it.
    sampler=dict(type='dpmsolver++', steps=20),
)
# What to generate (Section 2.2.2): 70 % from all tiles, 20 % from tiles rich in MA, 10 % from tiles rich in defect,
# jittered by Eq. 7. A tile is rich in a phase if it belongs to the tenth of all tiles that hold most of it.
fraction_sampler = dict(
    groups=[
        dict(name='uniform', share=0.7),
        dict(name='rich_martensite_austenite', share=0.2, phase='martensite_austenite', richest=0.1),
        dict(name='rich_defect', share=0.1, phase='defect', richest=0.1),
    ],
    sigma=0.02,
    epsilon=0.01,
)
