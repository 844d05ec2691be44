import json
import os
from functools import lru_cache

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config

from ssvad.models import I3D
from ssvad.models.reference_weights import TAPS, convert, find_kind, read_state
from tests.golden_network import ROOT as GOLDEN
from tests.helpers import ROOT


@lru_cache
def released_shapes():
    return json.loads((GOLDEN / 'reference_state_dict.json').read_text())


def constants(shapes):
    """Another number under every name, in tensors that need no memory."""
    return {
        key: torch.tensor(float(i)).expand(shape)
        for i, (key, shape) in enumerate(shapes.items())
    }


def released_state(num_classes=24):
    """A checkpoint of the released detector."""
    k = num_classes
    sized = {
        'conv_caps.beta_u': [k, 16],
        'conv_caps.beta_a': [k],
        'conv_caps.weights': [1, 32, k, 4, 4],
        'upsample1.weight': [16 * k, 64, 9, 9],
    }
    return constants({**released_shapes(), **sized})


def i3d_state(counters=False):
    """What pytorch-i3d publishes: the whole network, without num_batches_tracked."""
    whole = I3D(out_endpoints=('Mixed_5c',)).state_dict()
    shapes = {k[6:]: v for k, v in released_shapes().items() if k.startswith('conv1.')}
    shapes.update({k: v.shape for k, v in whole.items() if 'Mixed_5' in k})
    shapes['logits.conv3d.weight'] = [157, 1024, 1, 1, 1]
    shapes['logits.conv3d.bias'] = [157]
    state = constants(shapes)
    return {k: v for k, v in state.items() if counters or 'num_batches' not in k}


def without(state, *keys):
    return {key: value for key, value in state.items() if key not in keys}


@pytest.fixture(scope='module')
def i3d():
    return i3d_state()


@pytest.mark.parametrize('num_classes', [24, 21])
def test_released_weights_fill_the_configured_detector_exactly(num_classes):
    state, report = convert(released_state(num_classes))
    model = Config.fromfile(ROOT / 'configs/ucf24_sup.py').model
    model.head.num_classes = num_classes
    del model.data_preprocessor
    with torch.device('meta'):
        expected = MODELS.build(model).state_dict()
    shapes = [(name, value.shape) for name, value in expected.items()]
    assert [(name, value.shape) for name, value in state.items()] == shapes
    assert len(report.matched) == 293 and not any(report[1:])


def test_every_released_weight_is_there_once():
    theirs = released_state()
    ours, _ = convert(theirs)
    kept = [value.flatten()[0].item() for value in ours.values()]
    assert sorted(kept) == [value.flatten()[0].item() for value in theirs.values()]


@pytest.mark.parametrize(
    'theirs, ours',
    [
        ('conv1.Mixed_4f.b3b.bn.running_var', 'backbone.Mixed_4f.b3b.bn.running_var'),
        ('primary_caps.pose.bias', 'head.primary.pose.bias'),
        ('primary_caps.a.weight', 'head.primary.activation.weight'),
        ('conv_caps.weights', 'head.routing.transform'),
        ('conv_caps.beta_u', 'head.routing.beta_u'),
        ('conv28.weight', 'head.lateral1.weight'),
        ('conv56.weight', 'head.lateral2.weight'),
        ('conv112.weight', 'head.lateral3.weight'),
        ('upsample3.bias', 'head.upsample3.bias'),
        ('smooth.bias', 'head.smooth.bias'),
    ],
)
def test_weights_go_where_they_belong(theirs, ours):
    state = released_state()
    state[theirs] = torch.rand(state[theirs].shape)
    converted = convert(state)[0][ours]
    assert torch.equal(converted.flatten(), state[theirs].flatten())


def test_published_i3d_loses_its_end_and_gets_counters(i3d):
    state, report = convert(i3d)
    expected = I3D(out_endpoints=TAPS).state_dict()
    assert list(state) == list(expected)
    assert [len(names) for names in report] == [225, 0, 0, 62, 45]
    assert {key.split('.')[0] for key in report.left_out} == {
        'Mixed_5b',
        'Mixed_5c',
        'logits',
    }
    for name, value in state.items():
        assert value.shape == expected[name].shape
        assert torch.all(value == (0 if name in report.filled else i3d[name]))


def test_counters_of_newer_files_are_kept():
    state, report = convert(i3d_state(counters=True))
    assert report.filled == [] and len(report.matched) == 270
    assert state['Mixed_4f.b0.bn.num_batches_tracked'] > 0


@pytest.mark.parametrize(
    'theirs, ours',
    [
        ('conv1.Mixed_3b.b0.bn.bias', 'backbone.Mixed_3b.b0.bn.bias'),
        ('smooth.bias', 'head.smooth.bias'),
    ],
)
def test_missing_weights_are_refused_by_name(theirs, ours):
    state = without(released_state(), theirs)
    with pytest.raises(ValueError, match=f'^1 missing: {ours}$'):
        convert(state)
    converted, report = convert(state, allow_partial=True)
    assert report.missing == [ours] and len(converted) == 292


def test_unexpected_weights_are_refused_by_name(i3d):
    one = torch.ones(1)
    odd = {'Mixed_4f.b4.bn.bias': one, 'logits2.bias': one}
    with pytest.raises(
        ValueError, match='^2 unexpected: Mixed_4f.b4.bn.bias, logits2.b'
    ):
        convert({**i3d, **odd})
    converted, report = convert({**i3d, **odd}, allow_partial=True)
    assert report.unexpected == list(odd) and len(converted) == 270
    # a name of ours in a file with released names
    with pytest.raises(ValueError, match='^1 unexpected: head.smooth.bias$'):
        convert({**released_state(), 'head.smooth.bias': one})


def test_long_lists_are_cut(i3d):
    some = [key for key in i3d if key.startswith('Mixed_4')]
    with pytest.raises(ValueError, match=r'^150 missing: (\S+, ){8}\.\.\.$'):
        convert(without(i3d, *some))


@pytest.mark.parametrize('allow_partial', [False, True])
def test_other_shapes_are_refused_even_in_part(i3d, allow_partial):
    flow = {'Conv3d_1a_7x7.conv3d.weight': torch.ones(64, 2, 7, 7, 7)}
    text = r'Conv3d_1a_7x7.conv3d.weight: expected shape \(64, 3, .*, got \(64, 2, '
    with pytest.raises(ValueError, match=text):
        convert({**i3d, **flow}, allow_partial)
    classes = {'conv_caps.beta_a': torch.ones(21)}
    text = r'conv_caps.beta_u: expected shape \(21, 16\), got \(24, 16\); conv_caps.w'
    with pytest.raises(ValueError, match=text):
        convert({**released_state(), **classes}, allow_partial)


def test_detector_without_class_count_is_refused():
    with pytest.raises(ValueError, match='missing conv_caps.beta_a, .* of classes'):
        convert(without(released_state(), 'conv_caps.beta_a'), allow_partial=True)


def test_other_networks_are_refused_with_their_names():
    state = {f'layer{i}.weight': torch.ones(1) for i in range(9)}
    with pytest.raises(ValueError, match=r'got layer0.weight, .*layer3.weight, \.\.\.'):
        find_kind(state)


@pytest.mark.parametrize('nested', [None, 'state_dict', 'model_state_dict', 'model'])
@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_state_is_found_where_people_put_it(tmp_path, nested, prefix):
    state = {'conv1.a': torch.ones(2), 'module.b': torch.zeros(1)}
    if prefix:
        state = {prefix + key: value for key, value in state.items()}
    saved = {nested: state, 'epoch': 3} if nested else state
    torch.save(saved, tmp_path / 'x.pth')
    assert list(read_state(tmp_path / 'x.pth')) == ['conv1.a', 'module.b']


class Attack:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_files_that_would_run_code_do_not(tmp_path):
    file, proof = tmp_path / 'bad.pt', tmp_path / 'proof'
    torch.save({'Mixed_4f.x': torch.ones(1), 'y': Attack(str(proof))}, file)
    with pytest.raises(ValueError, match=r'bad.pt: .* asks for \S*mkdir'):
        read_state(file)
    assert not proof.exists()
    # the file is a real attack: unrestricted loading falls for it
    torch.load(file, weights_only=False)
    assert proof.exists()


@pytest.mark.parametrize(
    'content, text',
    [
        (lambda good: good[: len(good) // 2], 'it is damaged'),
        (lambda good: b'', 'it is damaged'),
        (lambda good: b'<html>not found</html>', 'it is damaged'),
        (lambda good: None, 'x.pth: cannot be read: No such file'),
    ],
)
def test_broken_files_are_one_sentence(tmp_path, content, text):
    file = tmp_path / 'x.pth'
    torch.save({'a': torch.ones(999)}, file)
    broken = content(file.read_bytes())
    file.unlink() if broken is None else file.write_bytes(broken)
    with pytest.raises(ValueError, match=text) as caught:
        read_state(file)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    'saved, text',
    [
        ([torch.ones(1)], 'expected a dict of named tensors, got a list'),
        ({}, 'got nothing in it'),
        ({'state_dict': torch.ones(1)}, 'got a Tensor'),
        ({'a': torch.ones(1), 'epoch': 3}, "'epoch' is a int"),
        ({1: torch.ones(1)}, '1 is a Tensor'),
    ],
)
def test_files_without_a_state_are_refused(tmp_path, saved, text):
    torch.save(saved, tmp_path / 'x.pth')
    with pytest.raises(ValueError, match=f'x.pth: .*{text}'):
        read_state(tmp_path / 'x.pth')
