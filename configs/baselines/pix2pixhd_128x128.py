# The second stage of the GAN baseline: 128x128 label maps to images, one at a time (Wang et al. 2018, Section 4).
_base_ = ['../_base_/datasets/metaldam_pairs.py', '../_base_/schedules/schedule_gan.py']
model = dict(type='Pix2PixHD', data_preprocessor=dict(type='PairDataPreprocessor', num_classes=4, size=128))
train_dataloader = dict(batch_size=1)
# Their 200 epochs: the learning rate stays for 100 and falls to zero over the next 100. With other epochs, set both.
train_cfg = dict(by_epoch=True, max_epochs=200, val_interval=10)
param_scheduler = [dict(type='LinearLR', start_factor=1.0, end_factor=0.0, begin=100, end=200, by_epoch=True)]
default_hooks = dict(checkpoint=dict(interval=10))
# The label maps are the real ones; the pictures show the images drawn for them.
val_evaluator = []
