"""Adversarial models: masks from noise, images for masks, and pairs at a higher resolution."""

from .dcgan import DCGAN
from .mask_painter import MaskPainter
from .painter import PairPainter
from .pix2pixhd import Pix2PixHD

__all__ = ['DCGAN', 'MaskPainter', 'PairPainter', 'Pix2PixHD']
