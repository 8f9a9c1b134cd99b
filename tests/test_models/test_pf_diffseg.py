import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmseg_pfdiff.phases.fractions import phase_fractions

from ..generators import make_generator


def test_loss_is_eq_3():
    model = make_generator(lambda_l1=0.5, cond_drop_prob=0, cond_jitter=0)
    x0 = torch.rand(3, 4, 16, 16) * 2 - 1
    c = torch.full((3, 4), 0.25)
    torch.manual_seed(11)
    losses = model.loss(x0, c)
    torch.manual_seed(11)
    t = torch.randint(1000, (3,))
    epsilon = torch.randn_like(x0)
    alpha = model.training_schedule.alphas_cumprod[t][:, None, None, None]
    x_t = alpha.sqrt() * x0 + (1 - alpha).sqrt() * epsilon
    difference = epsilon - model.unet(x_t, t, c)
    assert losses['loss_mse'].item() == pytest.approx(difference.square().mean().item(), rel=1e-5)
    assert losses['loss_l1'].item() == pytest.approx(0.5 * difference.abs().mean().item(), rel=1e-5)
    assert 'loss_l1' not in make_generator(lambda_l1=0).loss(x0, c)


def test_a_short_step_against_the_gradient_lowers_the_loss_by_as_much_as_the_gradient_says():
    model = make_generator().train()
    x0 = torch.ones(8, 4, 16, 16) * torch.tensor([0.5, 1, 1, 1])[:, None, None]
    inputs = dict(pairs=x0, fractions=torch.tensor([[1.0, 0, 0, 0]]).expand(8, 4))

    def loss():
        torch.manual_seed(0)  # the same noise and time steps
        return sum(model(inputs, mode='loss').values())

    before = loss()
    before.backward()
    gradients = [weight.grad for weight in model.parameters()]
    length = torch.stack([gradient.square().sum() for gradient in gradients]).sum().sqrt()
    with torch.no_grad():
        for weight, gradient in zip(model.parameters(), gradients, strict=True):
            weight -= 1e-2 * gradient / length
        assert (before - loss()).item() == pytest.approx(1e-2 * length.item(), rel=0.1)


def test_condition_is_jittered_and_dropped_in_training_only():
    model = make_generator(cond_drop_prob=0.25, cond_jitter=0.02)
    c = torch.tensor([[0.5, 0.3, 0.1, 0.1]]).expand(4000, 4)
    torch.manual_seed(0)
    augmented = model.augment_condition(c)
    dropped = (augmented == 0).all(1)
    assert dropped.float().mean().item() == pytest.approx(0.25, abs=0.03)
    kept = augmented[~dropped]
    torch.testing.assert_close(kept.sum(1), torch.ones(len(kept)))
    assert 0 < kept[:, 0].std() < 0.02
    assert torch.equal(model.condition(dict(fractions=c)), c)


def test_guidance_extrapolates_from_no_condition():
    x, t, c = torch.randn(2, 4, 16, 16), torch.tensor(400), torch.tensor([[1.0, 0, 0, 0], [0, 1.0, 0, 0]])
    plain, guided = make_generator(), make_generator(guidance_scale=3.0)
    with torch.no_grad():
        with_c, without = plain.predict(x, t, c), plain.predict(x, t, torch.zeros_like(c))
        torch.testing.assert_close(guided.predict(x, t, c), without + 3 * (with_c - without), rtol=1e-4, atol=1e-5)
    assert not torch.equal(with_c, without)


def test_samples_do_not_depend_on_the_batch(generator):
    c = torch.eye(4)
    together = generator.sample(c, seed=3, indices=[0, 1, 2, 3])
    alone = torch.cat([generator.sample(c[i : i + 1], seed=3, indices=[i]) for i in range(4)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)
    assert together.abs().max() <= 1
    assert not torch.equal(together[:1], generator.sample(c[:1], seed=4, indices=[0]))


def test_validation_draws_the_same_pair_for_a_tile_whatever_its_place(generator):
    def validate(order):
        samples = []
        for index in order:
            sample = SegDataSample(gt_sem_seg=PixelData(data=torch.full((1, 16, 16), index % 4)))
            sample.set_metainfo(dict(sample_idx=index))
            samples.append(sample)
        inputs = [torch.full((1, 16, 16), 20 * index, dtype=torch.uint8) for index in order]
        return generator.val_step(dict(inputs=inputs, data_samples=samples))

    first, second = validate([0, 1, 2]), validate([2, 0])
    assert torch.equal(first[2].pred_sem_seg.data, second[0].pred_sem_seg.data)
    torch.testing.assert_close(first[2].measured_fractions, phase_fractions(second[0].pred_sem_seg.data[0], 4))
    assert first[2].target_fractions.tolist() == [0, 0, 1, 0]
    assert first[2].real_image.data.unique().tolist() == [40]


def test_unknown_mode(generator):
    with pytest.raises(ValueError, match="got 'train'"):
        generator(dict(pairs=torch.zeros(1, 4, 16, 16), fractions=torch.zeros(1, 4)), mode='train')


@pytest.mark.parametrize('kind', ['epsilon', 'v_prediction', 'sample'])
def test_min_snr_weights_are_those_of_the_clean_pair_clipped(kind):
    """The loss on any prediction, weighted, is the loss on the clean pair times min(SNR, gamma)."""
    model = make_generator(lambda_l1=0, min_snr_gamma=5.0, noise_schedule=dict(prediction_type=kind))
    t = torch.tensor([0, 10, 200, 500, 999])
    alpha = model.training_schedule.alphas_cumprod[t].double()
    snr = alpha / (1 - alpha)
    # |target - prediction|^2 of each kind over that of the clean pair.
    factor = dict(epsilon=snr, v_prediction=1 / (1 - alpha), sample=torch.ones(5))[kind]
    torch.testing.assert_close(model._weight(t).double() * factor, snr.clamp(max=5), rtol=1e-3, atol=0)
    assert make_generator()._weight(t).tolist() == [1] * 5


@pytest.mark.parametrize('kind', ['v_prediction', 'sample'])
def test_other_predictions_are_of_the_right_target(kind):
    model = make_generator(lambda_l1=0, cond_drop_prob=0, cond_jitter=0, noise_schedule=dict(prediction_type=kind))
    x0, c = torch.rand(3, 4, 16, 16) * 2 - 1, torch.full((3, 4), 0.25)
    torch.manual_seed(5)
    loss = model.loss(x0, c)['loss_mse']
    torch.manual_seed(5)
    t, epsilon = torch.randint(1000, (3,)), torch.randn_like(x0)
    alpha = model.training_schedule.alphas_cumprod[t][:, None, None, None]
    prediction = model.unet(alpha.sqrt() * x0 + (1 - alpha).sqrt() * epsilon, t, c)
    target = dict(sample=x0, v_prediction=alpha.sqrt() * epsilon - (1 - alpha).sqrt() * x0)[kind]
    assert loss.item() == pytest.approx((prediction - target).square().mean().item(), rel=1e-4)


def test_more_steps_than_the_noise_schedule_has_are_refused():
    with pytest.raises(ValueError, match=r'5000 steps .*--steps.* only 1000'):
        make_generator(sampler=dict(type='ddim', steps=5000))


def test_zero_terminal_snr_needs_another_prediction():
    with pytest.raises(ValueError, match="needs prediction_type 'v_prediction' or 'sample'"):
        make_generator(noise_schedule=dict(rescale_betas_zero_snr=True))
    schedule = dict(rescale_betas_zero_snr=True, prediction_type='v_prediction')
    for sampler in ('ddim', 'renoise', 'dpmsolver++', 'unipc'):
        model = make_generator(noise_schedule=schedule, sampler=dict(type=sampler, steps=4))
        assert torch.isfinite(model.sample(torch.eye(4)[:2], 0, [0, 1])).all(), sampler
