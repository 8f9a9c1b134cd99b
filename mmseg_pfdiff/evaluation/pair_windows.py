"""Windows of the size of real tiles, which larger pairs are cut into."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..datasets.tiling import tile_positions
from .memorisation import NearestTiles


def cut_windows(maps: Tensor, side: int) -> Tensor:
    """Cuts images into square windows that cover them.

    Args:
        maps: (N, H, W).
        side: Of the windows, at most H and W.

    Returns:
        (N * windows, side, side), the windows of an image together.
    """
    places = tile_positions(*maps.shape[1:], side, 'cover')
    windows = [maps[:, y : y + side, x : x + side] for y, x in places]
    return torch.stack(windows, 1).flatten(0, 1)


def worst_windows(found: NearestTiles, owners: Sequence[int]) -> NearestTiles:
    """The window of the lowest ratio of each pair.

    Args:
        found: Of W windows.
        owners: W indices of pairs, equal ones together.

    Returns:
        Of N pairs.
    """
    best: dict[int, int] = {}
    for n, (owner, ratio) in enumerate(zip(owners, found.ratio.tolist(), strict=True)):
        if owner not in best or ratio < found.ratio[best[owner]]:
            best[owner] = n
    chosen = torch.tensor(list(best.values()))
    return NearestTiles(*(values[chosen] for values in found))
