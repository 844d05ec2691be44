"""Every number of tests/data/eval_public is compared, or named here with a reason."""

import numpy as np
import pytest

from tests.evaluation import golden
from tests.evaluation import golden_values as ours

ABOUT = 'says how the file was made'
TIMES = 'seconds of another machine'
NOT_COMPARED = {  # file: {key: why}
    'expected_act': dict(evaluator=ABOUT, numpy=ABOUT, python=ABOUT, seconds_cpu=TIMES),
    'expected_yowo': dict(evaluator=ABOUT, numpy=ABOUT, seconds_cpu=TIMES),
    'expected_others': dict(evaluator=ABOUT, numpy=ABOUT, seconds_cpu=TIMES),
    'edge_cases': dict(numpy=ABOUT),
    'capsule_expected': {
        'numpy': ABOUT,
        'names': ABOUT,
        'f_mAP_if_run_under_numpy_2.2 (exact ties counted; not the reference)':
            'counts exact ties, which the reference does not',
        'v_mAP_if_run_under_numpy_2.2 (exact ties counted; not the reference)':
            'counts exact ties, which the reference does not',
    },
    'vos_expected': dict(numpy=ABOUT),
    'geometry': dict(columns=ABOUT),
    'videos': dict.fromkeys(
        ('classes', 'width', 'height', 'videos'), 'describes the input'
    ),
}  # fmt: skip
COMPARED = {
    'expected_act': {'results'},
    'expected_yowo': {'results'},
    'expected_others': {'results'},
    'edge_cases': {'cases'},
    'capsule_expected': {
        'expected',
        'expected_with_num_classes_24 (18 classes absent -> official mean is NaN)',
    },
    'vos_expected': {'cases', 'mean_J', 'mean_F'},
    'geometry': {'items'},
    'videos': set(),
}
NOTE = 'per-class values rounded to 2 decimals by the reference before averaging'


def assert_same(found, wanted, atol, where):
    """Compare everything that is nested in both; neither may lack a key."""
    if isinstance(wanted, dict):
        assert set(found) == set(wanted), where
        for key in wanted:
            assert_same(found[key], wanted[key], atol, f'{where}: {key}')
    elif isinstance(wanted, list) and any(isinstance(v, (dict, list)) for v in wanted):
        assert len(found) == len(wanted), where
        for k, pair in enumerate(zip(found, wanted)):
            assert_same(*pair, atol, f'{where}, {k}')
    elif wanted is None or isinstance(wanted, str):
        assert found == wanted, where
    else:
        np.testing.assert_allclose(found, wanted, rtol=0, atol=atol, err_msg=where)


@pytest.mark.parametrize(
    'path', sorted(golden.ROOT.glob('*.json')), ids=lambda p: p.stem
)
def test_no_key_is_passed_over(path):
    keys = set(golden.expected(path.stem))
    assert keys == COMPARED[path.stem] | set(NOT_COMPARED[path.stem])


@pytest.mark.parametrize(
    ('file', 'compute', 'tolerance'),
    [
        # their curves are float32
        ('expected_act', ours.act, {'': 1.1e-5}),
        ('expected_yowo', ours.yowo,
         {'YOWO video': 2.5e-6, 'YOWOv2 video': 1e-9, '': 1e-9}),
        ('expected_others', ours.others, {'3D-RetinaNet': 1.1e-5, '': 1e-9}),
    ],
    ids=['act', 'yowo', 'others'],
)  # fmt: skip
def test_detection_evaluators(file, compute, tolerance):
    wanted, found = golden.expected(file)['results'], compute()
    assert set(found) == set(wanted)
    for key, values in wanted.items():
        # the two that YOWOv2 rounds say so
        if key.startswith('YOWOv2 video'):
            assert values['note'] == NOTE
            values = {name: v for name, v in values.items() if name != 'note'}
        atol = next(t for start, t in tolerance.items() if key.startswith(start))
        assert_same(found[key], values, atol, key)


def as_answered(found, wanted, key):
    """Our values in the words of a reference that has none, or another, for some."""
    if isinstance(wanted, dict):  # MultiSports divides 0 by 0 for tubes of one frame
        return {k: None if wanted[k] is None and not v else v for k, v in found.items()}
    if isinstance(wanted, str):
        return 'raises ZeroDivisionError: float division by zero'
    act, absent = key.startswith('ACT'), np.isnan(found)
    if act:  # it computes in float32, and an absent class counts as 0
        found = 100 * np.float32(found / 100).astype(float)
    if len(wanted) < len(found):  # MultiSports leaves them out
        return found[~absent].tolist()
    instead = 0.0 if act else None
    return [instead if a else value for value, a in zip(found.tolist(), absent)]


@pytest.mark.parametrize('case', golden.edge_cases(), ids=lambda case: case['name'])
def test_edge_cases_exactly(case):
    wanted = case[golden.EDGE_VALUES]
    found = ours.edge_case(case)
    answers = {key: as_answered(found[key], wanted[key], key) for key in wanted}
    assert answers == wanted


def test_capsule_protocol():
    expected = golden.expected('capsule_expected')
    found = ours.capsule(expected['expected']['num_classes'])
    per_video = [video and dict(video) for video in expected['expected']['per_video']]
    names = [video and video.pop('name') for video in per_video]
    # a video that is not scored has no row at all
    assert [name for name in expected['names'] if name not in names] == [
        'hand: no ground truth'
    ]
    wanted = dict(expected['expected'], per_video=per_video)
    assert_same(found, wanted, 1e-12, 'capsule')

    (key,) = (key for key in expected if key.startswith('expected_with'))
    wanted = dict(expected[key])
    for name in ('f_mAP', 'v_mAP'):  # theirs is NaN, ours never
        assert set(wanted.pop(name)) == {None}
    found = ours.capsule(24)
    assert np.isnan(found['f_AP_per_class'][6:]).all()
    assert_same({name: found[name] for name in wanted}, wanted, 1e-12, key)


def test_masks_of_objects():
    expected = golden.expected('vos_expected')
    wanted = {key: expected[key] for key in COMPARED['vos_expected']}
    assert_same(ours.vos(), wanted, 1e-9, 'vos')


@pytest.mark.parametrize(
    'item', golden.expected('geometry')['items'], ids=lambda item: item['video']
)
def test_masks_of_annotations(item):
    assert_same(ours.geometry(item), item, 0, item['video'])
