# At most 30 M parameters, and an eighth of the operations of Table A3's network: see pf-diffseg_fast-128x128.py.
_base_ = './pair-sr_128to256.py'
model = dict(
    unet=dict(block_out_channels=(64, 128, 192, 256), patch_size=2),
    fraction_guidance=1.0,
)
