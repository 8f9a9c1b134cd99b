"""Fraction guidance: the predicted clean mask is moved towards the fractions asked for, at every step of sampling."""

import diffusers
import torch
from torch import Tensor

from ...phases.codec import PhaseCodec

NEWTON_STEPS = 3


def tilt(posterior: Tensor, fractions: Tensor) -> Tensor:
    """The class probabilities nearest to given ones, in relative entropy, whose mean over the pixels is as asked.

    They are p'_ik ~ p_ik exp(b_k): pixels that are decided stay, those between two classes move. The K biases b solve
    mean_i p'_ik = c_k, by a few damped Newton steps.

    Args:
        posterior: p, (N, K, H, W) float > 0, sums to 1 over K.
        fractions: c, (N, K) float, each row sums to 1.

    Returns:
        p', shaped like p.
    """
    logits = posterior.flatten(2).log()
    biases = torch.zeros_like(fractions)
    identity = torch.eye(fractions.shape[1], dtype=fractions.dtype, device=fractions.device)
    for _ in range(NEWTON_STEPS):
        tilted = (logits + biases[..., None]).softmax(1)
        mean = tilted.mean(2)
        hessian = torch.diag_embed(mean) - torch.einsum('nkp,njp->nkj', tilted, tilted) / tilted.shape[2]
        # Damped: with all pixels decided there is nothing to move, and no bias may run away.
        step = torch.linalg.solve(hessian + 1e-3 * identity, mean - fractions)
        biases = biases - step.clamp(-2, 2)
    return (logits + biases[..., None]).softmax(1).view_as(posterior)


class FractionGuidance:
    """Corrects what the network predicts so that the clean mask it implies has more nearly the fractions asked for.

    Args:
        codec: Of the mask channels; its code must be a simplex.
        schedule: The training schedule: tells what the network predicts, and the noise at each time step.
        weight: Part of the way to the asked fractions that each step goes, in [0, 1].

    Raises:
        ValueError: Weight out of range, or a code that is no simplex.
    """

    def __init__(self, codec: PhaseCodec, schedule: diffusers.SchedulerMixin, weight: float) -> None:
        if not 0 <= weight <= 1:
            raise ValueError(f'fraction_guidance must be in [0, 1], got {weight}.')
        if not codec.is_simplex:
            raise ValueError("fraction_guidance needs a generator with the 'simplex' mask code.")
        self.codec = codec
        self.schedule = schedule
        self.weight = weight

    def __call__(self, prediction: Tensor, x_t: Tensor, t: Tensor, fractions: Tensor) -> Tensor:
        """The corrected prediction.

        Args:
            prediction: (N, 1+M, H, W), what the network says.
            x_t: (N, 1+M, H, W), noisy pairs.
            t: Time step.
            fractions: c, (N, K).

        Returns:
            (N, 1+M, H, W), of the same kind as `prediction`.
        """
        alpha_bar = self.schedule.alphas_cumprod[int(t)].item()
        signal, noise = alpha_bar**0.5, (1 - alpha_bar) ** 0.5
        x0 = self._to_clean(prediction, x_t, signal, noise)
        p = self.codec.posterior(x0[:, 1:])
        moved = tilt(p, fractions.to(p.dtype)) - p
        codes = self.codec.codes.to(p)
        correction = self.weight * torch.einsum('nkhw,km->nmhw', moved, codes)
        x0 = torch.cat([x0[:, :1], x0[:, 1:] + correction], dim=1)
        return self._from_clean(x0, x_t, signal, noise).to(prediction.dtype)

    def _to_clean(self, prediction: Tensor, x_t: Tensor, signal: float, noise: float) -> Tensor:
        """Eq. 4 for the noise; the same for the other kinds of prediction. Clipped to the range of pairs."""
        kind = self.schedule.config.prediction_type
        if kind == 'sample':
            x0 = prediction
        elif kind == 'v_prediction':
            x0 = signal * x_t - noise * prediction
        else:
            x0 = (x_t - noise * prediction) / max(signal, 1e-4)
        return x0.float().clamp(-1, 1)

    def _from_clean(self, x0: Tensor, x_t: Tensor, signal: float, noise: float) -> Tensor:
        """Back from the clean pair to what the network predicts."""
        kind = self.schedule.config.prediction_type
        if kind == 'sample':
            return x0
        if kind == 'v_prediction':
            return (signal * x_t - x0) / max(noise, 1e-4)
        return (x_t - signal * x0) / max(noise, 1e-4)
