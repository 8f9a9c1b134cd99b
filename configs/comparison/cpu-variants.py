# What else was tried at the scale of cpu.py, at ratio 1, one change each. In the same --work-dir it takes over what is
# done there.
_base_ = './cpu.py'
_drawn = dict(generator='pf-diffseg', super_resolution='pair-sr', ratios=[1])
methods = {
    # Mixed first, real tiles alone at the end.
    'pf-diffseg-boosted-finish': dict(pairs_of='pf-diffseg-boosted', ratios=[1], real_finish=4),
    # Without pairs whose mask a segmentor of real tiles contradicts.
    'pf-diffseg-boosted-filtered': dict(**_drawn, drop_disagreeing=True),
    # Without more of the rare phases.
    'pf-diffseg': dict(**_drawn, options={'fraction_sampler.groups': [dict(name='uniform', share=1)]}),
    # Without the few pixels of phases that a tile lacks: Eq. 7 asks for them, and exact fractions paint them.
    'pf-diffseg-boosted-epsilon0': dict(**_drawn, options={'fraction_sampler.epsilon': 0.0}),
    # What finishing on real tiles does for the baseline.
    'seg-guided-finish': dict(pairs_of='seg-guided', ratios=[1], real_finish=4),
}
del _drawn
