import numpy as np
import pytest
import torch

from mmseg_pfdiff.phases.labels import check_labels, class_indices


@pytest.mark.parametrize('dtype', [torch.uint8, torch.int16, torch.int64])
def test_indices_put_ignored_pixels_behind_the_classes(dtype):
    labels = torch.tensor([[0, 3], [255, 1]]).to(dtype)
    index = class_indices(labels, 4)
    assert index.dtype == torch.int64 and index.tolist() == [[0, 3], [4, 1]]


@pytest.mark.parametrize('convert', [torch.as_tensor, np.asarray])
def test_labels_that_are_no_class_are_listed(convert):
    check_labels(convert([[0, 3], [255, 1]]), 4)
    with pytest.raises(ValueError, match=r'must be 0\.\.3 or 255 \(ignored\), got \[-1, 4, 9\]'):
        check_labels(convert([[9, 4, 0], [-1, 255, 4]]), 4)
