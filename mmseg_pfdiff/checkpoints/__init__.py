"""Checkpoints: trained models opened, identified and exported, without running code of a stranger.

May import `phases`, `requests`, `data`, `pairs` and `models`.
"""

from .card import GeneratorCard
from .load import load_cascade
from .open import OpenedGenerator, open_generator
from .open_for_masks import open_for_masks
from .safe_loading import install_safe_loaders
from .save import save_cascade

install_safe_loaders()

__all__ = [
    'GeneratorCard',
    'OpenedGenerator',
    'install_safe_loaders',
    'load_cascade',
    'open_for_masks',
    'open_generator',
    'save_cascade',
]
