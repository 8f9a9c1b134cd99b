import torch

from mmseg_pfdiff.models.preprocessor import PairDataPreprocessor

from ..generators import make_super_resolution


def make_inputs(n=2, size=32):
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 4, (n, size // 8, size // 8), generator=generator).repeat_interleave(8, 1)
    labels = labels.repeat_interleave(8, 2)
    images = labels * 60.0
    preprocessor = PairDataPreprocessor(num_classes=4, size=size)
    return dict(images=images, labels=labels, pairs=preprocessor.encode(images, labels))


def test_condition_is_the_reduced_pair_brought_back_up(super_resolution):
    inputs = make_inputs()
    condition = super_resolution.condition(inputs)
    # Blocks of 8 survive a reduction by 2 unchanged.
    torch.testing.assert_close(condition.pairs, inputs['pairs'])
    inputs['images'][0, 0, 0] = 255.0
    changed = super_resolution.condition(inputs).pairs
    block = changed[0, 0, :2, :2]
    assert (block == block[0, 0]).all() and block[0, 0] > condition.pairs[0, 0, 0, 0]


def test_the_network_takes_8_channels_and_gives_4(super_resolution):
    config = super_resolution.unet.net.config
    assert (config.in_channels, config.out_channels) == (8, 4)
    losses = super_resolution(make_inputs(), mode='loss')
    assert set(losses) == {'loss_mse'}
    sum(losses.values()).backward()
    assert all(p.grad is not None for p in super_resolution.parameters())


def test_noise_augmentation_is_off_by_default_and_bounded(super_resolution):
    condition = super_resolution.condition(make_inputs())
    before = torch.get_rng_state()
    same = super_resolution.augment_condition(condition)
    assert torch.equal(same.pairs, condition.pairs) and torch.equal(torch.get_rng_state(), before)
    noisy_model = make_super_resolution(max_noise=0.3)
    torch.manual_seed(0)
    noisy = noisy_model.augment_condition(condition)
    assert (noisy.noise_level <= 0.3).all() and (noisy.noise_level > 0).all()
    spread = (noisy.pairs - condition.pairs).flatten(1).std(1)
    torch.testing.assert_close(spread, noisy.noise_level, rtol=0.05, atol=0)
    sum(noisy_model(make_inputs(), mode='loss').values()).backward()
    assert all(p.grad is not None for p in noisy_model.parameters())


def test_the_low_resolution_pair_steers_the_output(super_resolution):
    condition = super_resolution.condition(make_inputs())
    a = super_resolution.sample(condition, seed=0, indices=[0, 1])
    b = super_resolution.sample(condition._replace(pairs=-condition.pairs), seed=0, indices=[0, 1])
    assert a.shape == (2, 4, 32, 32)
    assert not torch.equal(a, b)


def test_fraction_guidance_keeps_the_fractions_of_the_low_resolution_pair():
    c = torch.tensor([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]])
    inputs, errors = make_inputs(), {}
    for weight in (0.0, 1.0):
        model = make_super_resolution(fraction_guidance=weight, sampler=dict(type='renoise', steps=10))
        low = model.data_preprocessor.encode(*model.data_preprocessor.reduce(inputs['images'], inputs['labels'], 2))
        pairs = model.sample(model.from_low_resolution(low, c), seed=0, indices=[0, 1])
        labels = model.data_preprocessor.decode(pairs).labels
        share = torch.stack([(labels == k).float().mean((1, 2)) for k in range(4)], 1)
        errors[weight] = (share - c).abs().mean()
    assert errors[1.0] < 0.5 * errors[0.0]
    # Validation knows no fractions to ask for: it draws as without guidance.
    assert model.correct(low, low, torch.tensor(1), model.from_low_resolution(low)) is low
