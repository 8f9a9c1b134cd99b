"""One random generator per sample, so that a sample does not depend on the batch or the process that draws it."""

import numpy as np
import torch

# What a sample needs random numbers for. Each purpose has a stream of its own: adding one moves no other.
STREAMS = ('fractions', 'generator', 'super_resolution', 'mask', 'image')


def sample_generator(seed: int, index: int, stream: str) -> torch.Generator:
    """The CPU generator of one sample and one purpose, a function of its arguments alone.

    Args:
        seed: Seed of the whole run, >= 0.
        index: Index of the sample, >= 0.
        stream: One of :data:`STREAMS`.

    Returns:
        A freshly seeded generator. Neighbouring seeds and indices give unrelated streams
        (`numpy.random.SeedSequence` hashes all three).

    Raises:
        ValueError: Negative seed or index, or unknown stream.
    """
    if stream not in STREAMS:
        raise ValueError(f'Unknown random stream {stream!r}; known are {STREAMS}.')
    if seed < 0 or index < 0:
        raise ValueError(f'seed and index must be >= 0, got seed={seed}, index={index}.')
    state = np.random.SeedSequence([seed, index, STREAMS.index(stream)]).generate_state(1, np.uint64)
    # torch takes seeds up to 2**63 - 1 on every platform.
    return torch.Generator().manual_seed(int(state[0] >> np.uint64(1)))
