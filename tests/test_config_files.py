import pytest

from mmseg_pfdiff.config_files import read_config


@pytest.mark.parametrize(
    ('name', 'content', 'error', 'message'),
    [
        ('a.py', 'model = dict(', ValueError, r'a\.py cannot be read as a config: SyntaxError'),
        ('a.py', 'x = y', ValueError, r"a\.py cannot be read as a config: NameError: name 'y'"),
        ('a.json', '[1]', ValueError, r'a\.json cannot be read as a config'),
        ('a.pth', '', ValueError, r'a\.pth cannot be read as a config: OSError: Only py/yml/yaml/json'),
        ('a.py', "_base_ = './b.py'", FileNotFoundError, r'a\.py builds on .*b\.py, which is not there'),
        ('a.py', "custom_imports = dict(imports=['no_such_module'])", ImportError, r'a\.py imports .*no_such_module'),
    ],
)
def test_errors_name_the_config(tmp_path, name, content, error, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(error, match=message):
        read_config(tmp_path / name)


def test_a_config_is_read(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'There is no config .*a\.py'):
        read_config(tmp_path / 'a.py')
    (tmp_path / 'a.py').write_text('x = dict(y=1)')
    assert read_config(str(tmp_path / 'a.py')).x.y == 1


def test_configs_of_like_names_are_told(tmp_path):
    (tmp_path / 'unet_r50_real.py').write_text('')
    with pytest.raises(FileNotFoundError, match=r'no config .*unet_r50_reel\.py\. Near it: unet_r50_real\.py\.'):
        read_config(tmp_path / 'unet_r50_reel.py')
    with pytest.raises(FileNotFoundError, match=r'There is no folder .*/nowhere either'):
        read_config(tmp_path / 'nowhere/a.py')
