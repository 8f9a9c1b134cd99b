"""PairDiffusion, the base of all generators by diffusion: noising (Eq. 1), loss (Eq. 3) and sampling (Eq. 4-6)."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import diffusers
import torch
from mmengine.model import BaseModel
from mmseg.registry import MODELS
from torch import Tensor
from torch.nn import functional as F

from ...phases.seeding import sample_generator
from ..validation import VALIDATION_SEED, fill_samples, sample_indices
from .guidance import FractionGuidance
from .samplers import build_sampler
from .windows import predict_in_windows


class PairDiffusion(BaseModel):
    """A diffusion model over pair tensors.

    A subclass says what the condition is, how the network takes it, and which random stream it draws from; and, if it
    draws a part of the pair only, which.

    Args:
        data_preprocessor: Config of a :class:`PairDataPreprocessor`.
        sampler: Short name or config of a sampler.
        lambda_l1: Weight of the L1 term, lambda of Eq. 3.
        num_train_timesteps: Steps of the training noise schedule.
        noise_schedule: Arguments of diffusers' `DDPMScheduler` that differ from its defaults. `prediction_type` is
            'epsilon' (the paper), 'v_prediction' or 'sample'; `rescale_betas_zero_snr=True` ends in pure noise and
            needs one of the latter two.
        fraction_guidance: Part of the way to the asked fractions that the predicted clean mask is moved at each step
            of sampling, in [0, 1]; see :class:`FractionGuidance`. 0 is none.
        min_snr_gamma: gamma of min-SNR loss weighting (5 is usual), or None for equal weights.

    Raises:
        ValueError: Zero terminal SNR with noise prediction.
    """

    stream: str
    # Whether fractions are asked for, which what is drawn can be held against.
    steered = True

    def __init__(
        self,
        data_preprocessor: dict,
        sampler: str | dict = 'ddim',
        lambda_l1: float = 1.0,
        num_train_timesteps: int = 1000,
        noise_schedule: dict | None = None,
        min_snr_gamma: float | None = None,
        fraction_guidance: float = 0.0,
    ) -> None:
        # Built here, as BaseModel would look it up in mmengine's registry unless a config's scope says otherwise.
        super().__init__(data_preprocessor=MODELS.build(data_preprocessor))
        self.training_schedule = diffusers.DDPMScheduler(num_train_timesteps, **(noise_schedule or {}))
        schedule = self.training_schedule.config
        if schedule.rescale_betas_zero_snr and schedule.prediction_type == 'epsilon':
            raise ValueError(
                "noise_schedule: rescale_betas_zero_snr=True needs prediction_type 'v_prediction' or 'sample'. The "
                'last time step is pure noise, from which the noise says nothing about the pair.'
            )
        self.min_snr_gamma = min_snr_gamma
        self.fraction_guidance = (
            FractionGuidance(self.data_preprocessor.codec, self.training_schedule, fraction_guidance)
            if fraction_guidance
            else None
        )
        self.sampler = build_sampler(sampler)
        if self.sampler.steps > num_train_timesteps:
            raise ValueError(
                f'The sampler has {self.sampler.steps} steps (--steps, sampler.steps), the noise schedule only '
                f'{num_train_timesteps}. Take at most as many.'
            )
        self.lambda_l1 = lambda_l1

    def prepare(self, *, half: bool, channels_last: bool, compiled: bool) -> None:
        """Sets precision, memory layout and compilation of the network for drawing.

        Args:
            half: Half precision in the network; needs a GPU.
            channels_last: Memory layout that GPUs prefer.
            compiled: `torch.compile` the network: a minute at the start, faster afterwards.
        """
        self.unet.half_precision = half
        if channels_last:
            self.unet.to(memory_format=torch.channels_last)
        if compiled:
            self.unet.net.compile()

    @property
    def channels(self) -> int:
        """Channels that are drawn."""
        return self.data_preprocessor.num_channels

    def clean(self, inputs: dict) -> Tensor:
        """x_0, (N, channels, H, W): from the preprocessor's `inputs`."""
        return inputs['pairs']

    def as_pairs(self, drawn: Tensor, condition: Any) -> Tensor:
        """Pair tensors of what was drawn, (N, 1+M, H, W)."""
        return drawn

    @abstractmethod
    def condition(self, inputs: dict) -> Any:
        """Condition that steers the network: from the preprocessor's `inputs` to what :meth:`predict` takes."""

    @abstractmethod
    def augment_condition(self, condition: Any) -> Any:
        """Random changes of the condition in training."""

    @abstractmethod
    def predict(self, x: Tensor, t: Tensor, condition: Any) -> Tensor:
        """The network, epsilon_theta(x_t, t, c): (N, 1+M, H, W) noisy pairs to its prediction of the same shape."""

    @abstractmethod
    def crop_condition(self, condition: Any, corners: Sequence[tuple[int, int]]) -> Any:
        """The condition of windows of N larger fields: window after window, each of all N fields."""

    @abstractmethod
    def target(self, condition: Any) -> Tensor | None:
        """The phase fractions that a condition asks for, (N, K), or None if it asks for none."""

    def correct(self, prediction: Tensor, x: Tensor, t: Tensor, condition: Any) -> Tensor:
        """Moves the predicted clean mask towards the fractions asked for, if `fraction_guidance` says so."""
        target = self.target(condition)
        if self.fraction_guidance is None or target is None:
            return prediction
        return self.fraction_guidance(prediction, x, t, target)

    def forward(self, inputs: dict, data_samples: Sequence | None = None, mode: str = 'tensor') -> Any:
        """Entry point of MMEngine.

        Args:
            inputs: What the preprocessor returns: `pairs`, `fractions`.
            data_samples: N data samples; `predict` fills them.
            mode: 'loss' for training; 'predict' to draw a pair for each condition of the batch; 'tensor' for the
                drawn pair tensors.

        Returns:
            Losses by name, data samples, or (N, 1+M, H, W) pair tensors.

        Raises:
            ValueError: Unknown mode.
        """
        if mode == 'loss':
            return self.loss(self.clean(inputs), self.augment_condition(self.condition(inputs)))
        indices = sample_indices(data_samples or inputs['pairs'])
        if mode == 'tensor':
            return self.sample(self.condition(inputs), VALIDATION_SEED, indices)
        if mode == 'predict':
            condition = self.condition(inputs)
            pairs = self.as_pairs(self.sample(condition, VALIDATION_SEED, indices), condition)
            drawn = self.data_preprocessor.decode(pairs)
            num_classes = self.data_preprocessor.codec.num_classes
            return fill_samples(data_samples, inputs, drawn.labels, drawn.images, num_classes, steered=self.steered)
        raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}.")

    def loss(self, x0: Tensor, condition: Any) -> dict[str, Tensor]:
        """Eq. 3 at random time steps; each term is a mean over elements.

        Args:
            x0: (N, channels, H, W) float32 in [-1, 1], clean pairs.
            condition: What :meth:`predict` takes.

        Returns:
            `loss_mse`, and `loss_l1` (times lambda) unless lambda is 0.
        """
        steps = self.training_schedule.config.num_train_timesteps
        t = torch.randint(steps, (len(x0),), device=x0.device)
        epsilon = torch.randn_like(x0)
        x_t = self.training_schedule.add_noise(x0, epsilon, t)  # Eq. 1
        truth = self._truth(x0, epsilon, t)
        prediction = self.predict(x_t, t, condition).float()
        weight = self._weight(t)
        losses = dict(loss_mse=(weight * F.mse_loss(prediction, truth, reduction='none').mean((1, 2, 3))).mean())
        if self.lambda_l1:
            l1 = F.l1_loss(prediction, truth, reduction='none').mean((1, 2, 3))
            losses['loss_l1'] = self.lambda_l1 * (weight * l1).mean()
        return losses

    def _weight(self, t: Tensor) -> Tensor:
        """Weight of each time step: 1 (the paper), or min-SNR-gamma (Hang et al. 2023, Section 3.4)."""
        if self.min_snr_gamma is None:
            return torch.ones(len(t), device=t.device)
        alpha_bar = self.training_schedule.alphas_cumprod.to(t.device)[t]
        snr = alpha_bar / (1 - alpha_bar)
        clipped = snr.clamp(max=self.min_snr_gamma)
        kind = self.training_schedule.config.prediction_type
        if kind == 'v_prediction':
            return clipped / (snr + 1)
        return clipped if kind == 'sample' else clipped / snr

    def _truth(self, x0: Tensor, epsilon: Tensor, t: Tensor) -> Tensor:
        """The quantity to be predicted: the noise (the paper), the clean pair, or the velocity between them."""
        kind = self.training_schedule.config.prediction_type
        if kind == 'v_prediction':
            return self.training_schedule.get_velocity(x0, epsilon, t)
        return x0 if kind == 'sample' else epsilon

    @torch.no_grad()
    def sample(
        self,
        condition: Any,
        seed: int,
        indices: Sequence[int],
        size: tuple[int, int] | None = None,
        window_batch: int = 16,
    ) -> Tensor:
        """Draws pairs (Eq. 6). Pair i is a function of its condition, the seed and its index.

        Args:
            condition: What :meth:`predict` takes, for N pairs.
            seed: Seed of the run, >= 0.
            indices: Index of each of the N pairs.
            size: Height and width, at least the model's own size, which is the default. A larger field is drawn by
                overlapping windows, whose predictions are averaged at every step.
            window_batch: Windows in one network evaluation.

        Returns:
            (N, channels, H, W) float32 in [-1, 1].
        """
        window = self.data_preprocessor.size
        size = size or (window, window)

        def predict(x: Tensor, t: Tensor) -> Tensor:
            if size == (window, window):
                prediction = self.predict(x, t, condition)
            else:
                prediction = predict_in_windows(
                    lambda windows, corners: self.predict(windows, t, self.crop_condition(condition, corners)),
                    x,
                    window,
                    window_batch,
                )
            return self.correct(prediction, x, t, condition)

        return self.sampler(
            predict,
            shape=(self.channels, *size),
            generators=[sample_generator(seed, index, self.stream) for index in indices],
            training_schedule=self.training_schedule,
            device=next(self.parameters()).device,
        )
