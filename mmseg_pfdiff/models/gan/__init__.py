"""Adversarial models: masks from noise, and images for masks."""

from .dcgan import DCGAN
from .pix2pixhd import Pix2PixHD

__all__ = ['DCGAN', 'Pix2PixHD']
