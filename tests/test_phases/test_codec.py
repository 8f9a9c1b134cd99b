import pytest
import torch

from mmseg_pfdiff.phases.codec import PhaseCodec, swap_classes

PALETTE = [[0, 114, 178], [240, 228, 66], [213, 94, 0], [0, 0, 0]]


@pytest.mark.parametrize('num_classes', [2, 3, 4, 5, 7, 8, 12])
def test_simplex_codes_are_a_regular_simplex_in_the_cube(num_classes):
    codes = PhaseCodec(num_classes).codes.double()
    assert codes.shape == (num_classes, num_classes - 1)
    distances = torch.cdist(codes, codes)[~torch.eye(num_classes, dtype=torch.bool)]
    torch.testing.assert_close(distances, torch.full_like(distances, distances[0].item()), rtol=1e-5, atol=0)
    torch.testing.assert_close(codes.sum(0), torch.zeros(num_classes - 1).double(), rtol=0, atol=1e-5)
    assert codes.abs().max().item() == pytest.approx(1)


def test_four_classes_give_the_tetrahedron_of_full_contrast():
    codes = PhaseCodec(4).codes
    assert codes.abs().eq(1).all()
    assert sorted(codes.tolist()) == [[-1, -1, 1], [-1, 1, -1], [1, -1, -1], [1, 1, 1]]


@pytest.mark.parametrize('code', ['simplex', 'palette'])
def test_round_trip_and_ignored_pixels(code):
    codec = PhaseCodec(4, code, PALETTE)
    labels = torch.randint(0, 4, (2, 6, 5), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    labels[0, 0, 0] = 255
    channels = codec.encode(labels)
    assert channels.shape == (2, 3, 6, 5) and channels.dtype == torch.float32
    assert channels.abs().max() <= 1
    assert channels[0, :, 0, 0].tolist() == [0, 0, 0]
    decoded, margin, _ = codec.decode(channels)
    known = labels != 255
    assert decoded.dtype == torch.uint8
    assert torch.equal(decoded[known], labels[known])
    assert (margin[known] > 0).all()


@pytest.mark.parametrize('code', ['simplex', 'palette'])
def test_decode_takes_the_nearest_code_and_its_margin(code):
    codec = PhaseCodec(4, code, PALETTE)
    channels = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    decoded, margin, _ = codec.decode(channels)
    for y in range(8):
        for x in range(8):
            squared = (codec.codes - channels[0, :, y, x]).square().sum(1)
            assert decoded[0, y, x] == squared.argmin()
            first, second = squared.sort().values[:2]
            assert margin[0, y, x].item() == pytest.approx((second - first).item() / 2, abs=1e-5)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(num_classes=1), 'num_classes must be 2'),
        (dict(num_classes=4, code='one_hot'), "'simplex' or 'palette'"),
        (dict(num_classes=4, code='palette'), 'palette of 4 colours'),
        (dict(num_classes=2, code='palette', palette=[[0, 0, 0], [0, 0, 300]]), r'0\.\.255'),
        (dict(num_classes=2, code='palette', palette=[[1, 1, 1], [1, 1, 1]]), 'share a colour'),
    ],
)
def test_errors_name_what_is_wrong(arguments, message):
    with pytest.raises(ValueError, match=message):
        PhaseCodec(**arguments)


def test_encode_refuses_labels_that_are_no_class():
    with pytest.raises(ValueError, match=r'0\.\.3 or 255 \(ignored\), got \[4, 9\]'):
        PhaseCodec(4).encode(torch.tensor([[[0, 9], [4, 255]]]))


def smooth_channels(n=3, size=32):
    rough = torch.randn(n, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(rough, size=size, mode='bicubic')


def test_decode_to_exact_fractions():
    codec = PhaseCodec(4)
    channels = smooth_channels()
    fractions = torch.tensor([[0.3, 0.5, 0.15, 0.05], [1.0, 0, 0, 0], [0.25, 0.25, 0.25, 0.25]])
    decoded = codec.decode(channels, target=fractions)
    for n in range(3):
        counts = torch.bincount(decoded.labels[n].flatten().long(), minlength=4)
        assert ((counts - fractions[n] * 1024).abs() < 1).all()
    plain = codec.decode(channels)
    assert torch.equal(decoded.plain, plain.labels) and torch.equal(plain.plain, plain.labels)
    # What was not moved keeps the nearest code; what was moved is, on the whole, what was decided least, at borders.
    moved = decoded.labels[0] != decoded.plain[0]
    assert 0 < moved.sum() < 600
    assert decoded.margins[0][moved].mean() < decoded.margins[0][~moved].mean()


def test_a_phase_grows_where_it_is_and_none_appears_as_scattered_pixels():
    codec, generator = PhaseCodec(4), torch.Generator().manual_seed(0)
    labels = torch.zeros(1, 32, 32, dtype=torch.long)
    labels[:, 10:16, 10:16] = 3
    channels = 0.6 * codec.encode(labels) + 0.1 * torch.randn(1, 3, 32, 32, generator=generator)
    grown = codec.decode(channels, torch.tensor([[0.93, 0, 0, 0.07]])).labels[0]
    assert (grown == 3).sum() == 72 and (grown[7:19, 7:19] == 3).sum() == 72
    # Nothing of class 1 was drawn: the others share what was asked of it.
    without = codec.decode(channels, torch.tensor([[0.90, 0.03, 0, 0.07]])).labels[0]
    assert not (without == 1).any() and (without == 3).sum() == round(1024 * 0.07 / 0.97)


def test_decode_to_the_fractions_it_has_changes_nothing():
    codec = PhaseCodec(4)
    plain = codec.decode(smooth_channels()).labels
    fractions = torch.stack([torch.bincount(p.flatten().long(), minlength=4) / 1024 for p in plain])
    assert torch.equal(codec.decode(smooth_channels(), fractions).labels, plain)


def test_decode_refuses_fractions_that_do_not_fit():
    with pytest.raises(ValueError, match=r'must be \(3, 4\)'):
        PhaseCodec(4).decode(smooth_channels(), torch.full((1, 4), 0.25))


def test_posterior_inverts_the_mean_code():
    codec = PhaseCodec(4)
    p = torch.rand(2, 4, 5, 5, generator=torch.Generator().manual_seed(0)).softmax(1)
    channels = torch.einsum('nkhw,km->nmhw', p, codec.codes)
    torch.testing.assert_close(codec.posterior(channels), p, rtol=0, atol=1e-5)
    outside = codec.posterior(3 * codec.codes[:1].reshape(1, 3, 1, 1))
    assert outside[0, 0, 0, 0] > 0.999 and (outside > 0).all()
    with pytest.raises(ValueError, match='simplex'):
        PhaseCodec(4, 'palette', PALETTE).posterior(channels)


def test_specks_go_before_the_quota_is_met():
    codec = PhaseCodec(4)
    labels = torch.zeros(1, 32, 32, dtype=torch.long)
    labels[:, :, 16:] = 1
    labels[:, 5, 5] = 3  # a speck in class 0
    channels = 0.9 * codec.encode(labels)
    clean = codec.decode(channels, speck_area=4)
    assert clean.labels[0, 5, 5] == 0 and clean.plain[0, 5, 5] == 3
    # The speck was as decided as its surroundings: with the quota of the cleaned map it stays gone.
    kept = codec.decode(channels, torch.tensor([[0.5, 0.5, 0, 0]]), speck_area=4)
    assert torch.equal(kept.labels, clean.labels)
    assert codec.decode(channels, torch.tensor([[511 / 1024, 0.5, 0, 1 / 1024]])).labels[0, 5, 5] == 3


def test_swapped_scores_prefer_the_new_class_as_strongly():
    scores = torch.tensor([3.0, 1.0, 2.0]).reshape(1, 3, 1, 1)
    before, after = torch.zeros(1, 1, 1, dtype=torch.uint8), torch.ones(1, 1, 1, dtype=torch.uint8)
    assert swap_classes(scores, before, after).flatten().tolist() == [1, 3, 2]
    assert torch.equal(swap_classes(scores, before, before), scores)


@pytest.mark.parametrize('code', ['simplex', 'palette'])
def test_a_codec_is_built_where_nothing_has_values(code):
    with torch.device('meta'):
        codes = PhaseCodec(4, code, PALETTE).codes
        with pytest.raises(ValueError, match='share a colour'):
            PhaseCodec(2, 'palette', [[1, 1, 1], [1, 1, 1]])
    assert codes.device.type == 'meta' and codes.shape == (4, 3)
