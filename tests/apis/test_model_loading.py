import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config

from ssvad.apis.model_loading import build_detector, read_config
from tests.apis.videos import PREPROCESSOR
from tests.helpers import TINY_DETECTOR

PLAIN = dict(TINY_DETECTOR, data_preprocessor=PREPROCESSOR)
SEMI = dict(
    type='SemiDetector',
    detector=TINY_DETECTOR,
    method=dict(type='SemiSupConsistency'),
    data_preprocessor=PREPROCESSOR,
)


def config(model):
    return Config(dict(model=model))


def state_of(model, prefix=''):
    torch.manual_seed(3)
    state = MODELS.build(model).state_dict()
    return {prefix + key: torch.rand_like(v.float()) for key, v in state.items()}


@pytest.fixture
def save(tmp_path):
    def write(content):
        path = tmp_path / 'weights.pth'
        torch.save(content, path)
        return str(path)

    return write


def check(model, state):
    for key, value in model.state_dict().items():
        assert torch.equal(value, state[key].to(value.dtype)), key
    assert not model.training


@pytest.mark.parametrize('model', [PLAIN, SEMI])
def test_weights_are_loaded_one_by_one(save, model):
    state = state_of(model)
    meta = dict(dataset_meta=dict(classes=('a', 'b', 'c')))
    path = save(dict(state_dict=state, meta=meta))
    built, classes = build_detector(config(model), path)
    check(built, state)
    assert classes == ['a', 'b', 'c']
    built, classes = build_detector(config(model), save(state))
    check(built, state)
    assert classes == []


def test_prefixes_choose_one_of_several_networks(save):
    state, other = state_of(PLAIN), state_of(PLAIN, 'teacher.detector.')
    other = {key: value + 1 for key, value in other.items()}
    both = {'detector.' + key: value for key, value in state.items()} | other
    path = save(dict(state_dict=both))
    built, _ = build_detector(config(PLAIN), path, prefix='detector.')
    check(built, state)
    built, _ = build_detector(config(PLAIN), path, prefix='teacher.detector.')
    check(built, {k: v + 1 for k, v in state.items()})
    told = r"prefix='detector.' or prefix='teacher.detector.', or take the config"
    with pytest.raises(ValueError, match=told):
        build_detector(config(PLAIN), path)
    with pytest.raises(ValueError, match=r"no name begins with 'student.'; the first"):
        build_detector(config(PLAIN), path, prefix='student.')


def test_weights_of_the_detector_alone_do_not_fit_a_wrapped_one(save):
    path = save(state_of(PLAIN))
    with pytest.raises(ValueError, match=r'SemiDetector .*the detector alone'):
        build_detector(config(SEMI), path)


def test_names_of_data_parallel(save):
    built, _ = build_detector(config(PLAIN), save(state_of(PLAIN, 'module.')))
    check(built, state_of(PLAIN))


def test_weights_of_another_model_are_refused(save, tmp_path):
    state = state_of(PLAIN)
    name = list(state)[5]
    fewer = {key: value for key, value in state.items() if key != name}
    with pytest.raises(ValueError, match=f'1 weights missing .{name}.; take the conf'):
        build_detector(config(PLAIN), save(fewer))
    with pytest.raises(ValueError, match=r'1 unexpected \(extra\)'):
        build_detector(config(PLAIN), save({**state, 'extra': torch.zeros(1)}))
    other = dict(PLAIN, head=dict(PLAIN['head'], num_classes=5))
    with pytest.raises(ValueError, match=r'weights.pth: does not fit.*beta_a is \(5,'):
        build_detector(config(PLAIN), save(state_of(other)))
    (tmp_path / 'cut.pth').write_bytes(b'PK cut')
    with pytest.raises(ValueError, match='cut.pth: cannot be read as a checkpoint'):
        build_detector(config(PLAIN), str(tmp_path / 'cut.pth'))
    for wrong in ({}, dict(state_dict=3), dict(a=1)):
        with pytest.raises(ValueError, match='expected a checkpoint with named weig'):
            build_detector(config(PLAIN), save(wrong))


def test_without_weights_it_stays_random():
    built, classes = build_detector(config(PLAIN))
    assert classes == [] and not built.training


def test_configs(tmp_path):
    path = tmp_path / 'detector.py'
    path.write_text(f'model = {PLAIN!r}')
    for given in (path, str(path), config(PLAIN), dict(model=PLAIN)):
        assert read_config(given).model.type == 'MaskDetector'
    weights = str(tmp_path / 'epoch_1.pth')
    assert read_config(None, weights).model.type == 'MaskDetector'
    (tmp_path / 'other.py').write_text('')
    with pytest.raises(FileNotFoundError, match=r'beside .*epoch_1.pth, found 2 .py'):
        read_config(None, weights)
    with pytest.raises(FileNotFoundError, match="config 'gone.py' not found"):
        read_config('gone.py')
    with pytest.raises(ValueError, match='give a config, a built model, or weights'):
        read_config(None)
    with pytest.raises(ValueError, match=r"with the key model, got \['type'\]"):
        read_config(dict(type='MaskDetector'))
    with pytest.raises(FileNotFoundError, match="'gone.pth' not found"):
        build_detector(config(PLAIN), 'gone.pth')
