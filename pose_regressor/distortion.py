"""Models of lens distortion by name, and the coefficients that each takes. `geometry.camera` computes them."""

from __future__ import annotations

import numpy as np

from pose_regressor.inputs import FloatArray, InputError

#: Distortion models by their names in sensor_msgs/CameraInfo, and how many coefficients each takes, in OpenCV's order.
#: The first number is that of the model's definition. The rational polynomial goes on with thin prisms (12) and a
#: tilted sensor (14). `equidistant` is the model of cv2.fisheye.
DISTORTION_MODELS = {"plumb_bob": (5, 0, 4), "rational_polynomial": (8, 0, 4, 5, 12, 14), "equidistant": (4,)}
#: Other names of the same models: OpenCV's and Kalibr's.
SAME_MODELS = {"fisheye": "equidistant", "radtan": "plumb_bob"}
#: What drivers write, in small letters, for images without distortion.
NO_DISTORTION = ("", "none", "pinhole")


def distortion_of(model: object, coefficients: FloatArray) -> tuple[str, FloatArray]:
    """A key of DISTORTION_MODELS, and as many coefficients as it takes.

    Zeros beyond the model's definition are dropped: some drivers pad all models to one length.
    """
    if not isinstance(model, str):
        raise InputError("camera: expected the distortion model's name", f"got {model!r}")
    name = model.strip().lower()
    if name in NO_DISTORTION:
        if coefficients.any():
            detail = f"model {model!r} has none, got {coefficients.tolist()}; name their model"
            raise InputError("camera: distortion coefficients without a distortion model", detail)
        return "plumb_bob", np.zeros(0)
    name = SAME_MODELS.get(name, name)
    if name not in DISTORTION_MODELS:
        expected = f"expected one of {', '.join(DISTORTION_MODELS)}, or none"
        raise InputError("camera: unknown distortion model", f"{model!r} is not known, {expected}")
    lengths = DISTORTION_MODELS[name]
    least = max(lengths[0], 1 + max(np.flatnonzero(coefficients), default=-1))
    shorter = [length for length in lengths if least <= length <= len(coefficients)]
    coefficients = coefficients[: min(shorter, default=None)]
    if len(coefficients) not in lengths:
        takes = f"{name} takes {', '.join(map(str, sorted(lengths)))} coefficients and zeros after them"
        got = f"got {len(coefficients)}: {coefficients.tolist()}"
        raise InputError("camera distortion: wrong number of coefficients", f"{takes}, {got}")
    return name, coefficients
