"""Where frames come from: a video file, a folder of images, a BOP scene, a webcam. All are a `Source`.

`open_source` checks at once that a source can be played to the end. It refuses a missing path, an empty folder, a
cut-off video, and images whose size is not the camera's. Frames are RGB, whatever the file holds.
"""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_regressor.files.bop import read_scene_camera
from pose_regressor.files.depth_images import DepthImages
from pose_regressor.types import NANOSECONDS, Camera, Frame, InputError

if TYPE_CHECKING:
    from cv2.typing import MatLike  # newer than the OpenCV of Ubuntu 22.04

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
    """

    name: str
    length: int | None = None
    fps: float | None = None
    scene_id: int = 0
    live: bool = False

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

    spec: a video file, an image, a folder of images, a scene in BOP's layout (a folder with a scene_camera.json),
        `webcam:N` or `/dev/videoN`
    camera: of the images; None: a BOP scene uses its own intrinsics, all others need one
    depth: a folder of depth images with the images' names; auto: the folder `depth` of a BOP scene, if there is one;
        off: none
    InputError: the source cannot be played, or `camera` is missing or for another image size.
    """
    source, scene = _open(spec, camera), Path(spec)
    if depth == "off" or (depth == "auto" and not (scene / "depth").is_dir()):
        return source
    if not isinstance(source, ImageSource):
        raise InputError(f"{spec}: expected images as files, beside which depth images can lie; leave out --depth")
    source.depth = DepthImages(scene / "depth" if depth == "auto" else Path(depth), scene / "scene_camera.json")
    return source


def _open(spec: str | Path, camera: Camera | None) -> Source:
    device = re.fullmatch(r"(?:webcam:|/dev/video)(\d+)", str(spec))
    if device:
        return WebcamSource(int(device[1]), _required(camera, spec))
    path = Path(spec)
    if path.is_dir():
        if (path / "scene_camera.json").exists():
            return _open_scene(path, camera)
        return ImageSource(path, _numbered(_images_in(path)), _required(camera, spec))
    if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
        return ImageSource(path, _numbered([path]), _required(camera, spec))
    if path.is_file():
        return VideoSource(path, _required(camera, spec))
    if str(spec).startswith("webcam"):
        raise InputError(f"{spec}: expected webcam:N with the camera's number, as in webcam:0")
    raise InputError(f"{spec}: no such file or folder; expected a video, a folder of images, a BOP scene or webcam:N")


def _required(camera: Camera | None, spec: str | Path) -> Camera:
    if camera is None:
        raise InputError(f"{spec}: expected a camera file for it (--camera FILE): distances depend on the intrinsics")
    return camera


def _check_size(what: str | Path, width: int, height: int, camera: Camera) -> None:
    if (width, height) != (camera.width, camera.height):
        raise InputError(f"{what}: is {width}x{height}, but its camera is for {camera.width}x{camera.height}")


def _rgb(bgr: MatLike) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)


# ------------------------------------------------------------------ images


class ImageSource(Source):
    """Image files. files: (frame number, path), in order; cameras: one for all or one for each."""

    depth: DepthImages | None = None  # of the same names

    def __init__(
        self, path: Path, files: Sequence[tuple[int, Path]], cameras: Camera | Sequence[Camera], scene_id: int = 0
    ) -> None:
        self.name = str(path)
        self.length = len(files)
        self.scene_id = scene_id
        self._files = files
        self._cameras = [cameras] * len(files) if isinstance(cameras, Camera) else cameras
        for (_, image), camera in zip(files, self._cameras, strict=True):
            _check_size(image, *image_size(image), camera)

    def __iter__(self) -> Iterator[Frame]:
        for (index, path), camera in zip(self._files, self._cameras, strict=True):
            depth = self.depth.of(path, index) if self.depth else None
            yield Frame(image=read_image(path), camera=camera, index=index, depth=depth)


def read_image(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, the pixels as stored: an orientation tag would turn the image, but not its K."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise InputError(f"{path}: expected an image, this cannot be decoded")
    return _rgb(image)


def image_size(path: Path) -> tuple[int, int]:
    """Width and height. Of PNG and JPEG only the header is read, so a folder of thousands is checked in a moment."""
    try:
        with path.open("rb") as file:
            head = file.read(24)
            if head[:8] == b"\x89PNG\r\n\x1a\n" and len(head) == 24:
                width, height = struct.unpack(">II", head[16:24])
                return width, height
            if head[:2] == b"\xff\xd8":
                file.seek(2)
                while len(marker := file.read(4)) == 4 and marker[0] == 0xFF:
                    # SOF0 to SOF15 hold the size; C4, C8 and CC in that range are other segments.
                    if 0xC0 <= marker[1] <= 0xCF and marker[1] not in (0xC4, 0xC8, 0xCC):
                        height, width = struct.unpack(">xHH", file.read(5))
                        return width, height
                    file.seek(struct.unpack(">H", marker[2:])[0] - 2, 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except struct.error:
        pass  # cut off within the header: decoding will say so
    height, width = read_image(path).shape[:2]
    return width, height


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


def _open_scene(folder: Path, camera: Camera | None) -> ImageSource:
    images = next((folder / name for name in ("rgb", "gray") if (folder / name).is_dir()), None)
    if images is None:
        raise InputError(f"{folder}: expected a BOP scene with a folder rgb or gray beside its scene_camera.json")
    files = _numbered(_images_in(images))
    scene_id = int(folder.resolve().name) if re.fullmatch(r"[0-9]+", folder.resolve().name) else 0
    if camera is not None:
        return ImageSource(folder, files, camera, scene_id)
    matrices = read_scene_camera(folder / "scene_camera.json")
    cameras = []
    for index, path in files:
        if index not in matrices:
            raise InputError(f"{folder / 'scene_camera.json'}: expected an entry for image {index} ({path.name})")
        width, height = image_size(path)
        cameras.append(Camera(width=width, height=height, matrix=matrices[index]))
    return ImageSource(folder, files, cameras, scene_id)


# ------------------------------------------------------------------ video


class VideoSource(Source):
    """A video file. A frame's index is its position, its stamp follows from the file's frame rate."""

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
            _check_size(path, image.shape[1], image.shape[0], camera)
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
                yield Frame(image=_rgb(image), camera=self._camera, stamp=stamp, index=index)
                index += 1
        finally:
            capture.release()


class WebcamSource(Source):
    """A camera of this machine, set to the image size of its calibration. Frames are stamped when they arrive."""

    live = True

    def __init__(self, number: int, camera: Camera) -> None:
        self.name = f"webcam:{number}"
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
            yield Frame(image=_rgb(image), camera=self._camera, stamp=time.time_ns(), index=index)
            index += 1

    def close(self) -> None:
        self._capture.release()
