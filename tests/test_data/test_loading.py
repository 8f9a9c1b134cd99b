"""The loaders of the configs: mmseg's values for good files, the name of the file for others."""

import numpy as np
import pytest
import torch
from mmcv.transforms import LoadAnnotations
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.runner import Runner
from mmseg.apis import MMSegInferencer
from mmseg.registry import DATASETS, MODELS, TRANSFORMS
from PIL import Image

from mmseg_pfdiff.command_line import describe_error
from mmseg_pfdiff.data.layout import DataError

from ..running import ROOT

IMAGE = dict(type='LoadImageFromFile', imdecode_backend='micrograph')
LABEL = dict(type='LoadLabelMap')
CONFIGS = ('metaldam_256x256.py', 'metaldam_pairs.py')


@pytest.fixture
def data(tmp_path):
    """Two micrographs in colour with index PNGs of three classes and 255."""
    rng = np.random.default_rng(0)
    for name in 'ab':
        for kind in ('img_dir', 'ann_dir'):
            (tmp_path / kind).mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20, 24, 3)).astype(np.uint8)).save(tmp_path / f'img_dir/{name}.png')
        label = Image.fromarray(rng.choice([0, 1, 2, 255], (20, 24)).astype(np.uint8))
        label.putpalette(rng.integers(0, 256, 768).astype(np.uint8).tobytes())
        label.save(tmp_path / f'ann_dir/{name}.png')
    return tmp_path


def data_set(root, pipeline, kind='BaseSegDataset', **options):
    options = dict(metainfo=dict(classes=('x', 'y', 'z')), img_suffix='.png') | options
    prefix = dict(img_path='img_dir', seg_map_path='ann_dir')
    return DATASETS.build(dict(type=kind, data_root=str(root), data_prefix=prefix, pipeline=pipeline, **options))


@pytest.mark.parametrize('options', [
    dict(),
    dict(reduce_zero_label=True),
    dict(kind='MetalDAMDataset', metainfo=dict(classes=('defect', 'austenite'))),
])  # fmt: skip
def test_values_are_those_of_mmseg(data, options):
    for color_type in ('color', 'grayscale'):
        theirs = data_set(
            data, [dict(type='LoadImageFromFile', color_type=color_type), dict(type='LoadAnnotations')], **options
        )
        ours = data_set(data, [IMAGE | dict(color_type=color_type), LABEL], **options)
        for one, other in zip(theirs, ours, strict=True):
            assert one.keys() == other.keys()
            assert np.abs(one['img'].astype(int) - other['img']).max() <= (color_type == 'grayscale')
            np.testing.assert_array_equal(one['gt_seg_map'], other['gt_seg_map'])
            assert (one['img_shape'], one['ori_shape'], one['seg_fields']) == (
                other['img_shape'], other['ori_shape'], other['seg_fields'],
            )  # fmt: skip


def test_float_images_and_other_decoders():
    loader = TRANSFORMS.build(IMAGE | dict(to_float32=True))
    path = str(ROOT / 'docs/fraction_grid.png')
    ours, theirs = (
        transform(dict(img_path=path))['img']
        for transform in (loader, TRANSFORMS.build(dict(type='LoadImageFromFile')))
    )
    assert ours.dtype == np.float32 and ours.flags.c_contiguous
    np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ValueError, match='color or grayscale for micrographs, got'):
        TRANSFORMS.build(IMAGE | dict(color_type='unchanged'))


@pytest.mark.parametrize('name', CONFIGS)
def test_the_configs_load_with_them(name):
    config = Config.fromfile(ROOT / 'configs/_base_/datasets' / name)
    for part in ('train', 'val', 'test'):
        if loader := config.get(f'{part}_dataloader'):
            image, label = loader.dataset.pipeline[:2]
            assert (image.type, image.imdecode_backend, label.type) == (
                'LoadImageFromFile',
                'micrograph',
                'LoadLabelMap',
            )
    assert isinstance(TRANSFORMS.build(LABEL), LoadAnnotations)  # for whoever looks for the one that loads labels


@pytest.mark.parametrize('kind', ['img_dir', 'ann_dir'])
def test_a_damaged_file_is_named_in_training_too(data, kind):
    path = data / kind / 'b.png'
    path.write_bytes(path.read_bytes()[:-60])
    dataset = dict(
        type='BaseSegDataset', data_root=str(data), data_prefix=dict(img_path='img_dir', seg_map_path='ann_dir'),
        metainfo=dict(classes=('x', 'y', 'z')), img_suffix='.png', pipeline=[IMAGE, LABEL],
    )  # fmt: skip
    sampler = dict(type='DefaultSampler', shuffle=False)
    for workers in (0, 1):
        loader = Runner.build_dataloader(dict(batch_size=1, num_workers=workers, sampler=sampler, dataset=dataset))
        with pytest.raises(DataError) as caught:
            list(loader)
        # What the tools print, without the traceback of a worker process.
        assert describe_error(caught.value).startswith(f'{path} cannot be read as an image: it is damaged')
        assert len(describe_error(caught.value).splitlines()) == 1


def test_a_micrograph_alone_passes(data):
    path = str(data / 'img_dir/a.png')
    sample = Compose([IMAGE, LABEL, dict(type='PackSegInputs')])(dict(img_path=path))
    assert sample['inputs'].shape == (3, 20, 24) and 'gt_sem_seg' not in sample['data_samples']


def test_mmsegs_inferencer_takes_the_configs(data, tmp_path):
    config = Config.fromfile(ROOT / 'configs/small/unet_r18_128x128_real.py')
    config.model.backbone.weights = None
    config.model.test_cfg = dict(mode='slide', crop_size=(64, 64), stride=(32, 32))
    model = MODELS.build(config.model)
    torch.save(
        dict(
            state_dict=model.state_dict(), meta=dict(dataset_meta=dict(classes=list('abcd'), palette=[[0, 0, 0]] * 4))
        ),
        tmp_path / 'm.pth',
    )
    config.dump(tmp_path / 'config.py')
    inferencer = MMSegInferencer(model=str(tmp_path / 'config.py'), weights=str(tmp_path / 'm.pth'), device='cpu')
    image = str(data / 'img_dir/a.png')
    of_path, of_pixels = (inferencer(one)['predictions'] for one in (image, np.array(Image.open(image))[..., ::-1]))
    assert of_path.shape == (20, 24)
    np.testing.assert_array_equal(of_path, of_pixels)


@pytest.mark.parametrize('loader', [IMAGE, dict(type='LoadImageFromFile')])
def test_a_label_map_of_another_size_than_its_image_is_named(data, loader):
    resize = dict(type='Resize', scale=(8, 8))
    passing = data_set(data, [loader, resize, LABEL])[1]  # as in a test pipeline: the image alone is resized
    assert passing['img'].shape[:2] != passing['gt_seg_map'].shape == (20, 24)
    image, label = data / 'img_dir/b.png', data / 'ann_dir/b.png'
    Image.open(image).resize((20, 20)).save(image)
    for pipeline in ([loader, LABEL], [loader, LABEL, resize], [loader, resize, LABEL]):
        samples = data_set(data, pipeline)
        assert samples[0]['gt_seg_map'].ndim == 2
        with pytest.raises(DataError, match=f'label map {label} has 24x20 pixels, its image {image} 20x20'):
            samples[1]
