"""AdversarialModel, the base of the GANs: a training step of two optimizers and the pictures of validation."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner.checkpoint import get_state_dict
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..validation import fill_samples, sample_indices


def initialise_weights(network: nn.Module) -> None:
    """Draws the weights as Radford et al. 2016 (Section 4) and Isola et al. 2017 (Section 6.2) do.

    Args:
        network: Its convolutions get N(0, 0.02) and no bias, its batch norms N(1, 0.02).
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
        if getattr(module, 'bias', None) is not None:
            nn.init.zeros_(module.bias)


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Keeps gradients of what is computed inside off the network's weights; those on its input pass through."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)


class AdversarialModel(BaseModel):
    """A generator and its discriminator, trained in turn: one step each for every batch.

    Needs the optimizers `generator` and `discriminator`, see
    :class:`~mmseg_pfdiff.engine.PerModuleOptimWrapperConstructor`. A subclass makes the networks `self.generator` and
    `self.discriminator`, used by calling them only, so that each can be wrapped for distributed training
    (`MMSeparateDistributedDataParallel`).

    Args:
        data_preprocessor: Config of a :class:`PairDataPreprocessor`.
    """

    generator: nn.Module
    discriminator: nn.Module

    def __init__(self, data_preprocessor: dict) -> None:
        # Built here, as BaseModel would look it up in mmengine's registry unless a config's scope says otherwise.
        super().__init__(data_preprocessor=MODELS.build(data_preprocessor))

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return next(self.parameters()).device

    def state_dict(self, *args, **kwargs) -> dict[str, Tensor]:
        """Weights by name, without the wrappers of distributed training: one process loads what several have saved."""
        # torch's own names them 'generator.module...', under which nothing finds them again.
        return get_state_dict(self, *args, **kwargs)

    def training_inputs(self, inputs: dict) -> dict:
        """The tensors that a training step works on, from the preprocessor's `inputs`: these."""
        return inputs

    @abstractmethod
    def draw(self, inputs: dict) -> Tensor:
        """Draws for a training batch.

        Args:
            inputs: Of :meth:`training_inputs`.

        Returns:
            (N, C, size, size) float in [-1, 1], with gradients.
        """

    @abstractmethod
    def discriminator_losses(self, inputs: dict, drawn: Tensor) -> dict[str, Tensor]:
        """Losses, by name, whose sum the discriminator's step lowers; `drawn` comes without gradients."""

    @abstractmethod
    def generator_losses(self, inputs: dict, drawn: Tensor) -> dict[str, Tensor]:
        """Losses, by name, whose sum the generator's step lowers; the discriminator's weights are frozen."""

    @abstractmethod
    def predict(self, inputs: dict, indices: Sequence[int]) -> tuple[Tensor | None, Tensor]:
        """Images, or None from a model of masks, and label maps for validation, both (N, size, size) integers."""

    def train_step(self, data: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """The discriminator's step on what the generator draws, then the generator's against the new discriminator.

        Args:
            data: A batch of the data loader.
            optim_wrapper: Holds `generator` and `discriminator`.

        Returns:
            Losses of both by name, for the log; `loss` is the generator's sum, `loss_discriminator` the other's.
        """
        inputs = self.training_inputs(self.data_preprocessor(data, True)['inputs'])
        with optim_wrapper['generator'].optim_context(self.generator):
            drawn = self.draw(inputs)
        with optim_wrapper['discriminator'].optim_context(self.discriminator):
            losses = self.discriminator_losses(inputs, drawn.detach())
        total = _update(optim_wrapper['discriminator'], losses)
        with optim_wrapper['generator'].optim_context(self.generator), frozen(self.discriminator):
            generator_losses = self.generator_losses(inputs, drawn)
        loss = _update(optim_wrapper['generator'], generator_losses)
        parts = {name: part.detach() for name, part in (losses | generator_losses).items()}
        return dict(loss=loss, loss_discriminator=total, **parts)

    def forward(self, inputs: dict, data_samples: Sequence | None = None, mode: str = 'predict') -> Sequence:
        """Entry point of MMEngine for validation; training goes by :meth:`train_step`.

        Args:
            inputs: What the preprocessor returns.
            data_samples: N data samples, which are filled.
            mode: 'predict'.

        Returns:
            The data samples, with `pred_sem_seg`, `pred_image` if the model draws images, the fractions of the label
            map and the real pair.

        Raises:
            ValueError: Another mode.
        """
        if mode != 'predict':
            raise ValueError(f"mode must be 'predict', got {mode!r}; a GAN trains by train_step, with two optimizers.")
        images, labels = self.predict(inputs, sample_indices(data_samples))
        num_classes = self.data_preprocessor.codec.num_classes
        return fill_samples(data_samples, inputs, labels, images, num_classes, steered=False)


def _update(optimizer: OptimWrapper, losses: dict[str, Tensor]) -> Tensor:
    """A step that lowers the sum of the losses; returns the sum."""
    total = sum(losses.values())
    optimizer.update_params(total)
    return total.detach()
