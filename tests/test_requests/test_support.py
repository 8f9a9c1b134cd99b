import pytest
import torch

from mmseg_pfdiff.requests.support import CHUNK, FractionSupport, support_distance, support_limit


def test_the_distance_is_the_share_of_pixels_that_differ():
    real = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]], dtype=torch.float64)
    asked = torch.tensor([[0.5, 0.5, 0.0], [0.3, 0.6, 0.1], [0.0, 0.0, 1.0]], dtype=torch.float64)
    assert support_distance(asked, real).tolist() == pytest.approx([0, 0.2, 0.5])
    assert support_distance(asked[1], real).item() == pytest.approx(0.2)
    assert support_distance(torch.tensor([1.0, 0, 0]), real[1:]).item() == pytest.approx(1)


def test_the_limit_leaves_each_vector_itself_out():
    share = torch.tensor([0.0, 0.1, 0.3, 0.7], dtype=torch.float64)
    real = torch.stack([share, 1 - share], 1)  # nearest others at 0.1, 0.1, 0.2, 0.4
    assert support_limit(real, 1.0) == pytest.approx(0.4)
    assert support_limit(real, 0.5) == pytest.approx(0.15)
    assert support_limit(torch.cat([real, real]), 1.0) == 0


def test_many_vectors_are_compared_in_blocks():
    generator = torch.Generator().manual_seed(0)
    real = torch.rand(CHUNK + 50, 4, generator=generator, dtype=torch.float64)
    real /= real.sum(1, keepdim=True)
    distances = (real[:, None] - real[None]).abs().sum(2) / 2
    others = distances + torch.diag(torch.full((len(real),), torch.inf))
    assert support_limit(real, 0.99) == pytest.approx(others.amin(1).quantile(0.99).item(), abs=1e-12)
    assert support_distance(real, real).abs().max() == 0
    torch.testing.assert_close(support_distance(real, real[:7]), distances[:, :7].amin(1))


def test_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match=r'must be \(R, 3\)'):
        support_distance(torch.eye(3), torch.eye(4))
    with pytest.raises(ValueError, match='R at least 2'):
        support_limit(torch.eye(4)[:1])
    with pytest.raises(ValueError, match='quantile in'):
        support_limit(torch.eye(4), 99)


def test_the_support_of_one_vector_has_no_limit():
    assert FractionSupport(torch.eye(4)[:1]).limit == torch.inf
    support = FractionSupport(torch.eye(4))
    assert support.limit == support_limit(torch.eye(4)) == 1
    assert support(torch.tensor([[0.9, 0.1, 0, 0]])).tolist() == pytest.approx([0.1])
