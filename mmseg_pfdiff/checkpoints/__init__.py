"""Checkpoints: trained models opened, identified and exported, without running code of a stranger.

May import `phases`, `requests`, `data`, `pairs` and `models`.
"""

from .card import GeneratorCard
from .export import save_cascade
from .pretrained import load_cascade
from .safe_loading import install_safe_loaders

install_safe_loaders()

__all__ = ['GeneratorCard', 'install_safe_loaders', 'load_cascade', 'save_cascade']
