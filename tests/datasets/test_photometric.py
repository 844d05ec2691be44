import colorsys
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import TRANSFORMS
from PIL import Image, ImageEnhance

from ssvad.datasets.photometric import (
    OPERATIONS,
    StrongPhotometric,
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    apply_photometric,
    gaussian_blur,
    to_grayscale,
)

ALL = dict(
    contrast=(1, 0.6, 1.4),
    hue=(1, -0.1, 0.1),
    brightness=(1, 0.6, 1.4),
    saturation=(1, 0.6, 1.4),
    grayscale=1,
    blur=(1, 0.1, 2.0),
)
ORDER = ['contrast', 'hue', 'brightness', 'saturation', 'grayscale', 'blur']
LUMA = np.array([0.299, 0.587, 0.114])
clips = st.builds(
    lambda seed, shape, gray: make_clip(seed, shape, gray),
    st.integers(0, 1000),
    st.tuples(st.integers(1, 3), st.integers(1, 7), st.integers(1, 7)),
    st.booleans(),
)
factors = st.floats(0, 2)
few = settings(max_examples=25, deadline=None)


def make_clip(seed=0, shape=(3, 5, 7), gray=False):
    generator = np.random.default_rng(seed)
    clip = generator.integers(0, 256, (*shape, 1 if gray else 3), dtype=np.uint8)
    return clip.repeat(3, axis=-1) if gray else clip


def slow(name, frame, *arguments):
    """One frame, pixel for pixel in float64, as the definitions say."""
    frame = frame.astype(float)
    height, width = frame.shape[:2]
    gray = np.rint(frame @ LUMA)[..., None]
    changed = np.empty_like(frame)
    for y, x in product(range(height), range(width)):
        if name == 'brightness':
            changed[y, x] = frame[y, x] * arguments[0]
        elif name == 'contrast':
            changed[y, x] = gray.mean() + arguments[0] * (frame[y, x] - gray.mean())
        elif name == 'saturation':
            changed[y, x] = gray[y, x] + arguments[0] * (frame[y, x] - gray[y, x])
        elif name == 'grayscale':
            changed[y, x] = gray[y, x]
        elif name == 'hue':
            h, s, v = colorsys.rgb_to_hsv(*frame[y, x])
            changed[y, x] = colorsys.hsv_to_rgb((h + arguments[0]) % 1, s, v)
        else:
            steps = np.array([-1, 0, 1])
            weights = [np.exp(-0.5 * (steps / sigma) ** 2) for sigma in arguments]
            along_x, along_y = (w / w.sum() for w in weights)
            # the neighbour beyond the border is the one before it
            rows, columns = (
                [i if n == 1 else n - 1 - abs(n - 1 - abs(i + d)) for d in steps]
                for i, n in ((y, height), (x, width))
            )
            patch = frame[rows][:, columns]
            changed[y, x] = np.einsum('y,x,yxc->c', along_y, along_x, patch)
    return changed.clip(0, 255)


@few
@given(clip=clips, factor=factors, shift=st.floats(-0.5, 0.5), sigma=factors)
def test_operations_are_what_their_formulas_say(clip, factor, shift, sigma):
    sigmas = max(sigma, 0.05), max(2 - sigma, 0.05)
    calls = dict(
        contrast=(factor,),
        hue=(shift,),
        brightness=(factor,),
        saturation=(factor,),
        grayscale=(),
        blur=sigmas,
    )
    before = clip.copy()
    for name, arguments in calls.items():
        changed = OPERATIONS[name](clip, *arguments)
        assert changed.dtype == np.uint8 and changed.shape == clip.shape
        assert np.array_equal(clip, before)
        expected = np.stack([slow(name, frame, *arguments) for frame in clip])
        # half a level of rounding; OpenCV weighs grey and neighbours with integers
        tolerance = dict(brightness=0.5, hue=0.5, blur=1.5).get(name, 1)
        assert np.abs(changed - expected).max() <= tolerance + 1e-3, name


@few
@given(clip=clips)
def test_neutral_numbers_keep_the_clip(clip):
    for same in (
        adjust_brightness(clip, 1),
        adjust_contrast(clip, 1),
        adjust_saturation(clip, 1),
        adjust_hue(clip, 0),
        gaussian_blur(clip, 1e-3, 1e-3),
    ):
        assert np.array_equal(same, clip)


@few
@given(clip=clips, factor=factors, shift=st.floats(-0.5, 0.5))
def test_grey_has_no_colour_to_change(clip, factor, shift):
    gray = to_grayscale(clip)
    assert (gray == gray[..., :1]).all()
    for same in (
        to_grayscale(gray),
        adjust_saturation(gray, factor),
        adjust_hue(gray, shift),
        adjust_saturation(clip, 0),
    ):
        assert np.array_equal(same, gray)


@few
@given(clip=clips, seed=st.integers(0, 1000))
def test_frames_change_alike_wherever_they_stand(clip, seed):
    np.random.seed(seed)
    record = StrongPhotometric(**dict(ALL, grayscale=0.2)).draw()
    changed = apply_photometric(clip, record)
    for undo in (np.s_[::-1], np.s_[:, :, ::-1], np.s_[:1]):
        part = np.ascontiguousarray(clip[undo])
        assert np.array_equal(apply_photometric(part, record), changed[undo])


# OpenCV works on many pixels at once where a row is long
@pytest.mark.parametrize('shape', [(3, 5, 7), (2, 30, 64), (1, 1, 1)])
def test_third_turns_exchange_the_channels(shape):
    clip = make_clip(shape=shape)
    turned = clip
    for _ in range(3):
        turned = adjust_hue(turned, 1 / 3)
    assert np.array_equal(turned, clip)
    assert np.array_equal(adjust_hue(clip, 1 / 3), clip[..., [2, 0, 1]])
    assert np.array_equal(adjust_hue(clip, -1 / 3), clip[..., [1, 2, 0]])


@pytest.mark.parametrize('factor', [0.6, 0.83, 1.27, 1.4])
def test_pillow_agrees_within_a_level(factor):
    # what the released code calls through torchvision; it cuts off instead of rounding
    clip = make_clip(3, (2, 31, 17))
    for change, enhancer in (
        (adjust_contrast, ImageEnhance.Contrast),
        (adjust_brightness, ImageEnhance.Brightness),
        (adjust_saturation, ImageEnhance.Color),
    ):
        expected = [enhancer(Image.fromarray(f)).enhance(factor) for f in clip]
        difference = change(clip, factor).astype(int) - np.stack(expected)
        assert difference.min() >= 0 and difference.max() <= 1


def test_released_blur_is_along_columns_only():
    stripes = np.zeros((1, 8, 9, 3), np.uint8)
    stripes[:, :, ::2] = 255
    released = StrongPhotometric(blur=(1, 0.1, 2.0), released_blur=True)
    record = [step for step in released.draw() if step[0] == 'blur']
    assert record == [('blur', 0.1, 2.0)]
    assert np.array_equal(apply_photometric(stripes, record), stripes)
    across = stripes.transpose(0, 2, 1, 3)
    assert not np.array_equal(apply_photometric(across, record), across)
    ((_, sigma_x, sigma_y),) = [
        step for step in StrongPhotometric(**ALL).draw() if step[0] == 'blur'
    ]
    assert sigma_x == sigma_y and 0.1 <= sigma_x <= 2.0


@pytest.mark.parametrize('name', ORDER)
def test_probabilities_and_ranges_are_those_of_the_paper(name):
    np.random.seed(0)
    strong = StrongPhotometric()
    draws = 4000
    found = [
        step[1:] for _ in range(draws) for step in strong.draw() if step[0] == name
    ]
    probability = dict(grayscale=0.4, blur=0.5).get(name, 0.3)
    assert len(found) / draws == pytest.approx(probability, abs=0.03)
    limits = dict(hue=(-0.1, 0.1), blur=(0.1, 2.0)).get(name, (0.6, 1.4))
    if name == 'grayscale':
        assert set(found) == {()}
    else:
        values = [value for value, *_ in found]
        assert (min(values), max(values)) == pytest.approx(limits, abs=0.01)
        assert min(values) >= limits[0] and max(values) <= limits[1]
        assert np.mean(values) == pytest.approx(sum(limits) / 2, abs=0.06)


def test_operations_come_in_the_order_of_the_paper():
    assert [name for name, *_ in StrongPhotometric(**ALL).draw()] == ORDER
    zeros = {
        name: (0, *value[1:]) for name, value in ALL.items() if name != 'grayscale'
    }
    assert StrongPhotometric(**zeros, grayscale=0).draw() == []


def test_switching_one_operation_off_leaves_the_others_alone():
    np.random.seed(4)
    everything = StrongPhotometric(**ALL).draw()
    np.random.seed(4)
    without = StrongPhotometric(**dict(ALL, hue=(0, -0.1, 0.1), grayscale=0)).draw()
    assert without == [s for s in everything if s[0] not in ('hue', 'grayscale')]


@pytest.mark.parametrize('seed', range(8))
def test_the_record_gives_the_same_clip_again(seed):
    clip = make_clip(seed, (4, 9, 11))
    still = np.concatenate([clip[:1]] * 3)
    strong = TRANSFORMS.build(dict(type='StrongPhotometric', grayscale=0.1))
    records = []
    for _ in range(2):
        np.random.seed(seed)
        results = strong(dict(imgs=list(clip)))
        records.append(results['photometric'])
        replayed = apply_photometric(clip, results['photometric'])
        assert np.array_equal(np.stack(results['imgs']), replayed)
    assert records[0] == records[1]
    frames = strong(dict(imgs=list(still)))['imgs']
    assert all(np.array_equal(frame, frames[0]) for frame in frames)


def test_a_second_change_is_appended():
    clip = make_clip()
    results = dict(imgs=list(clip))
    for _ in range(2):
        results = StrongPhotometric(**ALL)(results)
    assert [name for name, *_ in results['photometric']] == ORDER * 2
    replayed = apply_photometric(clip, results['photometric'])
    assert np.array_equal(np.stack(results['imgs']), replayed)


@pytest.mark.parametrize(
    'wrong, message',
    [
        (dict(contrast=(1.1, 0.6, 1.4)), 'contrast.*1.1'),
        (dict(saturation=(0.5, 1.4, 0.6)), r'saturation.*\[1.4, 0.6\]'),
        (dict(brightness=(0.5, -0.1, 1)), 'brightness'),
        (dict(hue=(0.5, -0.6, 0)), r'hue.*\[-0.5, 0.5\]'),
        (dict(blur=(0.5, 0, 2)), 'blur'),
        (dict(grayscale=-1), 'grayscale'),
    ],
)
def test_impossible_ranges_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        StrongPhotometric(**wrong)


@pytest.mark.parametrize('name', ORDER)
def test_only_uint8_clips_are_taken(name):
    arguments = dict(grayscale=(), blur=(1, 1)).get(name, (0.5,))
    for wrong in (make_clip()[0], make_clip().astype(np.float32)):
        with pytest.raises(ValueError, match='uint8'):
            OPERATIONS[name](wrong, *arguments)
