"""tools/test.py on files: what it refuses, what it writes, what it leaves alone."""

import json
import os
import shutil
import socket

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmseg.apis import MMSegInferencer, inference_model, init_model
from mmseg.registry import MODELS
from PIL import Image

from mmseg_pfdiff.data.metaldam.dataset import MetalDAMDataset
from mmseg_pfdiff.engine.testing import look_at_micrographs, predictions_depend_on
from mmseg_pfdiff.folder_lock import locked_folder

from ..running import ROOT, run_tool

CLASSES = MetalDAMDataset.METAINFO['classes']


@pytest.fixture(scope='module')
def segmentor(tmp_path_factory):
    """Config and checkpoint of a small U-Net of random weights, which knows its classes."""
    root = tmp_path_factory.mktemp('segmentor')
    config = Config.fromfile(ROOT / 'configs/small/unet_r18_128x128_real.py')
    config.merge_from_dict(
        {
            'model.backbone': dict(name='tu-mobilenetv3_small_050', depth=3),
            'model.decode_head': dict(in_channels=[3, 16, 8, 16], decoder_cfg=dict(decoder_channels=(16, 8, 4))),
            'model.test_cfg': dict(crop_size=(64, 64), stride=(32, 32), window_batch=4),
            # Its folders here are made by hand, without the record that says what the classes are.
            'test_dataloader': dict(num_workers=0, persistent_workers=False, dataset=dict(type='MetalDAMDataset')),
        }
    )
    for name in ('train', 'val'):
        for part in ('dataloader', 'pipeline', 'cfg', 'evaluator'):
            config.pop(f'{name}_{part}', None)
    config.pop('optim_wrapper')  # the Runner writes the config twice, which takes it longer than to test
    config.dump(root / 'small.py')
    return root / 'small.py', save_weights(config, root / 'small.pth')


def save_weights(config, path, seed=0, **meta):
    torch.manual_seed(seed)
    model = MODELS.build(dict(config.model, train_cfg=None))
    meta = dict(dataset_meta=dict(MetalDAMDataset.METAINFO, **meta))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
    return path


def run_test(segmentor, data, work_dir, *arguments, **options):
    settings = [f'test_dataloader.dataset.data_root={data}', *(f'{key}={value}' for key, value in options.items())]
    run_tool('test.py', *segmentor, '--work-dir', work_dir, *arguments, '--cfg-options', *settings)


def read_report(work_dir):
    return {row['micrograph']: row for row in json.loads((work_dir / 'test.json').read_text())}


def files_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob('*') if path.is_file())


def read(path):
    return np.array(Image.open(path))


@pytest.fixture
def linked(demo_data, tmp_path):
    """A test part of links: two specimens whose fields have one name, and lie in one pool."""
    names = sorted(path.name for path in (demo_data / 'img_dir/train').glob('*.png'))[:2]
    pool = tmp_path / 'pool'
    for kind in ('img_dir', 'ann_dir'):
        (pool / kind).mkdir(parents=True)
        for specimen, name in zip(('specA', 'specB'), names, strict=True):
            shutil.copy(demo_data / kind / 'train' / name, pool / kind / f'{specimen}.png')
            link = tmp_path / 'data' / kind / 'test' / specimen / 'field1.png'
            link.parent.mkdir(parents=True)
            link.symlink_to(pool / kind / f'{specimen}.png')
    return tmp_path / 'data'


def test_links_are_named_by_their_places_in_the_data_set(segmentor, linked, tmp_path):
    run_test(segmentor, linked, tmp_path / 'work', '--out', tmp_path / 'out')
    report = read_report(tmp_path / 'work')
    assert list(report) == ['specA/field1', 'specB/field1', 'all']
    assert files_below(tmp_path / 'out') == [
        *('overlays/specA/field1.png', 'overlays/specB/field1.png', 'predictions.json'),
        *('specA/field1.png', 'specB/field1.png'),
    ]
    for name in ('specA/field1', 'specB/field1'):
        label, predicted = read(linked / f'ann_dir/test/{name}.png'), read(tmp_path / f'out/{name}.png')
        assert report[name]['aAcc'] == pytest.approx(100 * (label == predicted)[label != 255].mean())
        assert report[name]['pixels']['labelled'] == np.bincount(label[label != 255], minlength=4).tolist()


@pytest.mark.parametrize('place', ['data/img_dir/test/predictions', 'link/predictions', 'pool'])
def test_predictions_do_not_replace_what_links_lead_to(segmentor, linked, tmp_path, place):
    (tmp_path / 'link').symlink_to(linked / 'ann_dir/test')
    for specimen in ('specA', 'specB'):  # the pool as it would be written
        (tmp_path / 'pool' / specimen).mkdir()
        link = linked / f'img_dir/test/{specimen}/field1.png'
        target = (tmp_path / 'pool' / specimen / 'field1.png').resolve()
        os.rename(link.resolve(), target)
        link.unlink()
        link.symlink_to(target)
    before = files_below(tmp_path / 'pool')
    with pytest.raises(SystemExit, match=r'--out .* give a folder of its own'):
        run_test(segmentor, linked, tmp_path / 'work', '--out', tmp_path / place)
    assert files_below(tmp_path / 'pool') == before


def test_two_micrographs_of_one_name_are_refused_before_the_test(segmentor, linked, tmp_path):
    image, label = read(linked / 'img_dir/test/specA/field1.png'), read(linked / 'ann_dir/test/specA/field1.png')
    Image.fromarray(image).save(linked / 'img_dir/test/specA/field1.tif')
    Image.fromarray(label).save(linked / 'ann_dir/test/specA/field1.tif')
    both = []
    for suffix in ('.png', '.tif'):
        prefix = dict(img_path='img_dir/test', seg_map_path='ann_dir/test')
        one = dict(type='MetalDAMDataset', data_root=str(linked), data_prefix=prefix)
        both.append(dict(one, img_suffix=suffix, seg_map_suffix=suffix))
    config = Config.fromfile(segmentor[0])
    for one in both:
        one['pipeline'] = config.test_pipeline
    config.test_dataloader.dataset = dict(type='ConcatDataset', datasets=both)
    config.dump(tmp_path / 'both.py')
    with pytest.raises(SystemExit, match=r'field1\.png and .*field1\.tif would both be reported as specA/field1:'):
        run_tool('test.py', tmp_path / 'both.py', segmentor[1], '--work-dir', tmp_path, '--out', tmp_path / 'out')
    assert not (tmp_path / 'out').exists() and not (tmp_path / 'test.json').exists()


def test_parts_of_several_data_sets_are_named_by_what_differs(segmentor, demo_data, linked, tmp_path):
    config = Config.fromfile(segmentor[0])
    one = config.test_dataloader.dataset
    both = [dict(one, data_root=str(root)) for root in (demo_data, linked)]
    config.test_dataloader.dataset = dict(type='ConcatDataset', datasets=both)
    config.dump(tmp_path / 'both.py')
    run_tool('test.py', tmp_path / 'both.py', segmentor[1], '--work-dir', tmp_path)
    names = [name for name in read_report(tmp_path) if name != 'all']
    assert len(names) == len(set(names)) > 2 and 'specA/field1' in names[-2]


def views_by_hand(config, weights, image_path):
    """The mean of the probabilities of a micrograph and its two mirror images, turned back."""
    model = MODELS.build(dict(config.model, train_cfg=None)).eval()
    model.load_state_dict(torch.load(weights)['state_dict'])
    image = torch.from_numpy(read(image_path)).float().expand(3, -1, -1)
    mean, std = (torch.tensor(config.model.data_preprocessor[key])[:, None, None] for key in ('mean', 'std'))
    prepared = ((image - mean) / std)[None]
    total = 0
    for axes in ((), (3,), (2,)):
        with torch.no_grad():
            logits = model.slide_inference(prepared.flip(axes), [{}])
        total = total + logits.softmax(1).flip(axes)
    return total[0] / 3


@pytest.mark.parametrize('kind', ['MicrographTTAModel', 'SegTTAModel'])
def test_augmentation_averages_the_views(segmentor, linked, tmp_path, kind):
    run_test(segmentor, linked, tmp_path / 'work', '--tta', '--out', tmp_path / 'out', **{'tta_model.type': kind})
    report = read_report(tmp_path / 'work')
    config = Config.fromfile(segmentor[0])
    differs = 0
    for name in ('specA/field1', 'specB/field1'):
        image = linked / f'img_dir/test/{name}.png'
        mean = views_by_hand(config, segmentor[1], image)
        first, second = mean.topk(2, dim=0).values
        predicted = read(tmp_path / f'out/{name}.png')
        sure = (first - second > 1e-5).numpy()
        assert (predicted == mean.argmax(0).numpy())[sure].all() and sure.mean() > 0.99
        label = read(linked / f'ann_dir/test/{name}.png')
        assert report[name]['aAcc'] == pytest.approx(100 * (label == predicted)[label != 255].mean())
        differs += (predicted != views_of_one(config, segmentor[1], image)).sum()
    assert differs > 0


def views_of_one(config, weights, image_path):
    """Predicted classes without augmentation."""
    model = MODELS.build(dict(config.model, train_cfg=None)).eval()
    model.load_state_dict(torch.load(weights)['state_dict'])
    sample = Compose([config.test_pipeline[0], config.test_pipeline[-1]])(dict(img_path=str(image_path)))
    with torch.no_grad():
        [result] = model.test_step(dict(inputs=[sample['inputs']], data_samples=[sample['data_samples']]))
    return result.pred_sem_seg.data[0].numpy()


@pytest.mark.parametrize('missing', ['tta_model', 'tta_pipeline'])
def test_augmentation_needs_its_settings(segmentor, demo_data, tmp_path, missing):
    with pytest.raises(SystemExit, match=f'small.py has no {missing}, which --tta needs'):
        run_test(segmentor, demo_data, tmp_path, '--tta', **{missing: None})


@pytest.fixture
def data(demo_data, tmp_path):
    """A test part of two micrographs."""
    names = sorted(path.name for path in (demo_data / 'img_dir/train').glob('*.png'))[:2]
    for kind in ('img_dir', 'ann_dir'):
        folder = tmp_path / 'data' / kind / 'test'
        folder.mkdir(parents=True)
        for name in names:
            shutil.copy(demo_data / kind / 'train' / name, folder)
    return tmp_path / 'data'


def first_name(data):
    return min(path.name for path in (data / 'img_dir/test').glob('*.png'))


def label(data, values):
    Image.fromarray(values.astype(np.uint8)).save(data / 'ann_dir/test' / first_name(data))


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (lambda data: shutil.rmtree(data / 'img_dir'), 'no folder .*img_dir/test'),
        (lambda data: [path.unlink() for path in (data / 'img_dir/test').iterdir()], 'no image .*img_dir/test'),
        (lambda data: (data / 'ann_dir/test' / first_name(data)).unlink(), r'1 of 2 label maps .* is missing'),
        (lambda data: label(data, np.zeros((20, 30))), r'has 30x20 pixels, its image .* 192x128'),
        (lambda data: label(data, np.full((128, 192), 7)), 'holds the values 7, the 4 classes are 0..3'),
        (lambda data: (data / 'ann_dir/test' / first_name(data)).write_bytes(b'no image'), 'cannot be read'),
    ],
)
def test_a_test_part_that_is_not_whole_is_refused(segmentor, data, tmp_path, damage, message):
    damage(data)
    with pytest.raises(SystemExit, match=message):
        run_test(segmentor, data, tmp_path / 'work')
    assert not (tmp_path / 'work').exists()


def test_a_conversion_that_was_stopped_is_not_tested(segmentor, data, tmp_path):
    (data / 'metaldam.unfinished.json').write_text('{"identity": {}}')
    with pytest.raises(SystemExit, match='whose conversion was stopped'):
        run_test(segmentor, data, tmp_path / 'work')


def test_weights_of_other_classes_are_refused(segmentor, data, tmp_path):
    config = Config.fromfile(segmentor[0])
    weights = save_weights(config, tmp_path / 'other.pth', classes=('austenite', 'matrix', *CLASSES[2:]))
    with pytest.raises(SystemExit, match='other classes than the test part has: class 0 is austenite there and matrix'):
        run_test((segmentor[0], weights), data, tmp_path / 'work')
    run_test(
        (segmentor[0], weights), data, tmp_path / 'work',
        **{'test_dataloader.dataset.metainfo.classes': '(austenite,matrix,martensite_austenite,defect)'},
    )  # fmt: skip
    assert list(read_report(tmp_path / 'work')['all']['IoU'])[:2] == ['austenite', 'matrix']


def test_what_no_test_wrote_is_not_replaced(segmentor, data, tmp_path):
    out = tmp_path / 'out'
    out.mkdir()
    mine = out / first_name(data)
    mine.write_text('mine')
    with pytest.raises(SystemExit, match=f'holds files that no test wrote .{first_name(data)}'):
        run_test(segmentor, data, tmp_path / 'work', '--out', out)
    assert mine.read_text() == 'mine' and files_below(out) == [mine.name]
    with pytest.raises(SystemExit, match='error: '):
        run_test(segmentor, data, tmp_path / 'work', '--out', mine / 'below')
    assert not (tmp_path / 'work/test.json').exists()


def test_the_same_test_is_done_anew_and_another_one_elsewhere(segmentor, data, tmp_path):
    out, work = tmp_path / 'out', tmp_path / 'work'
    work.mkdir()
    (work / 'small.py').write_text('# what it was trained with')
    run_test(segmentor, data, work, '--out', out)
    assert json.loads((out / 'predictions.json').read_text())['finished'] is True
    before = {name: (out / name).read_bytes() for name in files_below(out)}
    (out / first_name(data)).unlink()
    run_test(segmentor, data, work, '--out', out, **{'model.test_cfg.window_batch': 8})
    assert {name: (out / name).read_bytes() for name in files_below(out)} == before
    weights = save_weights(Config.fromfile(segmentor[0]), tmp_path / 'later.pth', seed=1)
    with pytest.raises(SystemExit, match=r'predictions of another test: weights is .* there and '):
        run_test((segmentor[0], weights), data, work, '--out', out)
    assert {name: (out / name).read_bytes() for name in files_below(out)} == before
    # Nor is the config replaced by which the network was trained.
    assert (work / 'small.py').read_text() == '# what it was trained with'
    assert 'SlidingWindowEncoderDecoder' in (work / 'small_test.py').read_text()


def test_what_tells_predictions_apart(segmentor, data):
    def identity(weights='a', **options):
        config = Config.fromfile(segmentor[0])
        config.merge_from_dict({'test_dataloader.dataset.data_root': str(data), **options})
        return predictions_depend_on(config, weights, look_at_micrographs(config))

    first = identity()
    for options in ({'model.test_cfg.window_batch': 1}, {'model.test_cfg.accumulate_device': 'cpu'}):
        assert identity(**options) == first
    others = [identity('b'), identity(**{'model.test_cfg.stride': (64, 64)})]
    others.append(identity(**{'test_dataloader.dataset.pipeline.0.color_type': 'grayscale'}))
    (data / 'img_dir/test' / first_name(data)).unlink()
    others.append(identity())
    changed = [[name for name in first if other[name] != first[name]] for other in others]
    assert changed == [['weights'], ['model'], ['pipeline'], ['micrographs']]


def test_a_test_that_fails_leaves_the_old_report(segmentor, data, tmp_path):
    out, work = tmp_path / 'out', tmp_path / 'work'
    run_test(segmentor, data, work, '--out', out)
    report = (work / 'test.json').read_bytes()
    last = max((data / 'img_dir/test').glob('*.png'))
    last.write_bytes(last.read_bytes()[:300])
    with pytest.raises(SystemExit, match=last.name):
        run_test(segmentor, data, work, '--out', out)
    assert (work / 'test.json').read_bytes() == report
    assert json.loads((out / 'predictions.json').read_text())['finished'] is False
    assert not [path for path in out.rglob('.*') if path.suffix == '.part']


def test_a_second_process_waits_for_the_first(segmentor, data, tmp_path):
    for written, arguments in ((tmp_path / 'work/test.json', ()), (tmp_path / 'out', ('--out', tmp_path / 'out'))):
        with locked_folder(written), pytest.raises(SystemExit, match='is being written by another process'):
            run_test(segmentor, data, tmp_path / 'work', *arguments)
    with locked_folder(tmp_path / 'work'):  # a training that goes on there
        run_test(segmentor, data, tmp_path / 'work')


def test_a_launcher_wraps_the_network(segmentor, data, tmp_path, monkeypatch):
    """By one process of a launcher, as the prefixes of the weights are those of many."""
    run_test(segmentor, data, tmp_path / 'alone', '--tta')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    for name, value in dict(RANK=0, WORLD_SIZE=1, LOCAL_RANK=0, MASTER_ADDR='127.0.0.1', MASTER_PORT=port).items():
        monkeypatch.setenv(name, str(value))
    try:
        run_test(segmentor, data, tmp_path / 'launched', '--tta', '--launcher', 'pytorch')
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
    assert read_report(tmp_path / 'launched') == read_report(tmp_path / 'alone')


def test_inference_as_mmseg_does_it(segmentor, data, tmp_path):
    path = data / 'img_dir/test' / first_name(data)
    expected = views_of_one(Config.fromfile(segmentor[0]), segmentor[1], path)
    model = init_model(str(segmentor[0]), str(segmentor[1]), device='cpu')
    assert tuple(model.dataset_meta['classes']) == CLASSES
    assert (inference_model(model, str(path)).pred_sem_seg.data[0].numpy() == expected).all()
    grey = read(path)
    for image in (grey, np.repeat(grey[..., None], 3, axis=2)):
        assert (inference_model(model, image).pred_sem_seg.data[0].numpy() == expected).all()
    inferencer = MMSegInferencer(str(segmentor[0]), str(segmentor[1]), device='cpu', show_progress=False)
    result = inferencer([str(path), str(path)], out_dir=str(tmp_path / 'seen'))
    assert (result['predictions'][1] == expected).all()
    assert (read(tmp_path / 'seen/pred/00000000_pred.png') == expected).all()
