# The first stage of the GAN baseline: 128x128 masks from noise, batches of 128 (Radford et al. 2016, Section 4).
_base_ = ['../_base_/datasets/metaldam_pairs.py', '../_base_/schedules/schedule_gan.py']
model = dict(type='DCGAN', data_preprocessor=dict(type='PairDataPreprocessor', num_classes=4, size=128))
train_dataloader = dict(batch_size=128)
# 416 tiles 7,300 times are 3.0 million, as many samples as their one epoch of LSUN bedrooms (Section 4.1).
train_cfg = dict(by_epoch=True, max_epochs=7300, val_interval=500)
# Nothing is asked of an unconditional model that its masks could miss; the pictures show them.
val_evaluator = []
