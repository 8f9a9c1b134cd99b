"""Hooks and an optimizer constructor for MMEngine's Runner, and loading checkpoints safely."""

from .atomic_checkpoint import AtomicCheckpointHook
from .pair_picture import PairPictureHook
from .per_module_optimizers import PerModuleOptimWrapperConstructor
from .repeatable_training import RepeatableTrainingHook
from .resume_hook import ResumeHook
from .safe_loading import install_safe_loaders
from .validate_on_resume import ValidateOnResumeHook

install_safe_loaders()

__all__ = [
    'AtomicCheckpointHook',
    'PairPictureHook',
    'PerModuleOptimWrapperConstructor',
    'RepeatableTrainingHook',
    'ResumeHook',
    'ValidateOnResumeHook',
    'install_safe_loaders',
]
