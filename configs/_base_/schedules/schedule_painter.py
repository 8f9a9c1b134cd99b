# The judge learns twice as fast as the painter (Heusel et al. 2017), whose averaged weights draw.
_base_ = './schedule_gan.py'
optim_wrapper = dict(
    optimizer=dict(betas=(0.5, 0.99)), modules=dict(discriminator=dict(optimizer=dict(type='Adam', lr=4e-4)))
)
train_cfg = dict(by_epoch=True, max_epochs=1000, val_interval=50)
custom_hooks = [
    dict(type='PainterHook'),
    dict(type='GANAveragingHook', ema_type='MomentumAnnealingEMA', momentum=2e-3, gamma=10),
]
