# AdamW 1e-4 with cosine decay (Tables A2 and A3); the weights that validate and sample are averaged.
_base_ = '../default_runtime.py'
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=1e-2),
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = [dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(by_epoch=True, max_epochs=20000, val_interval=500)
val_cfg = dict()
default_hooks = dict(checkpoint=dict(interval=100), visualization=dict(_delete_=True, type='PairPictureHook'))
# Each process draws noise of its own.
randomness = dict(seed=None, diff_rank_seed=True)
# Averages over the last tenth of training at first, over 10,000 steps later on.
custom_hooks = [dict(type='EMAHook', ema_type='MomentumAnnealingEMA', momentum=1e-4, gamma=10)]
