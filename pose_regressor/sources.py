"""Where frames come from: a video file, a folder of images, a BOP scene, a webcam. All are a `Source`.

`open_source` checks at once that a source can be played to the end. It refuses a missing path, an empty folder, a
cut-off video, and images whose size is not the camera's. Frames are RGB, whatever the file holds.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from pose_regressor.files.bop import SceneFiles, find_scene, read_scene_camera
from pose_regressor.files.depth_images import DepthImages, scene_camera_of
from pose_regressor.files.images import image_size, photo_is_turned, read_image, rgb_from_bgr
from pose_regressor.types import NANOSECONDS, Camera, Frame, InputError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
#: A video is cut off if its frame at this share of its length cannot be read. The last frame is no test: containers
#: miscount by a few, and seeking to the very end fails in healthy files.
PROBED_SHARE = 0.9


class Source:
    """An iterable of Frames; iterating again starts over. As a context manager it closes itself at the end.

    Frames' stamps are nanoseconds: of a camera since the epoch, of a video since its first frame, of images 0.

    name: what the user asked for
    length: number of frames; None: unknown
    fps: frames per second; None: the images carry no time
    scene_id: BOP's number of the scene; 0: none
    live: True: a camera, which sets its own pace and has no end
    depth: depth images of its frames; None: it has none. Single frames may lack one.
    """

    name: str
    length: int | None = None
    fps: float | None = None
    scene_id: int = 0
    live: bool = False
    depth: DepthImages | None = None

    def add_depth(self, depth: DepthImages) -> None:
        """Gives depth to the frames. InputError: they cannot have any, or the files are those of other frames."""
        raise InputError(f"{self.name}: expected images or a video as files, for a webcam leave out --depth")

    def _with_depth(self, frame: Frame, image: Path | None = None) -> Frame:
        """The frame with its depth, if it has any. image: its file; None: it is a video's. InputError: a wrong one."""
        depth = self.depth.of(image, frame.index) if self.depth else None
        if self.depth is None or depth is None:
            return frame
        try:
            return replace(frame, depth=depth)
        except InputError as error:
            raise InputError(f"{self.depth.path_of(image, frame.index)}: {error}") from None

    def __iter__(self) -> Iterator[Frame]:
        raise NotImplementedError

    def close(self) -> None:
        """Release the device, if there is one."""

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_source(spec: str | Path, camera: Camera | None = None, depth: str = "off") -> Source:
    """The source that `spec` names.

    spec: a video file, an image, a folder of images, a scene in BOP's layout (a folder with a scene_camera.json, or its
        folder of images), `webcam:N`, `/dev/videoN`, or a link to it such as those in /dev/v4l/by-id
    camera: of the images; None: a BOP scene uses its own intrinsics, all others need one
    depth: a folder of depth images with the images' names, or named by the number of a video's frame; auto: the folder
        `depth` of a BOP scene, if there is one; off: none
    InputError: the source cannot be played, `camera` is missing or for another image size, or no frame has depth.
    """
    source, folder = _open(spec, camera), None if depth in ("auto", "off") else Path(depth)
    if depth == "auto" and isinstance(source, ImageSource) and source.scene:
        own = source.scene.subfolder("depth")
        folder = own if own.is_dir() else None
    if folder is not None:
        scene = source.scene.json("scene_camera") if isinstance(source, ImageSource) and source.scene else None
        source.add_depth(DepthImages(folder, scene or scene_camera_of(folder)))
    return source


def _open(spec: str | Path, camera: Camera | None) -> Source:
    path = Path(spec)
    device = re.fullmatch(r"webcam:(\d+)", str(spec)) or re.fullmatch(r"/dev/video(\d+)", str(path.resolve()))
    if device:
        return WebcamSource(int(device[1]), _required(camera, spec), str(spec))
    if path.is_dir():
        if files := find_scene(path, also_by_its_images=camera is None):
            return _open_scene(files, camera)
        return ImageSource(path, _numbered(_images_in(path)), _required(camera, spec))
    if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
        return ImageSource(path, _numbered([path]), _required(camera, spec))
    if path.is_file():
        return VideoSource(path, _required(camera, spec))
    if path.is_relative_to("/dev/v4l"):
        raise InputError(f"{spec}: expected a camera that is plugged in, there is none of this name")
    if str(spec).startswith("webcam"):
        raise InputError(f"{spec}: expected webcam:N with the camera's number, as in webcam:0")
    raise InputError(f"{spec}: no such file or folder; expected a video, a folder of images, a BOP scene or webcam:N")


def _required(camera: Camera | None, spec: str | Path) -> Camera:
    if camera is None:
        raise InputError(f"{spec}: expected a camera file for it (--camera FILE): distances depend on the intrinsics")
    return camera


def _check_size(
    what: str | Path, width: int, height: int, camera: Camera, is_turned: Callable[[], bool] = lambda: False
) -> None:
    """is_turned: says whether the file asks viewers to turn its images by 90 degrees."""
    if (width, height) == (camera.width, camera.height):
        return
    error = f"{what}: is {width}x{height}, but its camera is for {camera.width}x{camera.height}"
    if (height, width) == (camera.width, camera.height) and is_turned():
        error += "; it has an orientation tag, but pixels count as stored: calibrate so (cv2.IMREAD_IGNORE_ORIENTATION)"
    raise InputError(error)


# ------------------------------------------------------------------ images


class ImageSource(Source):
    """Image files. files: (frame number, path), in order; cameras: one for all or one for each; scene: whose they are,
    if they are a BOP scene's.
    """

    def __init__(
        self,
        path: Path,
        files: Sequence[tuple[int, Path]],
        cameras: Camera | Sequence[Camera],
        scene: SceneFiles | None = None,
    ) -> None:
        self.name = str(path)
        self.length = len(files)
        self.scene = scene
        number = scene.folder.resolve().name if scene else ""
        self.scene_id = int(number) if re.fullmatch(r"[0-9]+", number) else 0
        self._files = files
        self._cameras = [cameras] * len(files) if isinstance(cameras, Camera) else cameras
        for (_, image), camera in zip(files, self._cameras, strict=True):
            _check_size(image, *image_size(image), camera, partial(photo_is_turned, image))

    def __iter__(self) -> Iterator[Frame]:
        for (index, path), camera in zip(self._files, self._cameras, strict=True):
            yield self._with_depth(Frame(image=read_image(path), camera=camera, index=index), path)

    def add_depth(self, depth: DepthImages) -> None:
        depth.check(path for _, path in self._files)
        self.depth = depth


def _images_in(folder: Path) -> list[Path]:
    images = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    if not images:
        raise InputError(f"{folder}: expected a folder with images ({' '.join(IMAGE_SUFFIXES)}), found none")
    return images


def _numbered(images: Sequence[Path]) -> list[tuple[int, Path]]:
    """Frame numbers: the file names if all of them are numbers, else positions."""
    if not all(re.fullmatch(r"[0-9]+", path.stem) for path in images):
        return list(enumerate(images))
    numbers: dict[int, Path] = {}
    for path in images:
        first = numbers.setdefault(int(path.stem), path)
        if first != path:
            raise InputError(f"{path.parent}: {first.name} and {path.name} have the same frame number")
    return sorted(numbers.items())


def _open_scene(files: SceneFiles, camera: Camera | None) -> ImageSource:
    folder = files.folder
    images = _numbered(_images_in(files.images))
    if camera is not None:
        return ImageSource(folder, images, camera, files)
    matrices = read_scene_camera(files.json("scene_camera"))
    cameras = []
    for index, path in images:
        if index not in matrices:
            raise InputError(f"{files.json('scene_camera')}: expected an entry for image {index} ({path.name})")
        width, height = image_size(path)
        cameras.append(Camera(width=width, height=height, matrix=matrices[index]))
    return ImageSource(folder, images, cameras, files)


# ------------------------------------------------------------------ video


class VideoSource(Source):
    """A video file, its frames as stored. Their index is their position, their stamp follows from the frame rate."""

    def __init__(self, path: Path, camera: Camera) -> None:
        self.name = str(path)
        self._path = path
        self._camera = camera
        capture = self._open()
        try:
            count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
            fps = float(capture.get(cv2.CAP_PROP_FPS))
            ok, image = capture.read()
            if not ok:
                raise InputError(f"{path}: expected a video, this has no frame that can be decoded")
            turned = capture.get(cv2.CAP_PROP_ORIENTATION_META) % 180 == 90
            _check_size(path, image.shape[1], image.shape[0], camera, lambda: turned)
            if count > 1:
                probe = int(count * PROBED_SHARE)
                capture.set(cv2.CAP_PROP_POS_FRAMES, probe)
                if not capture.grab():
                    raise InputError(f"{path}: expected {count} frames, cannot read frame {probe}; the file is cut off")
        finally:
            capture.release()
        self.length = count if count > 0 else None
        self.fps = fps if np.isfinite(fps) and fps > 0 else None

    def _open(self) -> cv2.VideoCapture:
        capture = cv2.VideoCapture(str(self._path))
        if not capture.isOpened():
            raise InputError(f"{self._path}: expected a video file, this cannot be opened as one (or is cut off)")
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)  # a tag would turn the image, but not its K
        return capture

    def __iter__(self) -> Iterator[Frame]:
        capture = self._open()
        try:
            index = 0
            while True:
                ok, image = capture.read()
                if not ok:
                    return
                stamp = round(index * NANOSECONDS / self.fps) if self.fps else 0
                yield self._with_depth(Frame(image=rgb_from_bgr(image), camera=self._camera, stamp=stamp, index=index))
                index += 1
        finally:
            capture.release()

    def add_depth(self, depth: DepthImages) -> None:
        depth.check_numbers(self.length or 1)
        self.depth = depth


class WebcamSource(Source):
    """A camera of this machine, set to the image size of its calibration. Frames are stamped when they arrive."""

    live = True

    def __init__(self, number: int, camera: Camera, name: str) -> None:
        self.name = name
        self._camera = camera
        self._capture = cv2.VideoCapture(number)
        if not self._capture.isOpened():
            raise InputError(f"{self.name}: expected a camera at /dev/video{number}, none can be opened there")
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, camera.width)
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, camera.height)
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the newest frame, not a queue of old ones
        try:
            self._check()
        except InputError:
            self.close()
            raise
        self.fps = float(self._capture.get(cv2.CAP_PROP_FPS)) or None

    def _check(self) -> None:
        ok, image = self._capture.read()
        if not ok:
            raise InputError(f"{self.name}: opened, but it gives no image")
        _check_size(self.name, image.shape[1], image.shape[0], self._camera)

    def __iter__(self) -> Iterator[Frame]:
        index = 0
        while True:
            ok, image = self._capture.read()
            if not ok:
                raise InputError(f"{self.name}: stopped giving images after {index} frames")
            yield Frame(image=rgb_from_bgr(image), camera=self._camera, stamp=time.time_ns(), index=index)
            index += 1

    def close(self) -> None:
        self._capture.release()
