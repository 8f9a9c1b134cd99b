"""Memorisation: whether generated pairs are training tiles, turned, mirrored or shifted.

A pair counts as a copy if the training tile nearest to it is nearer than a third of the distance to the second
nearest (Yoon et al., Diffusion probabilistic models generalize when they fail to memorize, 2023). A new micrograph of
the same material is about as far from one tile as from the next, so its ratio is near 1; a copy stands next to one
tile alone.

Precisely: images and label maps are reduced to 48x48 descriptors that are smooth enough to be compared at whole
pixels. The inner 36x36 of a pair's descriptor, in its eight symmetries, is compared with each 36x36 crop of a tile's
descriptor, so shifts of up to an eighth of the side are tried. The distance of pair and tile is the least over all of
these. The second nearest tile is sought among those that share no pixel with the nearest.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ..data.layout import tile_place
from ..phases.codec import PhaseCodec

COPY_RATIO = 1 / 3
SIDE = 48
CROP = 36
# Single precision leaves equal crops this far apart.
SAME = 2e-3
QUERY_BATCH = 64
TILE_BATCH = 16


class NearestTiles(NamedTuple):
    """Nearest training tiles of N pairs.

    Attributes:
        nearest: (N,) float32 distance to the nearest tile.
        second: (N,) float32 distance to the nearest tile that shares no pixel with that one.
        ratio: (N,) float32 in [0, 1], nearest / second; 1 where both are zero, as for masks of one class: what many
            tiles show is copied from none.
        tile: (N,) int64 index of the nearest tile.
    """

    nearest: Tensor
    second: Tensor
    ratio: Tensor
    tile: Tensor

    @property
    def copies(self) -> Tensor:
        """(N,) bool, whether each pair counts as a copy."""
        return self.ratio < COPY_RATIO


def image_descriptors(images: Tensor) -> Tensor:
    """Small, smooth versions of images.

    Args:
        images: (N, H, H), grey values 0..255, any dtype.

    Returns:
        (N, 1, 48, 48) float32, grey values.

    Raises:
        ValueError: Images that are no squares.
    """
    return _shrink(images[:, None].float())


def label_descriptors(labels: Tensor, num_classes: int) -> Tensor:
    """Small, smooth versions of label maps, coded so that every two classes are equally far apart.

    Args:
        labels: (N, H, H), integer, 0..K-1 or 255.
        num_classes: K.

    Returns:
        (N, K-1, 48, 48) float32. Without the smoothing, the mean over pixels of the squared distance of two maps would
        be the share of pixels in which they differ.

    Raises:
        ValueError: Maps that are no squares, or labels out of range.
    """
    codec = PhaseCodec(num_classes)
    unit = (codec.codes[0] - codec.codes[1]).norm()
    return _shrink(codec.encode(labels) / unit)


def _shrink(channels: Tensor) -> Tensor:
    """(N, C, H, W) float to (N, C, 48, 48), without what whole-pixel shifts could miss."""
    height, width = channels.shape[-2:]
    if height != width:
        raise ValueError(f'Pairs and tiles must be squares to be turned, got {height}x{width}: cut them first.')
    small = F.interpolate(channels, (SIDE, SIDE), mode='bilinear', antialias=True)
    taps = torch.tensor([1.0, 4, 6, 4, 1], device=small.device) / 16
    kernel = (taps[:, None] * taps)[None, None]
    padded = F.pad(small.flatten(0, 1)[:, None], (2, 2, 2, 2), mode='replicate')
    return F.conv2d(padded, kernel).reshape(small.shape)


def overlapping_tiles(names: Sequence[str], tile_size: int) -> Tensor:
    """Which tiles share a pixel, by their names `MICROGRAPH_y0000_x0256`.

    Args:
        names: T names without suffix; one of another form overlaps with itself alone.
        tile_size: Side of a tile in pixels of the micrograph.

    Returns:
        (T, T) bool, true on the diagonal.
    """
    places = [tile_place(name) or (f'/{n}', 0, 0) for n, name in enumerate(names)]
    micrographs = [place[0] for place in places]
    numbers = {name: n for n, name in enumerate(dict.fromkeys(micrographs))}
    micrograph = torch.tensor([numbers[name] for name in micrographs])
    corners = torch.tensor([place[1:] for place in places])
    near = ((corners[:, None] - corners[None]).abs() < tile_size).all(-1)
    return near & (micrograph[:, None] == micrograph[None])


def refuse_tiles_of_one_place(overlapping: Tensor) -> None:
    """Ends a search that could not find a second nearest tile.

    Args:
        overlapping: (T, T) bool of :func:`overlapping_tiles`.

    Raises:
        ValueError: No tiles, or one that all others overlap with.
    """
    if not len(overlapping) or overlapping.all(1).any():
        raise ValueError(
            f'To find copies, there must be tiles apart from each of the {len(overlapping)} training tiles, to find a '
            'second nearest. Leave this search out (--no-copies), or take more or larger micrographs.'
        )


def nearest_tiles(queries: Tensor, tiles: Tensor, overlapping: Tensor, *, standardise: bool) -> NearestTiles:
    """Finds the nearest and second-nearest tile of each pair.

    With `standardise`, crops are compared after their mean is taken off and their contrast made one, so that a copy of
    another brightness is found: the distance is sqrt(2 - 2 r) for the correlation r. Without, it is the root mean
    square over the pixels, for label maps about the root of the share of pixels that differ.

    Args:
        queries: (N, C, 48, 48) float32 descriptors of the pairs.
        tiles: (T, C, 48, 48) float32 descriptors of the training tiles.
        overlapping: (T, T) bool of :func:`overlapping_tiles`.
        standardise: True for images, False for label maps.

    Returns:
        Distances, ratios and indices, on the CPU.

    Raises:
        ValueError: Shapes that do not fit each other, or a tile that all others overlap with.
    """
    if queries.shape[1:] != tiles.shape[1:] or overlapping.shape != (len(tiles), len(tiles)):
        raise ValueError(
            f'queries (N, C, S, S), tiles (T, C, S, S) and overlapping (T, T) must fit, got '
            f'{tuple(queries.shape)}, {tuple(tiles.shape)} and {tuple(overlapping.shape)}.'
        )
    refuse_tiles_of_one_place(overlapping)
    parts = [queries[start : start + QUERY_BATCH] for start in range(0, len(queries), QUERY_BATCH)]
    distances = torch.cat([torch.empty(0, len(tiles)), *(_distances(part, tiles, standardise) for part in parts)])
    nearest, tile = distances.min(1)
    second = distances.masked_fill(overlapping[tile], torch.inf).amin(1)
    ratio = torch.where(second > 0, nearest / second, 1.0).clamp(max=1)
    return NearestTiles(nearest, second, ratio, tile)


def _distances(queries: Tensor, tiles: Tensor, standardise: bool) -> Tensor:
    """(N, T) float32, the least distance over symmetries and crops; equal ones are exactly zero."""
    border = (SIDE - CROP) // 2
    inner = queries[..., border : border + CROP, border : border + CROP]
    turned = [mirrored.rot90(turns, (2, 3)) for mirrored in (inner, inner.flip(3)) for turns in range(4)]
    wanted = _vectors(torch.stack(turned, 1).flatten(0, 1), standardise)
    columns = []
    for part in tiles.split(TILE_BATCH):
        crops = part.unfold(2, CROP, 1).unfold(3, CROP, 1).permute(0, 2, 3, 1, 4, 5)
        offered = _vectors(crops.reshape(-1, *inner.shape[1:]), standardise)
        squared = wanted.square().sum(1)[:, None] + offered.square().sum(1) - 2 * wanted @ offered.T
        columns.append(squared.reshape(len(queries), 8, len(part), -1).amin((1, 3)).cpu())
    distances = torch.cat(columns, 1).clamp(min=0).sqrt()
    return torch.where(distances < SAME, 0, distances)


def _vectors(crops: Tensor, standardise: bool) -> Tensor:
    """(B, C, 36, 36) to (B, C * 36 * 36), scaled so that Euclid's distance is the distance of crops."""
    vectors = crops.flatten(1)
    if not standardise:
        return vectors / CROP
    vectors = vectors - vectors.mean(1, keepdim=True)
    # A contrast below one grey value is noise and not blown up.
    return vectors / vectors.norm(dim=1, keepdim=True).clamp(min=CROP)


def worst_windows(windows: NearestTiles, owners: Sequence[int]) -> NearestTiles:
    """The window of the lowest ratio of each pair.

    Args:
        windows: Of W windows.
        owners: W indices of pairs, equal ones together.

    Returns:
        Of N pairs.
    """
    best: dict[int, int] = {}
    for n, (owner, ratio) in enumerate(zip(owners, windows.ratio.tolist(), strict=True)):
        if owner not in best or ratio < windows.ratio[best[owner]]:
            best[owner] = n
    chosen = torch.tensor(list(best.values()))
    return NearestTiles(*(values[chosen] for values in windows))
