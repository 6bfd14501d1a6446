"""Sources: what they play, how they number it, and that what cannot be played is refused when it is opened."""

import json

import cv2
import numpy as np
import pytest

from pose_regressor.files.depth_images import DepthImages
from pose_regressor.files.images import image_size
from pose_regressor.sources import Source, open_source
from pose_regressor.types import Camera, InputError

WIDTH, HEIGHT = 64, 48
RED = (200, 30, 20)  # RGB


def camera(width: int = WIDTH, height: int = HEIGHT) -> Camera:
    return Camera(width, height, np.array([[60.0, 0, width / 2], [0, 60, height / 2], [0, 0, 1]]))


def write_image(path, width: int = WIDTH, height: int = HEIGHT) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((height, width, 3), RED[::-1], np.uint8))


def write_video(path, frames: int = 40) -> None:
    codec = {".avi": "MJPG", ".mp4": "mp4v"}[path.suffix]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 25, (WIDTH, HEIGHT))
    rng = np.random.default_rng(0)
    for _ in range(frames):
        image = np.full((HEIGHT, WIDTH, 3), RED[::-1], np.uint8)
        image[:8, :8] = rng.integers(0, 255, (8, 8, 3))  # frames differ, so that the file has some length
        writer.write(image)
    writer.release()


def refusal(spec, given: Camera | None) -> str:
    with pytest.raises(InputError) as caught:
        open_source(spec, given)
    message = str(caught.value)
    assert message.startswith(str(spec))
    assert "\n" not in message
    return message


def test_video(tmp_path):
    path = tmp_path / "clip.mp4"
    write_video(path)
    with open_source(str(path), camera()) as source:
        assert (source.length, source.fps, source.scene_id) == (40, 25, 0)
        frames = list(source)
        again = [frame.index for frame in source]
    assert [frame.index for frame in frames] == again == list(range(40))
    assert [frame.stamp for frame in frames[:3]] == [0, 40_000_000, 80_000_000]
    np.testing.assert_allclose(frames[0].image[30, 30], RED, atol=12)


def test_video_refused(tmp_path):
    whole = tmp_path / "whole.avi"
    write_video(whole)
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.6)])
    assert "cut off" in refusal(cut, camera())
    empty = tmp_path / "empty.mp4"
    empty.write_bytes(b"")
    assert "cannot be opened" in refusal(empty, camera())
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    assert "cannot be opened" in refusal(text, camera())
    assert "is 64x48, but its camera is for 32x48" in refusal(whole, camera(32, 48))
    assert "--camera" in refusal(whole, None)
    assert "no such file or folder" in refusal(tmp_path / "none.mp4", camera())


def test_folder_is_numbered_by_its_names(tmp_path):
    for name in ("000010.png", "000002.jpg", "7.png"):
        write_image(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not an image")
    source = open_source(tmp_path, camera())
    assert source.length == 3
    assert source.fps is None
    frames = list(source)
    assert [frame.index for frame in frames] == [2, 7, 10]
    np.testing.assert_allclose(frames[2].image[5, 5], RED, atol=3)

    write_image(tmp_path / "last.png")
    assert [frame.index for frame in open_source(tmp_path, camera())] == [0, 1, 2, 3]


def test_folder_refused(tmp_path):
    assert "found none" in refusal(tmp_path, camera())
    write_image(tmp_path / "1.png")
    write_image(tmp_path / "2.jpg", WIDTH, HEIGHT + 2)
    message = refusal(tmp_path, camera())
    assert message.startswith(str(tmp_path / "2.jpg"))
    assert "is 64x50, but its camera is for 64x48" in message
    (tmp_path / "2.jpg").unlink()
    write_image(tmp_path / "001.png")
    assert "same frame number" in refusal(tmp_path, camera())
    (tmp_path / "001.png").write_bytes(b"\x89PNG\r\n")
    assert "cannot be decoded" in refusal(tmp_path / "001.png", camera())


def test_one_image(tmp_path):
    write_image(tmp_path / "000003.png")
    assert [frame.index for frame in open_source(tmp_path / "000003.png", camera())] == [3]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_image_size(tmp_path, suffix):
    path = tmp_path / f"image{suffix}"
    write_image(path, 37, 21)
    assert image_size(path) == (37, 21)


def test_bop_scene(tmp_path):
    scene = tmp_path / "000007"
    write_image(scene / "rgb" / "000004.png")
    write_image(scene / "rgb" / "000002.png")
    matrices = {str(i): {"cam_K": [60 + i, 0, 32, 0, 60, 24, 0, 0, 1]} for i in (2, 4, 6)}
    (scene / "scene_camera.json").write_text(json.dumps(matrices))
    source = open_source(scene)
    assert (source.scene_id, source.length) == (7, 2)
    assert [(frame.index, frame.camera.matrix[0, 0]) for frame in source] == [(2, 62), (4, 64)]
    assert [frame.camera.matrix[0, 0] for frame in open_source(scene, camera())] == [60, 60]

    write_image(scene / "rgb" / "000005.png")
    assert "expected an entry for image 5" in refusal(scene, None)
    (scene / "scene_camera.json").write_text("{")
    assert "expected JSON" in refusal(scene, None)


def test_a_link_to_a_webcam_is_one(tmp_path):
    """As /dev/v4l/by-id has them, which stay the same when another camera is plugged in."""
    link = tmp_path / "usb-Maker_Camera_SN0001-video-index0"
    link.symlink_to("/dev/video97")
    assert "expected a camera at /dev/video97" in refusal(link, camera())
    assert "--camera" in refusal(link, None)
    assert "a camera that is plugged in" in refusal("/dev/v4l/by-id/usb-Nobody_Has_This-video-index0", camera())


def test_webcam_refused():
    assert "none can be opened" in refusal("webcam:97", camera())
    assert "--camera" in refusal("/dev/video97", None)
    assert "webcam:N" in refusal("webcam", camera())


def write_scene(folder):
    for number in (1, 2):
        write_image(folder / "rgb" / f"{number:06d}.png")
    entry = {"cam_K": [60, 0, 32, 0, 60, 24, 0, 0, 1], "depth_scale": 2.0}
    (folder / "scene_camera.json").write_text(json.dumps({"1": entry, "2": entry}))


def write_depth(folder, name="000001.png"):
    folder.mkdir()
    assert cv2.imwrite(str(folder / name), np.full((HEIGHT, WIDTH), 400, np.uint16))


def test_depth_of_a_scene(tmp_path):
    write_scene(tmp_path)
    assert all(frame.depth is None for frame in open_source(tmp_path, depth="auto"))
    write_depth(tmp_path / "depth")
    assert all(frame.depth is None for frame in open_source(tmp_path))
    first, second = open_source(tmp_path, depth="auto")
    np.testing.assert_allclose(first.depth, 0.8)
    assert first.depth.shape == (HEIGHT, WIDTH) and second.depth is None


def test_depth_from_a_folder_of_its_own(tmp_path):
    write_image(tmp_path / "images" / "left.jpg")
    write_depth(tmp_path / "depths", "left.png")
    (frame,) = open_source(tmp_path / "images", camera(), depth=str(tmp_path / "depths"))
    np.testing.assert_allclose(frame.depth, 0.4)


def test_depth_of_a_scene_named_by_its_images_and_of_one_of_several_cameras(tmp_path):
    write_scene(tmp_path / "one")
    write_depth(tmp_path / "one" / "depth")
    first, second = open_source(tmp_path / "one" / "rgb", depth="auto")
    np.testing.assert_allclose(first.depth, 0.8)
    assert second.depth is None
    write_scene(tmp_path / "two")
    for name in ("rgb", "scene_camera.json"):
        path = tmp_path / "two" / name
        path.rename(path.with_name(f"{path.stem}_left{path.suffix}"))
    write_depth(tmp_path / "two" / "depth_left")
    write_depth(tmp_path / "two" / "depth", "000002.png")
    first, second = open_source(tmp_path / "two", depth="auto")
    np.testing.assert_allclose(first.depth, 0.8)
    assert second.depth is None


def test_depth_of_another_scene_has_its_own_scale(tmp_path):
    """As of a sensor that `generate` simulates: SCENE/depth_sensor, in the steps of SCENE/scene_camera.json."""
    write_scene(tmp_path / "scene")
    write_depth(tmp_path / "scene" / "depth_sensor")
    write_image(tmp_path / "images" / "000001.png")
    for source in (tmp_path / "scene", tmp_path / "images"):
        given = None if source.name == "scene" else camera()
        frame = next(iter(open_source(source, given, depth=str(tmp_path / "scene" / "depth_sensor"))))
        np.testing.assert_allclose(frame.depth, 0.8)


def test_depth_of_a_video_is_named_by_frame_numbers(tmp_path):
    write_video(tmp_path / "clip.avi", 3)
    write_depth(tmp_path / "depths", "000001.png")
    frames = list(open_source(tmp_path / "clip.avi", camera(), depth=str(tmp_path / "depths")))
    assert [frame.depth is None for frame in frames] == [True, False, True]
    np.testing.assert_allclose(frames[1].depth, 0.4)
    assert all(frame.depth is None for frame in open_source(tmp_path / "clip.avi", camera(), depth="auto"))


def test_depth_that_is_refused(tmp_path):
    write_video(tmp_path / "clip.avi", 3)
    write_image(tmp_path / "images" / "left.png")
    write_depth(tmp_path / "depths", "right.png")
    with pytest.raises(InputError, match="depths: expected depth images named by the number of their frame"):
        open_source(tmp_path / "clip.avi", camera(), depth=str(tmp_path / "depths"))
    with pytest.raises(InputError, match="depths: expected depth images with the names of the images"):
        open_source(tmp_path / "images", camera(), depth=str(tmp_path / "depths"))
    write_image(tmp_path / "images" / "right.png", 32, 20)
    with pytest.raises(InputError, match=r"right\.png: depth: size differs from the image, got 64x48, expected 32x20"):
        list(open_source(tmp_path / "images" / "right.png", camera(32, 20), depth=str(tmp_path / "depths")))


def test_a_camera_of_this_machine_has_no_depth(tmp_path):
    write_depth(tmp_path / "depths")
    source = Source()  # as a webcam's, which is not here
    source.name = "webcam:0"
    with pytest.raises(InputError, match="webcam:0: expected images or a video as files"):
        source.add_depth(DepthImages(tmp_path / "depths"))
