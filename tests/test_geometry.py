import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssvad.geometry import ViewGeometry, to_original, to_view

FLIP = ViewGeometry(hflip=True)
HEIGHT, WIDTH = 12, 20
pixel_crops = st.tuples(
    st.integers(0, WIDTH - 6),
    st.integers(0, HEIGHT - 6),
    st.integers(6, WIDTH),
    st.integers(6, HEIGHT),
).map(lambda c: (c[0], c[1], min(c[2], WIDTH - c[0]), min(c[3], HEIGHT - c[1])))


def geometry(pixels, hflip=False):
    x, y, w, h = pixels
    return ViewGeometry((x / WIDTH, y / HEIGHT, w / WIDTH, h / HEIGHT), hflip)


def random_maps(batch=2, frames=3, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(batch, frames, HEIGHT, WIDTH, generator=generator, dtype=dtype)


@given(flips=st.lists(st.booleans(), min_size=1, max_size=4), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_flips_are_exact_copies(flips, seed):
    maps = random_maps(len(flips), seed=seed)
    views = [ViewGeometry(hflip=flip) for flip in flips]
    seen = to_view(maps, views)
    for row, flip in enumerate(flips):
        expected = maps[row].numpy()[..., ::-1] if flip else maps[row].numpy()
        assert np.array_equal(seen[row].numpy(), expected)
    back, valid = to_original(seen, views)
    assert torch.equal(back, maps)
    assert valid.shape == (len(flips), 1, HEIGHT, WIDTH) and valid.all()
    assert torch.equal(to_view(seen, views), maps)


@given(crop=pixel_crops, hflip=st.booleans(), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_to_view_is_opencv_crop_resize_flip(crop, hflip, seed):
    maps = random_maps(1, 1, seed)
    x, y, w, h = crop
    image = maps[0, 0].numpy()[y : y + h, x : x + w]
    image = cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    expected = image[:, ::-1] if hflip else image
    actual = to_view(maps, [geometry(crop, hflip)])[0, 0].numpy()
    np.testing.assert_allclose(actual, expected, atol=2e-5)


@given(crop=pixel_crops, hflip=st.booleans())
@settings(max_examples=40, deadline=None)
def test_round_trip_of_a_plane_and_valid(crop, hflip):
    rows, columns = torch.meshgrid(
        torch.arange(HEIGHT) + 0.5, torch.arange(WIDTH) + 0.5, indexing='ij'
    )
    plane = (3 * columns - 2 * rows)[None, None]
    view = geometry(crop, hflip)
    back, valid = to_original(to_view(plane, [view]), [view])
    x, y, w, h = crop
    inside = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    inside[y : y + h, x : x + w] = True
    assert torch.equal(valid[0, 0], inside)
    assert (back[0, 0][~inside] == 0).all()
    # a view ends at the centre of its outer pixels, the inner ones are exact
    core = (slice(y + 1, y + h - 1), slice(x + 1, x + w - 1))
    torch.testing.assert_close(back[0, 0][core], plane[0, 0][core], atol=2e-4, rtol=0)


@given(crop=pixel_crops, hflip=st.booleans())
@settings(max_examples=20, deadline=None)
def test_a_point_comes_back_where_it_was(crop, hflip):
    x, y, w, h = crop
    maps = torch.zeros(1, 1, HEIGHT, WIDTH)
    row, column = y + h // 2, x + w // 2
    maps[0, 0, row - 1 : row + 1, column - 1 : column + 1] = 1
    view = geometry(crop, hflip)
    back, _ = to_original(to_view(maps, [view]), [view])
    weights = back[0, 0] / back[0, 0].sum()
    centre = (weights.sum(1) @ torch.arange(HEIGHT).float()).item()
    assert centre == pytest.approx(row - 0.5, abs=0.3)
    centre = (weights.sum(0) @ torch.arange(WIDTH).float()).item()
    assert centre == pytest.approx(column - 0.5, abs=0.3)


def test_each_sample_has_its_own_geometry():
    views = [
        ViewGeometry(),
        FLIP,
        geometry((4, 2, 10, 8)),
        geometry((1, 3, 9, 7), True),
    ]
    maps = random_maps(len(views))
    back, valid = to_original(maps, views)
    seen = to_view(maps, views)
    for i, view in enumerate(views):
        one, ok = to_original(maps[i : i + 1], [view])
        torch.testing.assert_close(back[i : i + 1], one, atol=1e-6, rtol=0)
        assert torch.equal(valid[i : i + 1], ok)
        one = to_view(maps[i : i + 1], [view])
        torch.testing.assert_close(seen[i : i + 1], one, atol=1e-6, rtol=0)
    # crops of others do not cost the uncropped their exactness
    assert torch.equal(back[0], maps[0]) and torch.equal(seen[0], maps[0])
    assert torch.equal(back[1], maps[1].flip(-1))


def test_pixels_beyond_the_crop_do_not_bleed_in():
    maps = torch.full((1, 1, HEIGHT, WIDTH), 1e6)
    maps[..., 3:9, 5:15] = 1
    seen = to_view(maps, [geometry((5, 3, 10, 6))])
    torch.testing.assert_close(seen, torch.ones_like(seen))


def test_gradients():
    views = [geometry((4, 2, 10, 8), True), FLIP]
    maps = random_maps(dtype=torch.float64, frames=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda m: to_view(m, views), maps)
    assert torch.autograd.gradcheck(lambda m: to_original(m, views)[0], maps)


def test_half_precision_keeps_its_type_and_place():
    maps = random_maps(1).bfloat16()
    view = [geometry((4, 2, 10, 8))]
    assert to_view(maps, view).dtype == torch.bfloat16
    expected = to_view(maps.float(), view)
    torch.testing.assert_close(to_view(maps, view).float(), expected, atol=1e-2, rtol=0)


def test_errors():
    maps = random_maps(2)
    with pytest.raises(ValueError, match=r'\(2, 3, 12, 20\) and 1 geometries'):
        to_view(maps, [FLIP])
    with pytest.raises(ValueError, match='one ViewGeometry for each'):
        to_original(maps[:, 0], [FLIP, FLIP])
    with pytest.raises(ValueError, match='sample 1: crop'):
        to_view(maps, [FLIP, ViewGeometry((0.0, 0.0, 0.0, 1.0))])
    with pytest.raises(TypeError, match='uint8'):
        to_view(maps.byte(), [FLIP, FLIP])
