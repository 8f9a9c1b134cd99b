"""Fraction guidance, which moves the predicted clean mask towards the fractions asked for at every step of sampling."""

import diffusers
import torch
from torch import Tensor, nn

from ...phases.balance import balanced_biases
from ...phases.codec import PhaseCodec

NEWTON_STEPS = 3


def tilt(posterior: Tensor, target: Tensor) -> Tensor:
    """The class probabilities nearest to given ones, in relative entropy, whose mean over the pixels is as asked.

    They are p'_ik ~ p_ik exp(b_k): pixels that are decided stay, those between two classes move. The K biases b solve
    mean_i p'_ik = c_k, by a few damped Newton steps.

    Args:
        posterior: p, (N, K, H, W) float > 0, sums to 1 over K.
        target: c, (N, K) float, each row sums to 1.

    Returns:
        p', shaped like p.
    """
    logits = posterior.flatten(2).log()
    steps = dict(steps=NEWTON_STEPS, limit=2, damping=1e-3)
    biases = balanced_biases(logits, target, torch.zeros_like(target), **steps)
    return (logits + biases[..., None]).softmax(1).view_as(posterior)


class FractionGuidance(nn.Module):
    """Corrects what the network predicts so that the clean mask it implies has more nearly the fractions asked for.

    Args:
        codec: Of the mask channels; its code must be a simplex.
        schedule: The training schedule: tells what the network predicts, and the noise at each time step.
        weight: Part of the way to the asked fractions that each step goes, in [0, 1].

    Raises:
        ValueError: Weight out of range, or a code that is no simplex.
    """

    def __init__(self, codec: PhaseCodec, schedule: diffusers.SchedulerMixin, weight: float) -> None:
        super().__init__()
        if not 0 <= weight <= 1:
            raise ValueError(f'fraction_guidance must be in [0, 1], got {weight}.')
        if not codec.is_simplex:
            raise ValueError("fraction_guidance needs a generator with the 'simplex' mask code.")
        self.codec = codec
        self.kind = schedule.config.prediction_type
        self.weight = weight
        # Parts of signal and noise at each time step, (T,) float32: where the model is, so that no step waits for them.
        alphas = schedule.alphas_cumprod.double()
        self.register_buffer('signal', alphas.sqrt().float(), persistent=False)
        self.register_buffer('noise', (1 - alphas).sqrt().float(), persistent=False)

    def forward(self, prediction: Tensor, x_t: Tensor, t: Tensor, target: Tensor) -> Tensor:
        """The corrected prediction.

        Args:
            prediction: (N, 1+M, H, W), of the network.
            x_t: (N, 1+M, H, W), noisy pairs.
            t: Time step, on the CPU.
            target: c, (N, K).

        Returns:
            (N, 1+M, H, W), of the same kind as `prediction`.
        """
        signal, noise = self.signal[int(t)], self.noise[int(t)]
        x0 = self._to_clean(prediction, x_t, signal, noise)
        p = self.codec.posterior(x0[:, 1:])
        moved = tilt(p, target.to(p.dtype)) - p
        codes = self.codec.codes.to(p)
        correction = self.weight * torch.einsum('nkhw,km->nmhw', moved, codes)
        x0 = torch.cat([x0[:, :1], x0[:, 1:] + correction], dim=1)
        return self._from_clean(x0, x_t, signal, noise).to(prediction.dtype)

    def _to_clean(self, prediction: Tensor, x_t: Tensor, signal: Tensor, noise: Tensor) -> Tensor:
        """Eq. 4 for the noise; the same for the other kinds of prediction. Clipped to the range of pairs."""
        if self.kind == 'sample':
            x0 = prediction
        elif self.kind == 'v_prediction':
            x0 = signal * x_t - noise * prediction
        else:
            x0 = (x_t - noise * prediction) / signal.clamp(min=1e-4)
        return x0.float().clamp(-1, 1)

    def _from_clean(self, x0: Tensor, x_t: Tensor, signal: Tensor, noise: Tensor) -> Tensor:
        """Back from the clean pair to what the network predicts."""
        if self.kind == 'sample':
            return x0
        if self.kind == 'v_prediction':
            return (signal * x_t - x0) / noise.clamp(min=1e-4)
        return (x_t - signal * x0) / noise.clamp(min=1e-4)
