import diffusers
import pytest
import torch

from mmseg_pfdiff.models.diffusion.guidance import FractionGuidance, tilt
from mmseg_pfdiff.phases.codec import PhaseCodec

from ..generators import make_generator

TARGET = torch.tensor([[0.2, 0.5, 0.2, 0.1], [0.1, 0.1, 0.4, 0.4]])


def test_tilted_probabilities_have_the_mean_asked_for():
    p = (2 * torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0))).softmax(1)
    tilted = tilt(p, TARGET)
    torch.testing.assert_close(tilted.sum(1), torch.ones(2, 16, 16))
    assert (tilted.mean((2, 3)) - TARGET).abs().max() < 0.02
    assert (p.mean((2, 3)) - TARGET).abs().max() > 0.1
    # p'_k / p_k is exp(b_k) up to the norm of the pixel: ratios of ratios are the same everywhere.
    odds = (tilted / p)[:, 0] / (tilted / p)[:, 1]
    torch.testing.assert_close(odds, odds[:, :1, :1].expand_as(odds), rtol=1e-3, atol=0)


def test_probabilities_that_fit_are_left_alone():
    p = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0)).softmax(1)
    torch.testing.assert_close(tilt(p, p.mean((2, 3))), p, rtol=1e-4, atol=1e-5)


def test_decided_pixels_stay():
    p = torch.full((1, 4, 8, 8), 1e-4)
    p[:, 0] = 1
    p = p / p.sum(1, keepdim=True)
    assert (tilt(p, torch.tensor([[0.0, 0, 0, 1.0]])).argmax(1) == 0).float().mean() in (0, 1)
    assert torch.isfinite(tilt(p, torch.tensor([[0.0, 0, 0, 1.0]]))).all()


@pytest.mark.parametrize('kind', ['epsilon', 'v_prediction', 'sample'])
def test_correction_is_the_same_for_every_kind_of_prediction(kind):
    schedule = diffusers.DDPMScheduler(1000, prediction_type=kind)
    codec = PhaseCodec(4)
    generator = torch.Generator().manual_seed(0)
    p = torch.randn(2, 4, 8, 8, generator=generator).softmax(1)
    mask = torch.einsum('nkhw,km->nmhw', p, codec.codes)
    x0 = torch.cat([torch.rand(2, 1, 8, 8, generator=generator) - 0.5, mask], 1)
    epsilon = torch.randn(2, 4, 8, 8, generator=generator)
    t = torch.tensor(400)
    x_t = schedule.add_noise(x0, epsilon, t[None])
    velocity = schedule.get_velocity(x0, epsilon, t[None])
    prediction = dict(epsilon=epsilon, v_prediction=velocity, sample=x0)[kind]
    guided = FractionGuidance(codec, schedule, 1.0)(prediction, x_t, t, TARGET)
    scheduler = diffusers.DDIMScheduler.from_config(schedule.config, clip_sample=False)
    scheduler.set_timesteps(50)
    got = scheduler.step(guided, t, x_t).pred_original_sample
    torch.testing.assert_close(got[:, 0], x0[:, 0], rtol=0, atol=1e-4)
    assert (codec.posterior(got[:, 1:]).mean((2, 3)) - TARGET).abs().max() < 0.02
    none = FractionGuidance(codec, schedule, 0.0)(prediction, x_t, t, TARGET)
    torch.testing.assert_close(none, prediction, rtol=0, atol=1e-3)


def test_guided_samples_have_the_fractions_asked_for():
    """Whatever the network says: here it says nothing, being random."""
    c = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).repeat(4, 1)
    settings = dict(noise_schedule=dict(prediction_type='v_prediction'), sampler=dict(type='renoise', steps=10))
    errors = {}
    for weight in (0.0, 1.0):
        model = make_generator(fraction_guidance=weight, **settings)
        probability = model.data_preprocessor.codec.posterior(model.sample(c, seed=0, indices=range(4))[:, 1:])
        errors[weight] = (probability.mean((2, 3)) - c).abs().max()
    assert errors[1.0] < 0.05 and errors[1.0] < 0.5 * errors[0.0]


def test_bad_settings_are_named():
    schedule = diffusers.DDPMScheduler(1000)
    with pytest.raises(ValueError, match=r'in \[0, 1\], got 2'):
        FractionGuidance(PhaseCodec(4), schedule, 2)
    palette = PhaseCodec(2, 'palette', [[0, 0, 0], [255, 255, 255]])
    with pytest.raises(ValueError, match='simplex'):
        FractionGuidance(palette, schedule, 1.0)
