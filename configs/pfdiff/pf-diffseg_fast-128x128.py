# At most 30 M parameters, and a sixth of the operations of Table A2's network: a narrower network of four stages behind
# a 2x pixel-unshuffle, guided to the fractions. See docs/measurements.md for what each of the two does.
_base_ = './pf-diffseg_128x128.py'
model = dict(
    unet=dict(block_out_channels=(96, 128, 192, 256), patch_size=2),
    fraction_guidance=1.0,
)
