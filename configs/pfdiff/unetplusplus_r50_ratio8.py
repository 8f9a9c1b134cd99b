_base_ = './unet_r50_ratio8.py'
model = dict(decode_head=dict(decoder='unetplusplus'))
