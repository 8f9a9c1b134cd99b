import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch.nn import functional as F

from mmseg_pfdiff.models.gan.patch_networks import GlobalGenerator, PatchDiscriminator
from mmseg_pfdiff.models.gan.pix2pixhd import Pix2PixHD, feature_matching_loss, lsgan_loss, one_hot

from ..generators import OPTIMIZERS, batch, weights

NETWORKS = dict(
    generator=dict(base_channels=8, num_downsamplings=2, num_blocks=1),
    discriminator=dict(num_scales=2, base_channels=8, num_layers=2),
)


def make_pix2pixhd(size=16, **kwargs):
    torch.manual_seed(0)
    preprocessor = dict(type='PairDataPreprocessor', num_classes=4, size=size)
    return Pix2PixHD(preprocessor, **(NETWORKS | kwargs))


def test_one_hot_leaves_ignored_pixels_empty():
    channels = one_hot(torch.tensor([[[0, 2], [255, 1]]], dtype=torch.uint8), 3)
    assert channels.dtype == torch.float32
    assert channels[0].flatten(1).T.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 0], [0, 1, 0]]
    with pytest.raises(ValueError, match=r'0\.\.2 or 255 \(ignored\), got \[3, 7\]'):
        one_hot(torch.tensor([[[3, 7]]]), 3)


def test_the_generator_has_the_layers_of_the_paper():
    with torch.device('meta'):
        generator = GlobalGenerator(4)
    widths = [(m.in_channels, m.out_channels) for m in generator if hasattr(m, 'out_channels')]
    assert widths == [
        (4, 64), (64, 128), (128, 256), (256, 512), (512, 1024),
        (1024, 512), (512, 256), (256, 128), (128, 64), (64, 1),
    ]  # fmt: skip
    assert sum(type(m).__name__ == 'ResidualBlock' for m in generator) == 9
    assert generator.divisor == 16


def test_a_verdict_sees_70x70_pixels():
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(1, base_channels=4)
    # Without the norms, which see the whole image.
    layers = [m for m in discriminator.modules() if isinstance(m, (torch.nn.Conv2d, torch.nn.LeakyReLU))]
    x = torch.randn(1, 1, 160, 160, requires_grad=True)
    verdicts = torch.nn.Sequential(*layers)(x)
    assert verdicts.shape == discriminator(x)[-1].shape
    verdicts[0, 0, 10, 10].backward()
    seen = x.grad[0, 0].nonzero()
    assert (seen.max(0).values - seen.min(0).values + 1).tolist() == [70, 70]


def test_losses_are_those_of_the_formulas():
    model = make_pix2pixhd()
    inputs = model.data_preprocessor(batch(3))['inputs']
    drawn = model.draw(inputs).detach()
    assert drawn.shape == (3, 1, 16, 16) and drawn.abs().max() <= 1
    condition = F.one_hot(inputs['labels'], 4).permute(0, 3, 1, 2).float()

    def judge(images):
        x = torch.cat([condition, images], 1)
        half = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
        return [scale(part) for scale, part in zip(model.discriminator.scales, (x, half), strict=True)]

    real, false = judge(inputs['pairs'][:, :1]), judge(drawn)
    losses = model.discriminator_losses(inputs, drawn)
    assert losses['loss_real'].item() == pytest.approx(sum(((f[-1] - 1) ** 2).mean().item() for f in real) / 2)
    assert losses['loss_drawn'].item() == pytest.approx(sum((f[-1] ** 2).mean().item() for f in false) / 2)
    losses = model.generator_losses(inputs, drawn)
    assert losses['loss_adversarial'].item() == pytest.approx(sum(((f[-1] - 1) ** 2).mean().item() for f in false))
    distances = [
        (a - b).abs().mean().item() for f, r in zip(false, real, strict=True) for a, b in zip(f, r, strict=True)
    ]
    # Four stages at each of two scales; the fourth is the verdict.
    assert len(distances) == 8
    expected = 10 * (sum(distances[:3]) + sum(distances[4:7]))
    assert losses['loss_features'].item() == pytest.approx(expected, rel=1e-5)


def test_loss_functions_on_numbers():
    drawn = [[torch.tensor([1.0, 3.0]), torch.tensor([0.5])], [torch.tensor([0.0]), torch.tensor([2.0])]]
    real = [[torch.tensor([0.0, 0.0]), torch.tensor([9.0])], [torch.tensor([5.0]), torch.tensor([9.0])]]
    assert lsgan_loss(drawn, 1.0).item() == 0.25 + 1.0
    assert feature_matching_loss(drawn, real).item() == 2.0 + 5.0


@pytest.mark.parametrize(('still', 'moving'), [('generator', 'discriminator'), ('discriminator', 'generator')])
def test_a_step_changes_only_its_own_network(still, moving):
    model = make_pix2pixhd()
    wrappers = build_optim_wrapper(model, OPTIMIZERS)
    for group in wrappers[still].param_groups:
        group['lr'] = 0.0
    before = weights(model)
    log = model.train_step(batch(2), wrappers)
    after = weights(model)
    assert {name.split('.')[0] for name in before if not torch.equal(before[name], after[name])} == {moving}
    assert log['loss'] == log['loss_adversarial'] + log['loss_features']
    assert not any(value.requires_grad for value in log.values())


def test_an_image_depends_on_its_label_map_alone():
    model = make_pix2pixhd().eval()
    labels = torch.stack([sample.gt_sem_seg.data[0] for sample in batch(4)['data_samples']]).to(torch.uint8)
    labels[0, :4] = 255
    together = model.draw_images(labels, 0, range(4))
    assert together.shape == (4, 16, 16) and together.dtype == torch.uint8
    alone = torch.cat([model.draw_images(labels[i : i + 1], 7, [i + 90]) for i in range(4)])
    assert (alone.int() - together.int()).abs().max() <= 1
    assert not torch.equal(together[0], together[1])
    assert torch.equal(model.train().draw_images(labels, 0, range(4)), together)


@pytest.mark.parametrize(('shape', 'message'), [
    ((2, 16, 16), r'\(3, H, W\).*got \(2, 16, 16\)'), ((3, 4, 16), r'multiples of 4, at least 8; got \(4, 16\)'),
    ((3, 16, 18), 'multiples of 4'),
])  # fmt: skip
def test_label_maps_that_do_not_fit(shape, message):
    with pytest.raises(ValueError, match=message):
        make_pix2pixhd().draw_images(torch.zeros(shape, dtype=torch.uint8), 0, range(3))


def test_a_size_that_does_not_fit():
    with pytest.raises(ValueError, match='fewer num_downsamplings'):
        make_pix2pixhd(18)


def test_validation_fills_the_samples():
    model = make_pix2pixhd().eval()
    inputs = model.data_preprocessor(batch(2))
    _, second = model(**inputs, mode='predict')
    labels = inputs['inputs']['labels']
    assert torch.equal(second.pred_image.data, model.draw_images(labels, 0, range(2))[1:])
    assert torch.equal(second.pred_sem_seg.data, labels[1:])
    assert second.measured_fractions.tolist() == [0, 0.5, 0.5, 0]


def test_the_steps_are_those_written_out_by_hand():
    model, twin = make_pix2pixhd(), make_pix2pixhd()
    data = batch(4)
    log = model.train_step(data, build_optim_wrapper(model, OPTIMIZERS | dict(optimizer=dict(type='SGD', lr=0.1))))
    inputs = twin.data_preprocessor(data)['inputs']
    condition, real = one_hot(inputs['labels'], 4), inputs['pairs'][:, :1]
    optimizers = [torch.optim.SGD(part.parameters(), 0.1) for part in (twin.generator, twin.discriminator)]

    def judge(images):
        return twin.discriminator(condition, images)

    drawn = twin.generator(condition)
    ((lsgan_loss(judge(real), 1.0) + lsgan_loss(judge(drawn.detach()), 0.0)) / 2).backward()
    optimizers[1].step()
    verdicts = judge(drawn)
    loss = lsgan_loss(verdicts, 1.0) + 10 * feature_matching_loss(verdicts, judge(real))
    loss.backward()
    optimizers[0].step()
    assert log['loss'].item() == pytest.approx(loss.item(), rel=1e-4)
    for name, value in weights(model).items():
        torch.testing.assert_close(value, weights(twin)[name], rtol=1e-4, atol=1e-6, msg=name)
