import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import TRANSFORMS

from ssvad.annotations import save_masks
from ssvad.datasets.tube_masks import (
    AlignMask,
    DropLabels,
    TubesToMask,
    boxes_to_masks,
    crop_masks,
)

HEIGHT, WIDTH = 9, 12
edge = st.integers(-8, 60).map(lambda value: value / 4)
boxes_strategy = st.lists(
    st.tuples(edge, edge, edge, edge).map(
        lambda b: [min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3])]
    ),
    min_size=1,
    max_size=4,
)


@given(boxes=boxes_strategy)
@settings(max_examples=60, deadline=None)
def test_pixel_is_covered_if_its_centre_is_in_the_box(boxes):
    tubes = np.array(boxes, dtype=np.float32)[:, None].repeat(2, axis=1)
    tubes[0, 1] = np.nan
    masks = boxes_to_masks(tubes, HEIGHT, WIDTH)
    assert masks.shape == (2, HEIGHT, WIDTH) and masks.dtype == np.uint8
    for frame in range(2):
        for row in range(HEIGHT):
            for column in range(WIDTH):
                inside = any(
                    x1 <= column + 0.5 < x2 and y1 <= row + 0.5 < y2
                    for x1, y1, x2, y2 in tubes[:, frame]
                )
                assert masks[frame, row, column] == inside


def test_integer_boxes_are_slices_and_no_tube_is_empty():
    masks = boxes_to_masks(np.array([[[2, 3, 5, 7.0]]]), HEIGHT, WIDTH)
    expected = np.zeros((HEIGHT, WIDTH))
    expected[3:7, 2:5] = 1
    assert np.array_equal(masks[0], expected)
    assert boxes_to_masks(np.zeros((0, 3, 4)), HEIGHT, WIDTH).sum() == 0


def sample(seed=0, num_frames=3):
    generator = np.random.default_rng(seed)
    frames = generator.integers(0, 2, (num_frames, HEIGHT, WIDTH, 1), dtype=np.uint8)
    return dict(
        imgs=[np.repeat(frame * 255, 3, axis=2) for frame in frames],
        gt_mask=frames[..., 0].copy(),
        original_shape=(HEIGHT, WIDTH),
        img_shape=(HEIGHT, WIDTH),
        modality='RGB',
    )


def run(transforms, results):
    for cfg in transforms:
        results = TRANSFORMS.build(cfg)(results)
    return AlignMask()(results)


@given(
    size=st.integers(1, HEIGHT),
    seed=st.integers(0, 1000),
    centre=st.booleans(),
    flip=st.sampled_from([None, 'horizontal', 'vertical']),
)
@settings(max_examples=60, deadline=None)
def test_mask_follows_the_frames_exactly(size, seed, centre, flip):
    crop = dict(type='RandomCrop', size=size)
    transforms = [dict(type='CenterCrop', crop_size=size) if centre else crop]
    if flip:
        transforms.append(dict(type='Flip', flip_ratio=0.5, direction=flip))
    np.random.seed(seed)
    results = run(transforms, sample(seed))
    assert results['gt_mask'].dtype == torch.uint8
    frames = np.stack(results['imgs'])[..., 0] // 255
    assert np.array_equal(results['gt_mask'].numpy(), frames)


def test_nested_crops_after_resize():
    nearest = dict(type='Resize', scale=(36, 27), keep_ratio=False)
    nearest['interpolation'] = 'nearest'
    crops = [dict(type='CenterCrop', crop_size=(30, 21))]
    crops.append(dict(type='RandomCrop', size=18))
    np.random.seed(3)
    results = run([nearest, *crops, dict(type='Flip', flip_ratio=1.0)], sample())
    frames = np.stack(results['imgs'])[..., 0] // 255
    assert results['gt_mask'].shape == (3, 18, 18)
    assert np.array_equal(results['gt_mask'].numpy(), frames)


def test_crop_masks_is_exact_where_float32_fractions_are_not():
    masks = np.arange(240 * 320).reshape(1, 240, 320)
    for offset in range(96):
        crop = np.array([offset / 320, 7 / 240, 224 / 320, 224 / 240], np.float32)
        expected = masks[:, 7 : 7 + 224, offset : offset + 224]
        assert np.array_equal(crop_masks(masks, crop, (224, 224)), expected)


def test_without_mask_nothing_happens():
    assert AlignMask()(dict(imgs=[])) == dict(imgs=[])


def test_aligning_twice_is_an_error():
    results = AlignMask()(sample())
    with pytest.raises(ValueError, match='twice'):
        AlignMask()(results)


def test_tubes_to_mask_takes_the_sampled_frames():
    tubes = np.full((2, 5, 4), np.nan, dtype=np.float32)
    tubes[0, :3] = [0, 0, 2, 2]
    tubes[1, 2:] = [5, 5, 8, 8]
    results = dict(
        gt_tubes=tubes,
        frame_inds=np.array([0, 2, 4, 4]),
        frame_valid=np.array([True, True, True, False]),
        original_shape=(HEIGHT, WIDTH),
        height=HEIGHT,
        width=WIDTH,
    )
    mask = TubesToMask()(dict(results))['gt_mask']
    assert mask.sum((1, 2)).tolist() == [4, 4 + 9, 9, 0]
    with pytest.raises(ValueError, match=r'clip.mp4: frames are 12x9.*for 12x18'):
        TubesToMask()(dict(results, height=18, filename='clip.mp4'))
    del results['original_shape']
    with pytest.raises(KeyError, match='after decoding'):
        TubesToMask()(results)


def test_tubes_to_mask_prefers_the_pixels_of_a_mask_file(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 2, (5, HEIGHT, WIDTH))
    save_masks(tmp_path / 'v.npz', pixels)
    results = dict(
        gt_tubes=np.full((1, 5, 4), [0, 0, WIDTH, HEIGHT], np.float32),
        mask_file=str(tmp_path / 'v.npz'),
        total_frames=5,
        frame_inds=np.array([3, 1, 4, 4]),
        frame_valid=np.array([True, True, True, False]),
        original_shape=(HEIGHT, WIDTH),
        height=HEIGHT,
        width=WIDTH,
    )
    mask = TubesToMask()(dict(results))['gt_mask']
    assert mask.dtype == np.uint8
    assert np.array_equal(mask[:3], pixels[[3, 1, 4]]) and not mask[3].any()
    del results['frame_valid']
    assert np.array_equal(TubesToMask()(dict(results))['gt_mask'], pixels[[3, 1, 4, 4]])
    # boxes of frames that the file does not have are no way out
    wanted = r'v\.npz: .*\(6, 9, 12\).*got \(5, 9, 12\)'
    with pytest.raises(ValueError, match=wanted):
        TubesToMask()(dict(results, total_frames=6))


def test_drop_labels():
    truth = dict(label=1, gt_tubes=0, tube_labels=0, mask_file='v.npz', gt_mask=0)
    assert DropLabels()(dict(truth, imgs=[1])) == dict(imgs=[1])
    assert DropLabels()(dict(imgs=[1])) == dict(imgs=[1])
