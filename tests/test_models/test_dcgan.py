import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch.nn import functional as F

from mmseg_pfdiff.models.gan.base import frozen
from mmseg_pfdiff.models.gan.dcgan import DCGAN, stage_widths

from ..generators import OPTIMIZERS, batch, weights


def make_dcgan(size=16, **kwargs):
    torch.manual_seed(0)
    preprocessor = dict(type='PairDataPreprocessor', num_classes=4, size=size)
    return DCGAN(preprocessor, **(dict(latent_dim=8, base_channels=8) | kwargs))


@pytest.mark.parametrize(
    ('size', 'widths'), [(16, [64, 128]), (64, [64, 128, 256, 512]), (256, [64, 128, 256, 512, 1024, 1024])]
)
def test_widths_double_down_to_4x4(size, widths):
    assert stage_widths(size, 64) == widths


@pytest.mark.parametrize('size', [8, 48])
def test_sizes_that_no_doubling_reaches_are_refused(size):
    with pytest.raises(ValueError, match=f'power of two, at least 16; got {size}'):
        make_dcgan(size)


@pytest.mark.parametrize('size', [16, 32])
def test_shapes_and_ranges(size):
    model = make_dcgan(size)
    masks = model.generator(torch.randn(3, 8))
    assert masks.shape == (3, 3, size, size) and masks.abs().max() <= 1
    assert model.discriminator(masks).shape == (3,)
    scale = model.generator[-2].weight.std().item()
    assert scale == pytest.approx(0.02, rel=0.2)


def test_losses_are_the_cross_entropies():
    model = make_dcgan()
    inputs = model.data_preprocessor(batch(4))['inputs']
    drawn = model.draw(inputs).detach()
    p_real = model.discriminator(inputs['pairs'][:, 1:]).sigmoid()
    p_drawn = model.discriminator(drawn).sigmoid()
    losses = model.discriminator_losses(inputs, drawn)
    assert losses['loss_real'].item() == pytest.approx(-p_real.log().mean().item(), abs=1e-5)
    assert losses['loss_drawn'].item() == pytest.approx(-(1 - p_drawn).log().mean().item(), abs=1e-5)
    loss = model.generator_losses(inputs, drawn)['loss_adversarial']
    assert loss.item() == pytest.approx(-p_drawn.log().mean().item(), abs=1e-5)


@pytest.mark.parametrize(('still', 'moving'), [('generator', 'discriminator'), ('discriminator', 'generator')])
def test_a_step_changes_only_its_own_network(still, moving):
    model = make_dcgan()
    wrappers = build_optim_wrapper(model, OPTIMIZERS)
    for group in wrappers[still].param_groups:
        group['lr'] = 0.0
    before = weights(model)
    log = model.train_step(batch(4), wrappers)
    after = weights(model)
    changed = {name.split('.')[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {moving}
    assert set(log) == {'loss', 'loss_discriminator', 'loss_real', 'loss_drawn', 'loss_adversarial'}
    assert log['loss_discriminator'] == log['loss_real'] + log['loss_drawn']
    # Nothing is left over for the next step.
    assert all(p.grad is None or not p.grad.any() for p in model.parameters())
    assert all(p.requires_grad for p in model.parameters())


def test_the_steps_are_those_written_out_by_hand():
    model, twin = make_dcgan(), make_dcgan()
    data = batch(4)
    torch.manual_seed(3)
    model.train_step(data, build_optim_wrapper(model, OPTIMIZERS))
    torch.manual_seed(3)
    real = twin.data_preprocessor(data)['inputs']['pairs'][:, 1:]
    optimizers = [
        torch.optim.Adam(part.parameters(), 2e-4, (0.5, 0.999)) for part in (twin.generator, twin.discriminator)
    ]
    drawn = twin.generator(torch.randn(4, 8))
    (F.softplus(-twin.discriminator(real)).mean() + F.softplus(twin.discriminator(drawn.detach())).mean()).backward()
    optimizers[1].step()
    F.softplus(-twin.discriminator(drawn)).mean().backward()
    optimizers[0].step()
    for name, value in weights(model).items():
        torch.testing.assert_close(value, weights(twin)[name], msg=name)


def test_wrapped_networks_train_and_keep_their_names():
    model, twin = make_dcgan(), make_dcgan()
    names = list(model.state_dict())
    assert set(names) == set(torch.nn.Module.state_dict(twin))
    for name in ('generator', 'discriminator'):
        setattr(model, name, torch.nn.DataParallel(getattr(model, name), device_ids=[]))
    model.train_step(batch(4), build_optim_wrapper(model, OPTIMIZERS))
    assert list(model.state_dict()) == names
    twin.load_state_dict(model.state_dict())
    assert torch.equal(model.eval().draw_labels(0, [0, 1]), twin.eval().draw_labels(0, [0, 1]))


def test_frozen_lets_gradients_of_the_input_through():
    layer = torch.nn.Linear(2, 1)
    x = torch.ones(1, 2, requires_grad=True)
    with frozen(layer):
        out = layer(x)
    out.sum().backward()
    assert torch.equal(x.grad, layer.weight) and layer.weight.grad is None and layer.weight.requires_grad


def test_a_label_map_depends_on_its_seed_and_index_alone():
    model = make_dcgan(base_channels=16)
    model(model.data_preprocessor(batch(2))['inputs'], batch(2)['data_samples'], 'predict')  # moves batch statistics
    model.eval()
    together = model.draw_labels(5, range(8))
    assert together.shape == (8, 16, 16) and together.dtype == torch.uint8 and together.max() <= 3
    torch.manual_seed(99)
    alone = torch.cat([model.draw_labels(5, [index]) for index in (7, 2)])
    assert (alone != together[[7, 2]]).float().mean() < 0.01
    assert not torch.equal(together[0], together[1])
    assert not torch.equal(model.draw_labels(6, [0]), together[:1])


def test_validation_fills_the_samples():
    model = make_dcgan().eval()
    data = batch(2)
    data['data_samples'][1].set_metainfo(dict(sample_idx=40))
    inputs = model.data_preprocessor(data)
    first, second = model(**inputs, mode='predict')
    assert torch.equal(second.pred_sem_seg.data, model.draw_labels(0, [40]))
    assert torch.equal(first.real_sem_seg.data[0], inputs['inputs']['labels'][0])
    share = (first.pred_sem_seg.data == 2).float().mean()
    assert first.measured_fractions[2].item() == pytest.approx(share.item())
    assert 'pred_image' not in first
    with pytest.raises(ValueError, match="must be 'predict', got 'loss'"):
        model(**inputs, mode='loss')
