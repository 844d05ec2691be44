import dataclasses

import pytest

from ssvad.evaluation.conventions import PRESETS, Convention, get_convention


def test_presets_know_their_names():
    assert {name: preset.name for name, preset in PRESETS.items()} == {
        name: name for name in ('act', 'yowo', 'multisports', 'retinanet3d')
    }


def test_fields_are_overridden_and_the_name_tells():
    changed = get_convention('yowo', frames='all', tube_nms=None)
    assert (changed.frames, changed.tube_nms, changed.ap) == ('all', None, 'voc')
    assert str(changed).startswith('yowo, changed (frame_pixel=inclusive')
    assert 'frames=all' in str(changed)
    assert get_convention('yowo', frames='annotated') is not changed
    assert get_convention('yowo', frames='annotated').name == 'yowo'
    again = get_convention(changed, frame_rematch=True)
    assert again.name == 'yowo, changed' and again.frame_rematch


def test_conventions_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        PRESETS['act'].ap = 'voc'


@pytest.mark.parametrize(
    ('preset', 'fields', 'message'),
    [
        ('coco', {}, r"among \['act', 'yowo', .*got 'coco'"),
        ('act', dict(iou=0.5), r"no field \['iou'\]; there are \['name'"),
        ('act', dict(ap='11point'), "ap is one of .*got '11point'"),
        ('act', dict(tube_nms=30), 'tube_nms 30 is not in'),
        ('act', dict(min_shared_frames=0), 'min_shared_frames >= 1'),
        ('act', dict(tube_recall_eps=-1.0), 'tube_recall_eps in'),
    ],
)
def test_wrong_conventions_are_refused(preset, fields, message):
    with pytest.raises(ValueError, match=message):
        get_convention(preset, **fields)


def test_every_field_can_be_changed():
    other = dict(
        frame_pixel='exclusive', tube_pixel='exclusive', tube_time='distance',
        min_shared_frames=2, frame_rematch=False, tube_rematch=False, ap='voc',
        frames='annotated', tube_nms=None, frame_empty='zero', tube_empty='zero',
        tube_recall_eps=1e-5,
    )  # fmt: skip
    assert set(other) | {'name'} == {f.name for f in dataclasses.fields(Convention)}
    for name, value in other.items():
        assert getattr(get_convention('act', **{name: value}), name) == value
