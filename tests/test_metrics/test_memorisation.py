import numpy as np
import pytest
import torch
from scipy import ndimage

from mmseg_pfdiff.metrics.memorisation import image_descriptors, label_descriptors, nearest_tiles, overlapping_tiles

SYMMETRIES = [lambda x, t=t, m=m: np.rot90(np.flip(x, -1) if m else x, t, (-2, -1)) for t in range(4) for m in (0, 1)]


def textures(number, size, seed):
    """Smooth random fields, (N, H, W) in 0..255, as a micrograph is smooth over a few pixels."""
    rng = np.random.default_rng(seed)
    fields = [ndimage.gaussian_filter(rng.standard_normal((size, size)), size / 30) for _ in range(number)]
    return np.stack([128 + 40 * field / field.std() for field in fields])


def slow_distance(query, tile, standardise):
    """Crop after crop, symmetry after symmetry, in double precision."""

    def scaled(crop):
        if not standardise:
            return crop / 36
        crop = crop - crop.mean()
        return crop / max(np.sqrt((crop**2).sum()), 36)

    inner = query[:, 6:42, 6:42]
    crops = [scaled(tile[:, y : y + 36, x : x + 36]) for y in range(13) for x in range(13)]
    return min(np.sqrt(((scaled(turn(inner)) - crop) ** 2).sum()) for turn in SYMMETRIES for crop in crops)


@pytest.mark.parametrize('standardise', [True, False])
def test_distances_equal_the_slow_reference(standardise):
    images = torch.as_tensor(textures(9, 96, 0))
    labels = (images / 64).clamp(0, 3).long()
    labels[0, :20] = 255
    descriptors = image_descriptors(images) if standardise else label_descriptors(labels, 4)
    queries, tiles = descriptors[:3], descriptors[3:]
    overlapping = torch.eye(6).bool()
    overlapping[0, 1] = overlapping[1, 0] = True
    result = nearest_tiles(queries, tiles, overlapping, standardise=standardise)
    for n, query in enumerate(queries.double().numpy()):
        distances = np.array([slow_distance(query, tile, standardise) for tile in tiles.double().numpy()])
        nearest = distances.argmin()
        apart = [t for t in range(6) if not overlapping[nearest, t]]
        assert result.tile[n] == nearest
        assert result.nearest[n] == pytest.approx(distances[nearest], abs=2e-3)
        assert result.second[n] == pytest.approx(distances[apart].min(), abs=2e-3)
        assert result.ratio[n] == pytest.approx(distances[nearest] / distances[apart].min(), abs=5e-3)


def test_copies_are_found_and_new_pictures_are_not():
    """Windows of 160x160 fields: tiles at the centre, copies shifted by up to an eighth, turned, paled, with noise."""
    rng = np.random.default_rng(1)
    fields = textures(24, 160, 1)
    tiles, shifts = fields[:, 16:144, 16:144], rng.integers(-16, 17, (24, 2))
    copies = [field[16 + y : 144 + y, 16 + x : 144 + x] for field, (y, x) in zip(fields, shifts, strict=True)]
    copies = np.stack([SYMMETRIES[n % 8](copy) for n, copy in enumerate(copies)])
    pale = 30 + 0.7 * copies + rng.normal(0, 3, copies.shape)
    new = textures(24, 160, 2)[:, 16:144, 16:144]
    apart = torch.eye(24).bool()

    def search(pictures):
        queries, known = (image_descriptors(torch.as_tensor(x.copy())) for x in (pictures, tiles))
        masks, known_masks = (
            label_descriptors(torch.as_tensor((x / 64).clip(0, 3).astype(int)), 4) for x in (pictures, tiles)
        )
        return nearest_tiles(queries, known, apart, standardise=True), nearest_tiles(
            masks, known_masks, apart, standardise=False
        )

    images, _ = search(pale)
    assert images.copies.all() and images.tile.tolist() == list(range(24))
    _, masks = search(copies)
    assert masks.copies.all() and masks.tile.tolist() == list(range(24))
    for result in search(new):
        assert not result.copies.any() and result.ratio.min() > 0.6


def test_distance_of_masks_is_the_root_of_the_share_that_differs():
    labels = torch.zeros(3, 96, 96, dtype=torch.uint8)
    labels[1] = 2
    labels[2] = 255
    known = label_descriptors(labels, 4)
    result = nearest_tiles(known[:1], known[1:2].repeat(2, 1, 1, 1), torch.eye(2).bool(), standardise=False)
    assert result.nearest.item() == pytest.approx(1)
    result = nearest_tiles(known[:1], known[2:].repeat(2, 1, 1, 1), torch.eye(2).bool(), standardise=False)
    assert result.nearest.item() == pytest.approx((3 / 8) ** 0.5), (
        'the centre of the simplex is as far from all classes'
    )


def test_a_mask_that_many_tiles_have_is_no_copy():
    labels = label_descriptors(torch.zeros(3, 64, 64, dtype=torch.uint8), 4)
    result = nearest_tiles(labels[:1], labels, torch.eye(3).bool(), standardise=False)
    assert result.nearest.item() == result.second.item() == 0 and result.ratio.item() == 1 and not result.copies.any()
    assert nearest_tiles(labels[:0], labels, torch.eye(3).bool(), standardise=False).ratio.shape == (0,)


def test_overlapping_tiles():
    names = ['a_1_y0000_x0000', 'a_1_y0000_x0200', 'a_1_y0256_x0000', 'b_y0000_x0000', 'strange', 'strange too']
    expected = np.eye(6, dtype=bool)
    expected[0, 1] = expected[1, 0] = True
    assert (overlapping_tiles(names, 256).numpy() == expected).all()


def test_errors():
    tiles = image_descriptors(torch.zeros(2, 64, 64))
    with pytest.raises(ValueError, match='must be squares to be turned, got 64x96'):
        image_descriptors(torch.zeros(1, 64, 96))
    with pytest.raises(ValueError, match='must fit'):
        nearest_tiles(tiles, tiles, torch.eye(3).bool(), standardise=True)
    with pytest.raises(ValueError, match='apart from each of the 2 training tiles'):
        nearest_tiles(tiles, tiles, torch.ones(2, 2).bool(), standardise=True)
