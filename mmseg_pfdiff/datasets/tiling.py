"""Where the tiles of a micrograph lie."""

TILINGS = ('cover', 'grid')


def tile_offsets(length: int, tile_size: int, tiling: str) -> list[int]:
    """First pixels of the tiles along one side.

    Args:
        length: Length of the side in pixels.
        tile_size: Side of a tile, at most `length`.
        tiling: `cover`: the fewest tiles that leave no pixel out, evenly spread, overlapping where they must.
            `grid`: as many as fit without overlap, from the first pixel on.
    """
    if not 1 <= tile_size <= length:
        raise ValueError(f'A tile must have 1 to {length} pixels along a side of {length}, got {tile_size}.')
    if tiling == 'cover':
        number = -(-length // tile_size)
        return [i * (length - tile_size) // max(number - 1, 1) for i in range(number)]
    if tiling == 'grid':
        return list(range(0, length - tile_size + 1, tile_size))
    raise ValueError(f'Tiling must be one of {", ".join(TILINGS)}, got {tiling!r}.')


def tile_positions(height: int, width: int, tile_size: int, tiling: str) -> list[tuple[int, int]]:
    """Upper left corners (y, x) of the tiles of a micrograph, row by row."""
    columns = tile_offsets(width, tile_size, tiling)
    return [(y, x) for y in tile_offsets(height, tile_size, tiling) for x in columns]
