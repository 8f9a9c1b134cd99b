"""Hooks and an optimizer constructor for MMEngine's Runner, and loading checkpoints safely."""

from .atomic_checkpoint import AtomicCheckpointHook
from .epoch_seed import EpochSeedHook
from .fresh_noise import FreshNoiseHook
from .pair_picture import PairPictureHook
from .per_module_optimizers import PerModuleOptimWrapperConstructor
from .safe_loading import install_safe_loaders
from .validate_on_resume import ValidateOnResumeHook

install_safe_loaders()

__all__ = [
    'AtomicCheckpointHook',
    'EpochSeedHook',
    'FreshNoiseHook',
    'PairPictureHook',
    'PerModuleOptimWrapperConstructor',
    'ValidateOnResumeHook',
    'install_safe_loaders',
]
