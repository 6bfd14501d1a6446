"""Camera files of many programs: BOP, ROS, OpenCV, Kalibr, RealSense, Open3D."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from pose_regressor.distortion import DISTORTION_MODELS
from pose_regressor.files.camera_text import read_camera_text
from pose_regressor.files.io import as_mapping, as_numbers, as_whole_number
from pose_regressor.geometry.camera_info import camera_from_info
from pose_regressor.types import Camera, FloatArray, InputError

#: Names of one value in different programs, without capitals and punctuation.
_MATRIX = ("cameramatrix", "intrinsicmatrix", "mtx", "k")
_WIDTH, _HEIGHT = ("imagewidth", "width", "w", "resx"), ("imageheight", "height", "h", "resy")
_SIZE = ("imagesize", "resolution")
_COEFFICIENTS = (
    *("distortioncoefficients", "distortioncoeffs", "distcoeffs", "distcoeff", "distcoefs", "dist", "distortion"),
    *("coeffs", "d"),
)
_MODEL = ("distortionmodel", "model", "cameramodel")
#: Coefficients that have a key each, in OpenCV's order.
_EACH = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6", "s1", "s2", "s3", "s4", "taux", "tauy")
#: Distortion models by other programs' names: RealSense's, and COLMAP's as nerfstudio writes them.
_MODELS = {"brown_conrady": "plumb_bob", "kannala_brandt4": "equidistant", "opencv_fisheye": "equidistant"}
_BY_LENGTH = ("opencv", "full_opencv")


def load_camera(path: str | Path) -> Camera:
    """The camera in a file. Its content tells the format; .json is read as JSON.

    camera.json of BOP: width, height, fx, fy, cx, cy; RealSense's has ppx, ppy, model, coeffs
    calibration of ROS's camera_calibration, YAML or ost.txt: image_width, image_height, camera_matrix, ...
    OpenCV's FileStorage, YAML, JSON or XML: the same names
    CameraInfo message as YAML, from `ros2 topic echo --once camera_info`: width, height, k, d, distortion_model, ...
    camchain of Kalibr with one camera: intrinsics, resolution, distortion_model, distortion_coeffs
    PinholeCameraIntrinsic of Open3D: width, height, intrinsic_matrix (by columns)

    Raises InputError that begins with the path.
    """
    content = as_mapping(path, "a camera file", read_camera_text(path))
    keys = _Keys(path, _the_one_camera(path, content))
    if keys.has("k") and isinstance(keys.value("k"), list) and keys.has("width"):
        info = _from_message(keys)
    elif keys.has("intrinsics"):
        info = _from_kalibr(keys)
    elif keys.has(*_MATRIX):
        info = _from_matrix(keys)
    elif keys.has("fx", "flx"):
        info = _from_focal_lengths(keys)
    else:
        raise keys.error(
            "expected a camera file with fx, fy, cx, cy (BOP), camera_matrix (ROS, OpenCV), k (CameraInfo) or "
            "intrinsics (Kalibr)"
        )
    try:
        return camera_from_info(SimpleNamespace(**info))
    except InputError as error:
        raise InputError(f"{path}: {str(error).removeprefix('camera info: ')}") from None


class _Keys:
    """A camera file's mapping, whose keys are found without regard to capitals and punctuation.

    ROS 1 wrote K and D, OpenCV's older samples Camera_Matrix. Methods take the names that a value may have.
    """

    def __init__(self, path: str | Path, content: dict[Any, Any]) -> None:
        self.path = path
        self.found = {re.sub(r"[^a-z0-9]", "", str(key).lower()): (str(key), value) for key, value in content.items()}

    def has(self, *names: str) -> bool:
        return any(name in self.found for name in names)

    def value(self, *names: str, default: Any = None) -> Any:
        return next((self.found[name][1] for name in names if name in self.found), default)

    def numbers(self, *names: str, count: int | None = None) -> FloatArray:
        """Of a list, or of a mapping with the list as its data; (0,) if the key may be missing and is."""
        key, value = next((self.found[name] for name in names if name in self.found), (names[0], None))
        if value is None and count is not None:
            raise self.error(f"expected the key '{key}'")
        if isinstance(value, dict):
            if "data" not in value:
                raise InputError(f"{self.path}: expected the key 'data' in '{key}'")
            key, value = f"{key}.data", value["data"]
        return as_numbers(self.path, key, value, count)

    def whole(self, *names: str, default: int | None = None) -> int:
        key, value = next((self.found[name] for name in names if name in self.found), (names[0], default))
        if value is None and not self.has(*names):
            raise self.error(f"expected the key '{key}'")
        if isinstance(value, bool):
            raise InputError(f"{self.path}: expected a whole number for '{key}', got {value}")
        return as_whole_number(self.path, key, value)

    def error(self, expected: str) -> InputError:
        got = ", ".join(key for key, _ in self.found.values()) or "nothing"
        return InputError(f"{self.path}: {expected}, got {got}"[:400])


def _the_one_camera(path: str | Path, content: dict[Any, Any]) -> dict[Any, Any]:
    """The camera's own mapping, if the file wraps it: Kalibr's camchain and NVIDIA's camera_settings."""
    cameras = {str(key): value for key, value in content.items() if re.fullmatch(r"cam\d+", str(key))}
    settings = content.get("camera_settings")
    if isinstance(settings, list):
        wrapped = [each.get("intrinsic_settings") if isinstance(each, dict) else each for each in settings]
        cameras = {f"camera {number}": value for number, value in enumerate(wrapped)}
    if not cameras:
        return content
    if len(cameras) > 1:
        got = ", ".join(cameras)[:200]
        raise InputError(f"{path}: expected one camera, got {got}; put one into a file of its own")
    ((name, camera),) = cameras.items()
    return as_mapping(path, name, camera)


def _info(size: tuple[int, int], k: Any, d: Any, model: Any, **rest: Any) -> dict[str, Any]:
    """The fields of a CameraInfo."""
    roi = SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0)
    fields = {"width": size[0], "height": size[1], "k": k, "d": d, "distortion_model": model}
    return {**fields, "binning_x": 0, "binning_y": 0, "roi": roi, **rest}


def _from_message(keys: _Keys) -> dict[str, Any]:
    d = keys.numbers("d")
    roi = _Keys(keys.path, as_mapping(keys.path, "'roi'", keys.value("roi") or {}))
    region = {name: roi.whole(name.replace("_", ""), default=0) for name in ("x_offset", "y_offset", "width", "height")}
    return _info(
        (keys.whole("width"), keys.whole("height")),
        keys.numbers("k", count=9),
        d,
        _model(keys.value("distortionmodel"), d),
        binning_x=keys.whole("binningx", default=0),
        binning_y=keys.whole("binningy", default=0),
        roi=SimpleNamespace(**region),
    )


def _from_kalibr(keys: _Keys) -> dict[str, Any]:
    projection = keys.value("cameramodel", default="pinhole")
    if projection != "pinhole":
        raise InputError(f"{keys.path}: expected Kalibr's camera_model pinhole, got {projection!r}; calibrate with it")
    fx, fy, cx, cy = keys.numbers("intrinsics", count=4)
    model = keys.value("distortionmodel", default="none")
    return _info(_size(keys), [fx, 0, cx, 0, fy, cy, 0, 0, 1], keys.numbers("distortioncoeffs"), model)


def _from_matrix(keys: _Keys) -> dict[str, Any]:
    k = keys.numbers(*_MATRIX, count=9).reshape(3, 3)
    if not k[:2, 2].any() and k[2, :2].any():  # Open3D writes a matrix by columns
        k = k.T
    d, model = _distortion(keys)
    if str(keys.value("fisheyemodel", default=0)) not in ("0", "False"):  # of OpenCV's calibration sample
        model = "equidistant"
    return _info(_size(keys), k, d, model)


def _from_focal_lengths(keys: _Keys) -> dict[str, Any]:
    names = (("fx", "flx"), ("fy", "fly"), ("cx", "ppx"), ("cy", "ppy"))
    fx, fy, cx, cy = (float(keys.numbers(*each, count=1)[0]) for each in names)
    return _info(_size(keys), [fx, 0, cx, 0, fy, cy, 0, 0, 1], *_distortion(keys))


def _size(keys: _Keys) -> tuple[int, int]:
    if keys.has(*_SIZE):
        width, height = keys.numbers(*_SIZE, count=2).tolist()
        return as_whole_number(keys.path, "width", width), as_whole_number(keys.path, "height", height)
    if not (keys.has(*_WIDTH) and keys.has(*_HEIGHT)):
        raise keys.error("expected the image's size in pixels, image_width and image_height")
    return keys.whole(*_WIDTH), keys.whole(*_HEIGHT)


def _distortion(keys: _Keys) -> tuple[FloatArray, Any]:
    """Coefficients and the model's name. InputError: a key that names distortion and is not known."""
    known = (*_COEFFICIENTS, *_MODEL)
    for name, (key, value) in keys.found.items():
        if re.match(r"dist(ort|coef)", name) and name not in known and value:
            raise InputError(f"{keys.path}: expected distortion as a list 'distortion_coefficients', got '{key}'")
    model = keys.value(*_MODEL)
    if keys.has(*_COEFFICIENTS):
        d = keys.numbers(*_COEFFICIENTS)
        return d, _model(model, d)
    order = ("k1", "k2", "k3", "k4") if "fisheye" in str(model).lower() else _EACH
    d = np.array([keys.numbers(name, count=1)[0] if keys.has(name) else 0.0 for name in order])
    if order is _EACH:
        d = d[: next(n for n in (0, 4, 5, 8, 12, 14) if not d[n:].any())]
    if not keys.has("distortionmodel", *order) and _model(model, d) not in (*DISTORTION_MODELS, "none", "pinhole"):
        return d, "none"  # `model` names the camera, not its lens
    return d, _model(model, d)


def _model(name: Any, d: FloatArray) -> Any:
    """A distortion model in CameraInfo's words. d: its coefficients."""
    by_length = "plumb_bob" if len(d) <= 5 else "rational_polynomial"
    if name is None:
        return by_length
    if not isinstance(name, str):
        return name
    plain = re.sub(r"^(rs2_)?distortion[._]", "", name.strip().lower().replace(" ", "_"))
    if plain in _BY_LENGTH:
        return by_length
    if plain.endswith("brown_conrady") and not np.any(d):  # also the inverse one, which is another model
        return "none"
    return _MODELS.get(plain, plain)
