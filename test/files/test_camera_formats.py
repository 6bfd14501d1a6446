"""Camera files as the programs of the field write them: the camera is right, or one line says what is wanted."""

import json

import cv2
import numpy as np
import pytest
import yaml

from pose_regressor.files.cameras import load_camera

K = [[610.0, 0.0, 319.5], [0.0, 605.0, 239.5], [0.0, 0.0, 1.0]]
D = [0.03, -0.05, 0.0002, -0.0001, 0.01]
FLAT = [value for row in K for value in row]
FOCAL = {"width": 640, "height": 480, "fx": 610.0, "fy": 605.0, "cx": 319.5, "cy": 239.5}
MESSAGE = {"height": 480, "width": 640, "distortion_model": "plumb_bob", "d": D, "k": FLAT}
ECHO = yaml.safe_dump({"header": {"frame_id": "optical"}}) + yaml.safe_dump(MESSAGE) + "---\n"
KALIBR = {
    "camera_model": "pinhole",
    "intrinsics": [610.0, 605.0, 319.5, 239.5],
    "resolution": [640, 480],
    "distortion_model": "radtan",
    "distortion_coeffs": D[:4],
    "rostopic": "/cam0/image_raw",
}
OST = """# oST version 5.0 parameters


[image]

width
640

height
480

[narrow_stereo]

camera matrix
610.000000 0.000000 319.500000
0.000000 605.000000 239.500000
0.000000 0.000000 1.000000

distortion
0.03 -0.05 0.0002 -0.0001 1e-2

rectification
1.000000 0.000000 0.000000
0.000000 1.000000 0.000000
0.000000 0.000000 1.000000

projection
600.000000 0.000000 318.000000 0.000000
0.000000 601.000000 238.000000 0.000000
0.000000 0.000000 1.000000 0.000000
"""
LOST = "A message was lost!!!\n\ttotal count change:1\n\ttotal count: 1---\n"
WARNED = "\x1b[33m[WARN] [1712.5] [ros2cli]: incompatible QoS\x1b[0m\n"
REALSENSE = {"width": 640, "height": 480, "fx": 610, "fy": 605, "ppx": 319.5, "ppy": 239.5}
OPEN3D = {"width": 640, "height": 480, "intrinsic_matrix": np.transpose(K).ravel().tolist()}
SETTINGS = {"resX": 640, "resY": 480, "fx": 610, "fy": 605, "cx": 319.5, "cy": 239.5, "s": 0}


def storage(path, fisheye=None, **entries):
    """What OpenCV's FileStorage writes."""
    file = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    if fisheye is not None:
        file.write("fisheye_model", fisheye)
    for name, value in entries.items():
        file.write(name, value)
    file.release()
    return path.read_text()


def check(camera, model="plumb_bob", distortion=D):
    assert (camera.width, camera.height) == (640, 480)
    np.testing.assert_array_equal(camera.matrix, K)
    assert camera.distortion_model == model
    np.testing.assert_array_equal(camera.distortion, distortion)


@pytest.mark.parametrize("suffix", [".yml", ".yaml", ".json", ".xml"])
@pytest.mark.parametrize(
    "names", [("camera_matrix", "distortion_coefficients"), ("Camera_Matrix", "Distortion_Coefficients"), ("K", "D")]
)
def test_opencvs_file_storage(tmp_path, suffix, names):
    path = tmp_path / f"camera{suffix}"
    matrices = {names[0]: np.array(K), names[1]: np.array(D)[:, None]}
    storage(path, image_width=640, image_height=480, **matrices)
    check(load_camera(path))
    storage(path, 0, image_width=640, image_height=480, **{**matrices, names[1]: np.array([D + [0.4, 0.1, 0.2]])})
    check(load_camera(path), "rational_polynomial", [*D, 0.4, 0.1, 0.2])


@pytest.mark.parametrize("suffix", [".yml", ".json", ".xml"])
def test_opencvs_calibration_says_that_it_is_a_fisheye(tmp_path, suffix):
    path = tmp_path / f"camera{suffix}"
    entries = {"camera_matrix": np.array(K), "distortion_coefficients": np.array(D[:4])[:, None]}
    storage(path, 1, image_width=640, image_height=480, **entries)
    check(load_camera(path), "equidistant", D[:4])


@pytest.mark.parametrize(
    ("name", "text", "model", "distortion"),
    [
        ("camchain.yaml", yaml.safe_dump({"cam0": KALIBR}), "plumb_bob", D[:4]),
        ("camera.yaml", yaml.safe_dump(KALIBR), "plumb_bob", D[:4]),
        (
            "fisheye.yaml",
            yaml.safe_dump({"cam3": {**KALIBR, "distortion_model": "equidistant"}}),
            "equidistant",
            D[:4],
        ),
        (
            "none.yaml",
            yaml.safe_dump({"cam0": {**KALIBR, "distortion_model": "none", "distortion_coeffs": []}}),
            "plumb_bob",
            [],
        ),
        ("ost.txt", OST, "plumb_bob", D),
        ("ost.ini", OST.replace("\n", "\r\n"), "plumb_bob", D),
        ("lost.yaml", LOST + ECHO, "plumb_bob", D),
        ("lost_twice.yaml", LOST + LOST.replace("1", "12") + WARNED + ECHO, "plumb_bob", D),
        ("lost_between.yaml", ECHO + LOST + ECHO, "plumb_bob", D),
        ("windows.yaml", "\ufeff" + ECHO.replace("\n", "\r\n"), "plumb_bob", D),
        ("windows.json", "\ufeff" + json.dumps(FOCAL), "plumb_bob", []),
        ("flow.yaml", json.dumps(MESSAGE), "plumb_bob", D),
        (
            "realsense.json",
            json.dumps({**REALSENSE, "model": "distortion.inverse_brown_conrady", "coeffs": [0] * 5}),
            "plumb_bob",
            [],
        ),
        ("d435.json", json.dumps({**REALSENSE, "model": "distortion.brown_conrady", "coeffs": D}), "plumb_bob", D),
        (
            "t265.json",
            json.dumps({**REALSENSE, "model": "kannala_brandt4", "coeffs": [*D[:4], 0]}),
            "equidistant",
            D[:4],
        ),
        ("open3d.json", json.dumps(OPEN3D), "plumb_bob", []),
        ("ndds.json", json.dumps({"camera_settings": [{"intrinsic_settings": SETTINGS}]}), "plumb_bob", []),
        ("named.json", json.dumps({**FOCAL, "k1": D[0], "k2": D[1], "p1": D[2], "p2": D[3]}), "plumb_bob", D[:4]),
        ("list.json", json.dumps({**FOCAL, "dist_coeffs": D}), "plumb_bob", D),
        ("camera_name.json", json.dumps({**FOCAL, "model": "D435i"}), "plumb_bob", []),
        (
            "nerfstudio.json",
            json.dumps(
                {"w": 640, "h": 480, "fl_x": 610.0, "fl_y": 605.0, "cx": 319.5, "cy": 239.5}
                | {"camera_model": "OPENCV_FISHEYE", "k1": 0.1, "k2": 0.2, "k3": 0.0, "k4": 0.4}
            ),
            "equidistant",
            [0.1, 0.2, 0.0, 0.4],
        ),
        (
            "python.yaml",
            yaml.safe_dump({"camera_matrix": K, "dist_coeff": [D], "image_size": [640, 480]}),
            "plumb_bob",
            D,
        ),
    ],
)
def test_files_of_other_programs(tmp_path, name, text, model, distortion):
    path = tmp_path / name
    path.write_bytes(text.encode())
    check(load_camera(path), model, distortion)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("c.yaml", yaml.safe_dump({"cam0": KALIBR, "cam1": KALIBR}), "expected one camera, got cam0, cam1"),
        ("c.yaml", yaml.safe_dump({"cam0": {**KALIBR, "camera_model": "omni"}}), "camera_model pinhole, got 'omni'"),
        ("c.yaml", yaml.safe_dump({"cam0": {**KALIBR, "distortion_model": "fov"}}), "'fov' is not known"),
        ("c.yaml", yaml.safe_dump({"cam0": 3}), "expected cam0 to be a mapping"),
        ("c.yaml", yaml.safe_dump({"camera_matrix": K, "dist_coeff": [D]}), "expected the image's size in pixels"),
        ("c.json", json.dumps({**REALSENSE, "model": "distortion.inverse_brown_conrady", "coeffs": D}), "is not known"),
        ("c.json", json.dumps({**FOCAL, "distortion_polynomial": D}), "got 'distortion_polynomial'"),
        ("c.json", json.dumps({"camera_settings": []}), "expected a camera file with"),
        ("ost.txt", OST.replace(" 1e-2", ""), "take ost.yaml, which names the model"),
        ("ost.txt", OST[: OST.index("[narrow")], "holds 0 cameras, expected one"),
        ("ost.txt", OST.replace("width\n640\n", ""), "expected the image's size in pixels"),
        ("c.xml", "<opencv_storage>", "expected XML"),
        ("c.xml", "<calibration/>", "FileStorage (<opencv_storage>), got <calibration>"),
        ("c.xml", "<!DOCTYPE a [<!ENTITY b 'c'>]><opencv_storage>&b;</opencv_storage>", "without a DOCTYPE"),
        ("c.yaml", LOST, "expected a camera file to be a mapping"),
        ("c.yaml", "1712,5,optical,480,640,plumb_bob,0.0\n", "expected a camera file to be a mapping, got str"),
    ],
)
def test_one_line_says_what_is_wanted(tmp_path, name, text, expected, error_of):
    path = tmp_path / name
    path.write_text(text)
    message = error_of(load_camera, path)
    assert message.startswith(f"{path}: ") and expected in message


def test_a_binned_message_is_of_the_published_image(tmp_path):
    """The same function as for the topic: half the size, and K of half-size pixels."""
    path = tmp_path / "info.yaml"
    k = [1220.0, 0, 639.5, 0, 1210, 479.5, 0, 0, 1]
    path.write_text(yaml.safe_dump({**MESSAGE, "width": 1280, "height": 960, "k": k, "binning_x": 2, "binning_y": 2}))
    check(load_camera(path))
    region = {"x_offset": 100, "y_offset": 50, "width": 640, "height": 480, "do_rectify": True}
    k = [610.0, 0, 419.5, 0, 605, 289.5, 0, 0, 1]
    path.write_text(yaml.safe_dump({**MESSAGE, "width": 1280, "height": 960, "k": k, "roi": region}))
    check(load_camera(path))
