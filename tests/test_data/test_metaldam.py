import numpy as np
import pytest
from mmseg.registry import DATASETS
from PIL import Image

from mmseg_pfdiff.data.metaldam.convert import convert_release
from mmseg_pfdiff.data.metaldam.dataset import MetalDAMDataset

PIPELINE = [dict(type='LoadImageFromFile', color_type='grayscale'), dict(type='LoadAnnotations')]


@pytest.fixture
def converted(three_micrographs, tmp_path):
    source, split, micrographs = three_micrographs
    convert_release(source, tmp_path / 'out', split, tile_size=32)
    return tmp_path / 'out', micrographs


def build(root, folder='', part='train', **kwargs):
    prefix = dict(img_path=f'{folder}img_dir/{part}', seg_map_path=f'{folder}ann_dir/{part}')
    return DATASETS.build(
        dict(type='MetalDAMDataset', data_root=str(root), data_prefix=prefix, pipeline=PIPELINE, **kwargs)
    )


def test_reads_the_pixels_that_were_converted(converted):
    root, micrographs = converted
    dataset = build(root)
    assert len(dataset) == 1
    sample = dataset[0]
    image, label = micrographs['micrograph0']
    np.testing.assert_array_equal(sample['img'].squeeze(), image)
    # The palette PNG comes back as indices: precipitate (3) ignored, defect (4) as class 3.
    np.testing.assert_array_equal(sample['gt_seg_map'], np.array([0, 1, 2, 255, 3])[label])
    assert sample['reduce_zero_label'] is False


def test_reads_tiles(converted):
    root, micrographs = converted
    dataset = build(root, folder='tiles/')
    assert len(dataset) == 2 * 2  # 40x56 covered by 32x32
    last = dataset[3]
    assert last['img_path'].endswith('micrograph0_y0008_x0024.png')
    np.testing.assert_array_equal(last['img'].squeeze(), micrographs['micrograph0'][0][8:40, 24:56])


def test_split_file_serves_as_ann_file(converted, tmp_path):
    dataset = build(converted[0], part='val', ann_file=str(tmp_path / 'split' / 'val.txt'))
    assert [dataset.get_data_info(i)['img_path'].rsplit('/', 1)[1] for i in range(len(dataset))] == ['micrograph1.png']


def test_classes_and_palette():
    classes, palette = MetalDAMDataset.METAINFO['classes'], MetalDAMDataset.METAINFO['palette']
    assert classes == ('matrix', 'austenite', 'martensite_austenite', 'defect')
    # Apart in brightness too, for readers who see no colour and for grey print.
    brightness = sorted(np.array(Image.fromarray(np.uint8([palette])).convert('L'))[0].tolist())
    assert min(np.diff(brightness)) >= 20
    for value, index in enumerate(MetalDAMDataset.release_to_class):
        if index != 255:
            assert classes[index] == MetalDAMDataset.release_classes[value]
    assert sum(MetalDAMDataset.paper_shares) == pytest.approx(100, abs=0.03)
