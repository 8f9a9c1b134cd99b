_base_ = [
    '../_base_/models/smp_unet_lite0.py',
    '../_base_/datasets/metaldam_256x256.py',
    '../_base_/schedules/schedule_100e.py',
    '../_base_/default_runtime.py',
]
default_hooks = dict(checkpoint=dict(save_best='mIoU'))
