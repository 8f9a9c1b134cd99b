"""Diffusion models: image and mask together, to twice their resolution, and in two stages."""

from .base import PairDiffusion
from .pf_diffseg import PFDiffSeg
from .seg_guided import MaskDiffusion, MaskToImageDiffusion
from .super_resolution import PairSuperResolution
from .unet import PairUNet

__all__ = ['MaskDiffusion', 'MaskToImageDiffusion', 'PFDiffSeg', 'PairDiffusion', 'PairSuperResolution', 'PairUNet']
