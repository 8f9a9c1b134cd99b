# Images for label maps of 256x256, in one pass, with looks and grain of the training tiles.
_base_ = './painter_128to256.py'
model = dict(type='MaskPainter', lambda_features=10.0, lambda_spectrum=0.5)
