import numpy as np
import pytest
from scipy import ndimage

from mmseg_pfdiff.phases.descriptors import chord_lengths, component_sizes, interface_density, two_point_correlation


@pytest.fixture
def labels():
    """Three smooth maps of four classes with ignored patches, not square; the last lacks class 3."""
    rng = np.random.default_rng(0)
    scores = ndimage.gaussian_filter(rng.normal(size=(3, 4, 22, 30)), (0, 0, 1.5, 1))
    maps = scores.argmax(1).astype(np.uint8)
    maps[0, 3:7, 5:9] = maps[1, :, 0] = maps[2][rng.random((22, 30)) < 0.05] = 255
    maps[2][maps[2] == 3] = 0
    return maps


def slow_correlation(label, phase, dy, dx):
    """Share of the pairs of known pixels, one shifted by (dy, dx) from the other, that both are of a phase."""
    hits = pairs = 0
    for y in range(label.shape[0] - dy):
        for x in range(label.shape[1] - dx):
            first, second = label[y, x], label[y + dy, x + dx]
            pairs += first != 255 and second != 255
            hits += first == phase and second == phase
    return hits / pairs


def test_two_point_correlation_equals_a_double_loop(labels):
    measured = two_point_correlation(labels, 4, 21)
    assert measured.shape == (3, 4, 2, 22)
    for n, k, r in [(0, 0, 0), (0, 1, 3), (1, 2, 7), (1, 3, 21), (2, 0, 1), (2, 3, 4), (0, 3, 11)]:
        assert measured[n, k, 0, r] == pytest.approx(slow_correlation(labels[n], k, 0, r), abs=1e-12)
        assert measured[n, k, 1, r] == pytest.approx(slow_correlation(labels[n], k, r, 0), abs=1e-12)
    known = (labels != 255).sum((1, 2))
    for k in range(4):
        fractions = (labels == k).sum((1, 2)) / known
        assert measured[:, k, 0, 0] == pytest.approx(fractions) and measured[:, k, 1, 0] == pytest.approx(fractions)
    assert two_point_correlation(labels, 4).shape == (3, 4, 2, 12)


def test_two_point_correlation_is_exact_for_large_maps():
    """Counts stay whole numbers, though the transform is in single precision."""
    labels = np.random.default_rng(1).integers(0, 2, (17, 256, 256)).astype(np.uint8)
    measured = two_point_correlation(labels, 2, 3)
    direct = (labels[:, :, 3:] & labels[:, :, :-3]).mean((1, 2))
    assert measured[:, 1, 0, 3] == pytest.approx(direct, abs=1e-12)


def test_stripes():
    """Vertical stripes two pixels wide: known values in closed form."""
    label = np.tile([0, 0, 1, 1], (1, 8, 4)).astype(np.uint8)
    measured = two_point_correlation(label, 2, 6)[0, 0]
    assert measured[1] == pytest.approx(np.full(7, 0.5))
    assert measured[0, [0, 2]] == pytest.approx([0.5, 0]) and measured[0, 4] == pytest.approx(0.5)
    chords = chord_lengths(label, 2)
    assert chords.sum() == chords[0, :, 0, 2].sum() == 8 * (3 + 3), 'runs at the border are left out'
    assert interface_density(label, 2) == pytest.approx(np.full((1, 2), 7 / 15))


def slow_chords(line, phase):
    """Lengths of the runs of a phase that another phase ends on both sides."""
    runs, start = [], 0
    for end in range(1, len(line) + 1):
        if end == len(line) or line[end] != line[start]:
            if line[start] == phase and start > 0 and end < len(line) and 255 not in (line[start - 1], line[end]):
                runs.append(end - start)
            start = end
    return runs


def test_chords_equal_a_run_length_loop(labels):
    counts = chord_lengths(labels, 4)
    assert counts.shape == (3, 4, 2, 30)
    for n, label in enumerate(labels):
        for k in range(4):
            for axis, lines in enumerate((label, label.T)):
                runs = [run for line in lines.tolist() for run in slow_chords(line, k)]
                assert counts[n, k, axis].tolist() == np.bincount(runs, minlength=30).tolist()
    assert counts.sum() > 300


def test_interface_density_by_hand():
    label = np.array([[[0, 0, 1], [0, 2, 1], [255, 2, 2]]], np.uint8)
    # Horizontal neighbours: 5 known, apart 0|1, 0|2, 2|1. Vertical: 5 known, apart 0|2, 1|2.
    measured = interface_density(label, 3)
    assert measured[0] == pytest.approx([2 / 5 + 1 / 5, 2 / 5 + 1 / 5, 2 / 5 + 2 / 5])
    assert measured.sum() / 2 == pytest.approx(3 / 5 + 2 / 5)
    assert np.isnan(interface_density(np.full((1, 4, 4), 255, np.uint8), 3)).all()


def test_components_equal_those_of_scipy(labels):
    measured = component_sizes(labels, 4)
    for n, label in enumerate(labels):
        for k in range(4):
            numbers, _ = ndimage.label(label == k, np.ones((3, 3)))
            areas = sorted(np.bincount(numbers.ravel())[1:].tolist())
            assert sorted(measured.area[(measured.tile == n) & (measured.phase == k)].tolist()) == areas
    assert measured.area.sum() == (labels != 255).sum()
    assert len(component_sizes(np.full((2, 4, 4), 255, np.uint8), 4).area) == 0


def test_errors(labels):
    for describe in (two_point_correlation, chord_lengths, interface_density, component_sizes):
        with pytest.raises(ValueError, match=r'0\.\.2 or 255.*got \[3\]'):
            describe(labels, 3)
        with pytest.raises(ValueError, match=r'\(N, H, W\) integers, got \(22, 30\)'):
            describe(labels[0], 4)
    with pytest.raises(ValueError, match=r'0\.\.21 .* got 22'):
        two_point_correlation(labels, 4, 22)
