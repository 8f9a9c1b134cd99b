_base_ = './unet_r50_real.py'
model = dict(decode_head=dict(decoder='linknet'))
