import json
import shutil

import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS

from mmseg_pfdiff.checkpoints.open import open_generator
from mmseg_pfdiff.checkpoints.settings import canonical, describe_model
from mmseg_pfdiff.checkpoints.weights import tensors_sha256
from mmseg_pfdiff.pairs.folder import PairFolder

from ..generators import make_generator, opening
from ..running import ROOT, run_tool

CONFIGS = ROOT / 'configs/small'


@pytest.fixture(scope='module')
def sources(random_generators, tmp_path_factory):
    """The same generator and super-resolution in every form: files as `opening` takes them."""
    root = tmp_path_factory.mktemp('forms')
    config, checkpoint, sr_config, sr_checkpoint = map(str, random_generators)
    state = torch.load(checkpoint)['state_dict']
    torch.save(state, root / 'bare.pth')
    # As MMEngine writes it: the averaged weights in `state_dict`, those of the optimizer beside them.
    others = {name: value + 1 for name, value in state.items()}
    torch.save(
        dict(state_dict=state, ema_state_dict=others, optimizer=dict(state={}), meta=dict(epoch=3)), root / 'ema.pth'
    )
    high = ('--sr-config', sr_config, '--sr-checkpoint', sr_checkpoint)
    run_tool('export_generator.py', config, root / 'ema.pth', root / 'exported', *high)
    shutil.copytree(root / 'exported', root / 'copied')
    return dict(
        checkpoint=(config, checkpoint, sr_config, sr_checkpoint),
        bare=(config, str(root / 'bare.pth'), sr_config, sr_checkpoint),
        ema=(config, str(root / 'ema.pth'), sr_config, sr_checkpoint),
        exported=(str(root / 'exported'),),
        copied=(str(root / 'copied'),),
    )


@pytest.mark.parametrize('form', ['bare', 'ema', 'exported', 'copied'])
def test_the_same_weights_have_one_identity(sources, form):
    first, other = (open_generator(**opening(sources[each])) for each in ('checkpoint', form))
    assert first.identity == other.identity and first.requests.describe() == other.requests.describe()
    assert first.card.vectors.equal(other.card.vectors)


def generate(out, source, num, *options):
    names = ('', '', '--sr-config', '--sr-checkpoint')
    files = [part for name, path in zip(names, source, strict=False) for part in (name, path) if part]
    limits = ('--max-moved', 1, '--max-invented', 1, '--batch-size', 2)
    run_tool('generate_pairs.py', *files, '--out', out, '--num', num, *limits, *options)


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def test_a_pair_folder_goes_on_from_every_form_with_the_same_pairs(sources, tmp_path):
    for number, form in enumerate(sources, 1):
        generate(tmp_path / 'in_turn', sources[form], 2 * number)
    generate(tmp_path / 'exported', sources['exported'], 2 * len(sources))
    assert contents(tmp_path / 'in_turn') == contents(tmp_path / 'exported')
    assert len(PairFolder(tmp_path / 'exported').rows()) == 10


def test_other_settings_or_weights_are_told_by_name(sources, random_generators, tmp_path):
    generate(tmp_path / 'pairs', sources['exported'], 2)
    with pytest.raises(SystemExit, match=r'generator\.settings\.fraction_guidance is 1 there and 0\.5 here'):
        generate(tmp_path / 'pairs', sources['checkpoint'], 4, '--cfg-options', 'model.fraction_guidance=0.5')
    torch.manual_seed(7)
    other = MODELS.build(Config.fromfile(random_generators[0]).model).state_dict()
    torch.save(other, tmp_path / 'other.pth')
    with pytest.raises(SystemExit, match=r'generator\.tensors_sha256 is .* there and .* here'):
        generate(tmp_path / 'pairs', (sources['bare'][0], str(tmp_path / 'other.pth'), *sources['bare'][2:]), 4)


def test_a_folder_of_an_earlier_version_is_read_but_not_continued(sources, tmp_path):
    generate(tmp_path / 'pairs', sources['exported'], 2)
    path = tmp_path / 'pairs/pair_folder.json'
    description = json.loads(path.read_text())
    for part in ('generator', 'super_resolution'):
        del description[part]['settings'], description[part]['tensors_sha256']
        description[part] |= dict(config_sha256='1' * 64, weights_sha256='2' * 64)
    path.write_text(json.dumps(description))
    with pytest.raises(SystemExit, match='begun by an earlier version, which told models apart by their files'):
        generate(tmp_path / 'pairs', sources['exported'], 4)
    assert json.loads(path.read_text()) == description and len(PairFolder(tmp_path / 'pairs').rows()) == 2


@pytest.mark.parametrize('name', ['dcgan', 'pix2pixhd', 'seg-guided-mask', 'seg-guided-image'])
def test_models_that_cannot_be_exported_are_identified_by_their_configs(name, tmp_path):
    config = Config.fromfile(CONFIGS / f'{name}_tiny-64x64.py')
    config.dump(tmp_path / 'resolved.py')
    model = MODELS.build(config.model)
    described = describe_model(model, config)
    assert described == describe_model(model, Config.fromfile(tmp_path / 'resolved.py'))
    assert described['type'] == config.model.type and described['settings']['data_preprocessor']['size'] == 64
    assert ('sampler' in described) == name.startswith('seg') and 'sampler' not in described['settings']
    config.model.data_preprocessor.size = 32
    assert describe_model(model, config) != described


def test_tensors_count_by_name_type_shape_and_value():
    model = make_generator()
    first = tensors_sha256(model.state_dict())
    assert first == tensors_sha256(make_generator().state_dict())
    assert first == tensors_sha256(model.to(memory_format=torch.channels_last).state_dict())
    with torch.no_grad():
        model.unet.net.conv_in.bias[0] = torch.nextafter(model.unet.net.conv_in.bias[0], torch.tensor(9.0))
    assert tensors_sha256(model.state_dict()) != first
    tensors = [torch.zeros(2, 3), torch.zeros(3, 2), torch.zeros(6), torch.zeros(2, 3).half()]
    states = [dict(a=tensor) for tensor in tensors] + [dict(b=tensors[0])]
    assert len(set(map(tensors_sha256, states))) == 5


def test_settings_have_one_form():
    written = dict(b=(1.0, [True, None]), a=dict(y=0.5, x='t'), kind=torch.nn.Linear)
    read = dict(a=dict(x='t', y=0.5), kind='torch.nn.modules.linear.Linear', b=[1, [True, None]])
    assert canonical(written) == canonical(read) == read
    assert list(canonical(written)) == ['a', 'b', 'kind']
