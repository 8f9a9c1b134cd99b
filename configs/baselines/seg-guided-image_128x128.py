# Stage two of SegGuidedDiff (Table A2): images for masks, 10,000 epochs.
_base_ = './seg-guided-mask_128x128.py'
model = dict(type='MaskToImageDiffusion')
