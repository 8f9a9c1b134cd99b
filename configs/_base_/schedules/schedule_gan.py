# Adam 2e-4, betas 0.5 and 0.999, for both networks (Radford et al. 2016, Section 4; Wang et al. 2018, Section 4).
_base_ = '../default_runtime.py'
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='PerModuleOptimWrapperConstructor',
    optimizer=dict(type='Adam', lr=2e-4, betas=(0.5, 0.999)),
    modules=dict(generator=dict(), discriminator=dict()),
)
# Several GPUs: each network is wrapped by itself, as each has its own backward pass.
model_wrapper_cfg = dict(type='MMSeparateDistributedDataParallel')
val_cfg = dict()
default_hooks = dict(checkpoint=dict(interval=100), visualization=dict(_delete_=True, type='PairPictureHook'))
# Each process draws noise of its own.
randomness = dict(seed=None, diff_rank_seed=True)
