"""Samplers: diffusers' schedulers by name, and Eq. 5 of the paper as printed."""

import builtins
import inspect
from collections.abc import Callable, Sequence

import diffusers
import torch
from diffusers import DDIMScheduler, SchedulerMixin
from diffusers.schedulers.scheduling_ddim import DDIMSchedulerOutput
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

# Short names for the command line. The clean pair lies in [-1, 1], so schedulers that can clip it there do.
SAMPLERS = {
    'ddim': dict(type='DDIMScheduler', steps=50, eta=0.0, timestep_spacing='trailing'),
    'renoise': dict(type='RenoiseScheduler', steps=50, timestep_spacing='trailing'),
    'dpmsolver++': dict(type='DPMSolverMultistepScheduler', steps=20, solver_order=2, timestep_spacing='trailing'),
    'dpmsolver++3m': dict(type='DPMSolverMultistepScheduler', steps=20, solver_order=3, timestep_spacing='trailing'),
    'unipc': dict(type='UniPCMultistepScheduler', steps=20, timestep_spacing='trailing'),
}
# Schedulers that draw no random numbers. Others must take them from the generators of the samples: one that draws its
# own, as DPMSolverSDEScheduler does, gives a pair that depends on more than its seed and number.
WITHOUT_NOISE = (
    'DDIMInverseScheduler', 'DEISMultistepScheduler', 'HeunDiscreteScheduler', 'IPNDMScheduler',
    'KDPM2DiscreteScheduler', 'LMSDiscreteScheduler', 'PNDMScheduler', 'UniPCMultistepScheduler',
)  # fmt: skip


class RenoiseScheduler(DDIMScheduler):
    """Eq. 5 as printed: the predicted clean sample is noised again with fresh noise.

    DDIM would reuse the predicted noise. Fresh noise lets later steps mend the errors of earlier ones, which a briefly
    trained network needs.
    """

    def step(self, model_output: Tensor, timestep: int, sample: Tensor, generator=None, return_dict: bool = True):
        """One step from t to the next lower time step.

        Args:
            model_output: (N, C, H, W), the prediction of the network.
            timestep: t.
            sample: (N, C, H, W), x_t.
            generator: One generator, or a list with one for each sample.
            return_dict: Kept for diffusers' signature.

        Returns:
            x at the next time step as `prev_sample`; the clean sample of Eq. 4 as `pred_original_sample`.
        """
        x0 = super().step(model_output, timestep, sample).pred_original_sample  # Eq. 4
        lower = self.timesteps[self.timesteps < int(timestep)]
        previous = x0
        if len(lower):
            noise = randn_tensor(x0.shape, generator=generator, device=x0.device, dtype=x0.dtype)
            previous = self.add_noise(x0, noise, lower[:1])  # Eq. 5
        if not return_dict:
            return previous, x0
        return DDIMSchedulerOutput(prev_sample=previous, pred_original_sample=x0)


class Sampler:
    """The sampling loop: from noise to a clean sample in a few steps.

    Args:
        type: Name of a diffusers scheduler, or 'RenoiseScheduler'.
        steps: Number of network evaluations, T of the paper.
        eta: Share of fresh noise for schedulers that take one (DDIM); 0 is the paper's.
        **scheduler_args: Arguments of the scheduler that differ from the training schedule's.

    Raises:
        ValueError: Unknown scheduler, one whose random numbers cannot be seeded for each sample, or steps < 1.
    """

    def __init__(self, type: str = 'DDIMScheduler', steps: int = 50, eta: float = 0.0, **scheduler_args) -> None:
        if type == 'DPMSolverSDEScheduler':  # which diffusers lacks where torchsde is not installed
            raise ValueError(_unseeded(type))
        # Of other names, looking them up would import whole pipelines.
        theirs = getattr(diffusers, type, None) if str(type).endswith('Scheduler') else None
        self.scheduler_class = RenoiseScheduler if type == 'RenoiseScheduler' else theirs
        if not (isinstance(self.scheduler_class, builtins.type) and issubclass(self.scheduler_class, SchedulerMixin)):
            raise ValueError(f'diffusers has no scheduler {type!r}; short names are {sorted(SAMPLERS)}.')
        takes_generators = 'generator' in inspect.signature(self.scheduler_class.step).parameters
        if not takes_generators and type not in WITHOUT_NOISE:
            raise ValueError(_unseeded(type))
        if not isinstance(steps, int) or steps < 1:
            raise ValueError(f'The steps of a sampler are a whole number, at least 1; got {steps!r}.')
        self.steps = steps
        self.eta = eta
        self.scheduler_args = scheduler_args

    def __call__(
        self,
        predict_noise: Callable[[Tensor, Tensor], Tensor],
        shape: Sequence[int],
        generators: Sequence[torch.Generator],
        training_schedule: SchedulerMixin,
        device: torch.device | str = 'cpu',
    ) -> Tensor:
        """Draws one sample for each generator.

        Args:
            predict_noise: (x_t, t) -> what the network predicts, shaped like x_t (N, C, H, W).
            shape: (C, H, W) of a sample.
            generators: N CPU generators; sample i uses the numbers of generator i alone.
            training_schedule: The scheduler the network was trained with; its noise schedule is taken over.
            device: Where to sample.

        Returns:
            (N, C, H, W) float32 in [-1, 1], the clean samples.
        """
        scheduler = self.scheduler_class.from_config(training_schedule.config, **self.scheduler_args)
        # Time steps stay on the CPU: on a GPU every scheduler.step would wait for the device.
        scheduler.set_timesteps(self.steps, device='cpu')
        noise = [torch.randn(tuple(shape), generator=generator) for generator in generators]
        x = torch.stack(noise).to(device) * scheduler.init_noise_sigma  # x_T
        accepted = inspect.signature(scheduler.step).parameters
        options = {k: v for k, v in dict(generator=list(generators), eta=self.eta).items() if k in accepted}
        for t in scheduler.timesteps:
            prediction = predict_noise(scheduler.scale_model_input(x, t), t)
            x = scheduler.step(prediction, t, x, **options).prev_sample
        return x.float().clamp(-1, 1)


def _unseeded(name: str) -> str:
    """The message about a scheduler whose random numbers cannot be seeded for each sample."""
    return (
        f'The steps of {name} take no generator: its random numbers could not be seeded for each pair, so that pairs '
        f'would depend on how they are drawn. Take one of {sorted(SAMPLERS)}; a DPM-Solver with fresh noise is '
        "dict(type='dpmsolver++', algorithm_type='sde-dpmsolver++')."
    )


def check_sampler(sampler: Sampler, training_schedule: SchedulerMixin) -> None:
    """Runs a sampler through on a single number, so that arguments its scheduler cannot use show before drawing.

    Args:
        sampler: The sampler.
        training_schedule: The scheduler the network was trained with.

    Raises:
        ValueError: It cannot draw; what diffusers said stands in the message.
    """
    try:
        drawn = sampler(lambda x, t: torch.zeros_like(x), (1, 1, 1), [torch.Generator()], training_schedule)
    except Exception as error:  # what schedulers raise over arguments they do not expect is anything
        reason = f'{type(error).__name__}: {error}'
    else:
        reason = '' if drawn.isfinite().all() else 'it gives numbers that are not finite'
    if reason:
        raise ValueError(
            f'{sampler.scheduler_class.__name__} cannot draw {sampler.steps} steps with {sampler.scheduler_args} on '
            f'this noise schedule ({reason}).'
        )


def resolve_sampler(config: str | dict, name: str | None = None, steps: int | None = None) -> dict:
    """The complete arguments of a sampler.

    Args:
        config: A key of :data:`SAMPLERS`, or arguments of :class:`Sampler`, whose `type` may be such a key.
        name: Key of :data:`SAMPLERS` that takes the place of `config`.
        steps: Takes the place of the sampler's own number of steps.

    Returns:
        Arguments of :class:`Sampler`.

    Raises:
        ValueError: Unknown name.
    """
    if name is not None and name not in SAMPLERS:
        raise ValueError(f'Unknown sampler {name!r}; known are {sorted(SAMPLERS)}.')
    chosen = name or config
    chosen = dict(type=chosen) if isinstance(chosen, str) else dict(chosen)
    preset = SAMPLERS.get(chosen['type'], {})
    resolved = {**preset, **chosen, 'type': preset.get('type', chosen['type'])}
    return resolved if steps is None else {**resolved, 'steps': steps}


def build_sampler(config: str | dict) -> Sampler:
    """The sampler of a config.

    Args:
        config: As of :func:`resolve_sampler`.

    Returns:
        The sampler.
    """
    return Sampler(**resolve_sampler(config))
