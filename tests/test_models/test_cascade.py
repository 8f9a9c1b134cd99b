import pytest
import torch

from mmseg_pfdiff.models.cascade import PairCascade

from ..generators import make_generator, make_super_resolution


def test_batch_1_and_4_give_the_same_pairs(generator, super_resolution):
    cascade = PairCascade(generator, super_resolution)
    c = torch.eye(4)
    together = cascade.draw(c, seed=5, indices=[10, 11, 12, 13])
    assert together.images.shape == together.labels.shape == (4, 32, 32)
    assert together.images.dtype == together.labels.dtype == torch.uint8
    for n in range(4):
        alone = cascade.draw(c[n : n + 1], seed=5, indices=[10 + n])
        # Kernels differ with the batch shape: a grey value may round the other way, a tie between classes flip.
        # Of untrained networks, whose masks are nearly undecided, a flip also moves grey values around it.
        assert ((alone.images[0].int() - together.images[n].int()).abs() > 1).float().mean() < 0.02
        assert (alone.labels[0] != together.labels[n]).float().mean() < 0.02


def test_without_super_resolution_pairs_stay_small(generator):
    cascade = PairCascade(generator)
    assert cascade.tile_size == 16
    assert cascade.draw(torch.eye(4)[:1], 0, [0]).labels.shape == (1, 16, 16)


def test_parts_that_do_not_fit_are_named(generator):
    with pytest.raises(ValueError, match='16x16 pairs, the super-resolution model makes 64x64 of 32x32'):
        PairCascade(generator, make_super_resolution(size=64))
    other = make_super_resolution()
    other.data_preprocessor.codec.codes = other.data_preprocessor.codec.codes.flip(0)
    with pytest.raises(ValueError, match='mask codes'):
        PairCascade(make_generator(), other)


@pytest.mark.parametrize(
    ('fractions', 'message'),
    [
        (torch.eye(4)[:2], r'target must be \(1, 4\).*got \(2, 4\)'),
        (torch.tensor([[0.5, 0.5, 0.5, -0.5]]), '>= 0 and sum to 1'),
        (torch.tensor([[0.5, 0.2, 0.1, 0.1]]), '>= 0 and sum to 1'),
    ],
)
def test_bad_fractions_are_named(generator, fractions, message):
    with pytest.raises(ValueError, match=message):
        PairCascade(generator).draw(fractions, 0, [0])


def test_label_maps_have_exactly_the_fractions_asked_for(generator, super_resolution):
    c = torch.tensor([[0.4, 0.3, 0.2, 0.1], [0.97, 0.01, 0.01, 0.01]])
    pairs = PairCascade(generator, super_resolution).draw(c, 0, [0, 1])
    counts = torch.stack([(pairs.labels == k).sum((1, 2)) for k in range(4)], 1)
    assert ((counts - 1024 * c).abs() < 1).all()
    plain = PairCascade(generator, super_resolution, exact=False).draw(c, 0, [0, 1])
    assert torch.equal(plain.labels, pairs.plain) and not torch.equal(plain.labels, pairs.labels)


def test_fields_larger_than_a_tile_under_one_budget(generator, super_resolution):
    cascade = PairCascade(generator, super_resolution)
    c = torch.tensor([[0.4, 0.3, 0.2, 0.1]])
    pairs = cascade.draw(c, 0, [3], size=(45, 70))
    assert pairs.images.shape == pairs.labels.shape == (1, 45, 70)
    counts = torch.stack([(pairs.labels == k).sum() for k in range(4)])
    assert ((counts - 45 * 70 * c[0]).abs() < 1).all()
    small = cascade.draw(c, 0, [3], size=(45, 70), window_batch=2)
    assert (small.images.int() - pairs.images.int()).abs().max() <= 1
    assert cascade.seam_score(cascade.draw(c, 0, [3]).images[0]) == 1


def test_the_seam_score_is_that_of_the_borders_of_both_networks_windows(generator, super_resolution):
    image = torch.randint(256, (45, 70), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    # Windows of 16 over 23x35 begin at 0, 7 and at 0, 6, 12, 19, to be doubled; those of 32 over 46x70 at 0, 14 and at
    # 0, 12, 25, 38. Borders are where one begins or ends inside the field.
    rows = {2 * 7, 2 * 16} | {14, 32}
    columns = {2 * 6, 2 * 12, 2 * 16, 2 * 19, 2 * 22, 2 * 28} | {12, 25, 38, 32, 44, 57}
    steps_down, steps_right = image.double().diff(dim=0).abs(), image.double().diff(dim=1).abs()
    at_rows = torch.tensor([row + 1 in rows for row in range(44)])
    at_columns = torch.tensor([column + 1 in columns for column in range(69)])
    across = torch.cat([steps_down[at_rows].flatten(), steps_right[:, at_columns].flatten()]).mean()
    elsewhere = torch.cat([steps_down[~at_rows].flatten(), steps_right[:, ~at_columns].flatten()]).mean()
    cascade = PairCascade(generator, super_resolution)
    assert cascade.seam_score(image) == pytest.approx((across / elsewhere).item(), rel=1e-12)


def test_images_and_labels_without_indices(generator):
    cascade = PairCascade(generator)
    images, labels = cascade([[0.4, 0.3, 0.2, 0.1], [1, 0, 0, 0]], seed=5)
    pairs = cascade.draw(torch.tensor([[0.4, 0.3, 0.2, 0.1], [1, 0, 0, 0]]), 5, [0, 1])
    assert torch.equal(images, pairs.images) and torch.equal(labels, pairs.labels)


def test_a_size_below_a_tile_is_refused(generator):
    with pytest.raises(ValueError, match=r'at least 16x16.*got a size of 16x8'):
        PairCascade(generator).draw(torch.eye(4)[:1], 0, [0], size=(16, 8))


def test_half_precision_on_a_cpu_is_refused(generator):
    with pytest.raises(ValueError, match='needs a GPU'):
        PairCascade(generator, half=True)
