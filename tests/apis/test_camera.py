import av
import cv2
import pytest

from ssvad.apis import TubeInferencer
from tests.apis.inference import moving
from tests.apis.test_sources import Camera
from tests.apis.videos import Bright


class Endless(Camera):
    """Shows what moves; Ctrl-C comes after so many frames."""

    frames, fps, interrupt_after = moving(100), 20.0, None

    def read(self):
        if len(self.frames) - len(self.left) == self.interrupt_after:
            raise KeyboardInterrupt
        return super().read()


@pytest.fixture(scope='module')
def infer():
    return TubeInferencer(Bright(), device='cpu', show_progress=False)


def test_a_camera_is_drawn_although_it_comes_once(infer, tmp_path, monkeypatch):
    monkeypatch.setattr(cv2, 'VideoCapture', Endless)
    (live,) = infer(2, tmp_path, max_frames=41)['predictions']
    (stored,) = infer(moving(41))['predictions']
    assert live == dict(stored, video='camera_2', fps=20.0)
    with av.open(str(tmp_path / 'camera_2.mp4')) as container:
        assert sum(1 for _ in container.decode(video=0)) == 41


def test_a_camera_ends_with_an_interrupt(infer, tmp_path, monkeypatch):
    monkeypatch.setattr(cv2, 'VideoCapture', Endless)
    monkeypatch.setattr(Endless, 'interrupt_after', 70)
    (live,) = infer(2, tmp_path)['predictions']
    # a forward takes four blocks of 16; those in which it comes are lost
    assert live['num_frames'] == 64 and live['tubes']
    assert (tmp_path / 'camera_2.mp4').exists()
    monkeypatch.setattr(Endless, 'interrupt_after', 3)
    with pytest.raises(KeyboardInterrupt):
        infer(2)
