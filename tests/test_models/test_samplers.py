import inspect

import diffusers
import pytest
import torch

from mmseg_pfdiff.models.diffusion.samplers import SAMPLERS, WITHOUT_NOISE, build_sampler, check_sampler
from mmseg_pfdiff.phases.seeding import sample_generator

SCHEDULE = diffusers.DDPMScheduler(1000)
ALPHAS = SCHEDULE.alphas_cumprod.double()
SHAPE = (4, 4, 4)


def toy_network(x, t):
    """The exact noise prediction for data that is 0.5 everywhere, bent a little so that steps matter."""
    alpha = ALPHAS[int(t)].float()
    return (x - alpha.sqrt() * 0.5 * torch.tanh(1 + x)) / (1 - alpha).sqrt()


def plain_sampler(steps, seed, renoise):
    """Eq. 4 and 5 (or DDIM's update) in double precision, one step after the other."""
    generator = sample_generator(seed, 0, 'generator')
    x = torch.randn(SHAPE, generator=generator).double()[None]
    times = [round(1000 - i * 1000 / steps) - 1 for i in range(steps)]
    for now, following in zip(times, [*times[1:], None], strict=True):
        epsilon = toy_network(x.float(), now).double()
        x0 = ((x - (1 - ALPHAS[now]).sqrt() * epsilon) / ALPHAS[now].sqrt()).clamp(-1, 1)  # Eq. 4, clipped
        if following is None:
            return x0
        if renoise:
            fresh = torch.randn(SHAPE, generator=generator).double()[None]
            x = ALPHAS[following].sqrt() * x0 + (1 - ALPHAS[following]).sqrt() * fresh  # Eq. 5
        else:
            x = ALPHAS[following].sqrt() * x0 + (1 - ALPHAS[following]).sqrt() * epsilon
    raise AssertionError('not reached')


@pytest.mark.parametrize('steps', [10, 50])
@pytest.mark.parametrize(('name', 'renoise'), [('renoise', True), ('ddim', False)])
def test_renoise_and_ddim_equal_their_equations(name, renoise, steps):
    sampler = build_sampler(dict(type=name, steps=steps))
    got = sampler(toy_network, SHAPE, [sample_generator(7, 0, 'generator')], SCHEDULE)
    torch.testing.assert_close(got.double(), plain_sampler(steps, 7, renoise), rtol=0, atol=2e-4)


def test_renoise_steps_that_do_not_divide_the_schedule():
    got = build_sampler(dict(type='renoise', steps=15))(
        toy_network, SHAPE, [sample_generator(7, 0, 'generator')], SCHEDULE
    )
    torch.testing.assert_close(got.double(), plain_sampler(15, 7, True), rtol=0, atol=2e-4)


SDE = dict(type='dpmsolver++', algorithm_type='sde-dpmsolver++')


@pytest.mark.parametrize('config', [*(dict(type=name) for name in sorted(SAMPLERS)), SDE], ids=str)
def test_a_sample_does_not_depend_on_its_batch(config):
    sampler = build_sampler(dict(config, steps=5))

    def draw(indices):
        return sampler(toy_network, SHAPE, [sample_generator(0, i, 'generator') for i in indices], SCHEDULE)

    together = draw([4, 0, 2])
    for place, index in enumerate([4, 0, 2]):
        torch.testing.assert_close(draw([index])[0], together[place], rtol=0, atol=1e-6)
    assert (together[0] - together[1]).abs().max() > 1e-3
    assert together.abs().max() <= 1


def test_samplers_agree_on_data_that_is_one_point():
    def exact(x, t):
        alpha = ALPHAS[int(t)].float()
        return (x - alpha.sqrt() * 0.5) / (1 - alpha).sqrt()

    for name in SAMPLERS:
        got = build_sampler(name)(exact, SHAPE, [sample_generator(0, 0, 'generator')], SCHEDULE)
        torch.testing.assert_close(got, torch.full_like(got, 0.5), rtol=0, atol=0.02)


def test_names_and_settings():
    sampler = build_sampler(dict(type='ddim', steps=7))
    assert sampler.scheduler_class is diffusers.DDIMScheduler and sampler.steps == 7
    assert build_sampler(dict(type='DEISMultistepScheduler', steps=5)).steps == 5
    with pytest.raises(ValueError, match="no scheduler 'euler'; short names are"):
        build_sampler('euler')
    with pytest.raises(ValueError, match='a whole number, at least 1; got 0'):
        build_sampler(dict(type='ddim', steps=0))


def test_half_a_step_is_none():
    with pytest.raises(ValueError, match=r'a whole number, at least 1; got 2\.5'):
        build_sampler(dict(type='ddim', steps=2.5))


@pytest.mark.parametrize('name', WITHOUT_NOISE)
def test_schedulers_that_take_no_generator_draw_nothing(name):
    sampler = build_sampler(dict(type=name, steps=5))
    before = torch.get_rng_state()
    check_sampler(sampler, SCHEDULE)
    assert torch.get_rng_state().equal(before)
    assert 'generator' not in inspect.signature(sampler.scheduler_class.step).parameters


def test_a_scheduler_that_draws_its_own_random_numbers_is_refused():
    with pytest.raises(ValueError, match=r'DPMSolverSDEScheduler take no generator.* Take one of .*sde-dpmsolver'):
        build_sampler(dict(type='DPMSolverSDEScheduler', steps=5))
