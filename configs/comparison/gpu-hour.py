# What one modern GPU should do in an hour, estimated from counts of operations at 30 % of an A100's TF32 peak: the fast
# generators, a U-Net of full size, three seeds, every training equally long.
data = dict(holdout5='data/metaldam')
seeds = [0, 1, 2]
ratios = [2, 4]
epochs = 60
budget = 'iterations'
segmentors = dict(unet='../pfdiff/unet_r50_ratio8.py')
generators = {
    'pf-diffseg': dict(config='../pfdiff/pf-diffseg_fast-128x128.py', epochs=2000),
    'pair-sr': dict(config='../pfdiff/pair-sr_fast-128to256.py', epochs=400),
}
methods = {
    'pf-diffseg-boosted': dict(generator='pf-diffseg', super_resolution='pair-sr', paper='PF-DiffSeg'),
}
seconds = dict(generator={'pf-diffseg': 0.6, 'pair-sr': 1.6}, pairs=0.1, segmentor=1.5, test=15)
