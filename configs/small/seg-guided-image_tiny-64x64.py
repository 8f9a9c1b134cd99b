# For a CPU: as pf-diffseg_tiny-64x64.py.
_base_ = './seg-guided-mask_tiny-64x64.py'
model = dict(type='MaskToImageDiffusion')
