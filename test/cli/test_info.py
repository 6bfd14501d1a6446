"""What `pose-regressor info` says of a bundle."""

from dataclasses import replace
from pathlib import Path

from pose_regressor.cli.info import describe
from pose_regressor.network.bundle import Bundle
from pose_regressor.network.calibration import RGBD_CALIBRATION
from pose_regressor.network.quantization import Quantization, convolutions

ROOT = Path(__file__).resolve().parents[2]


def test_info_says_what_a_bundle_was_calibrated_for():
    path = ROOT / "models" / "box.safetensors"
    bundle = replace(Bundle.load(path), rgbd_calibration=RGBD_CALIBRATION, quantization=None)
    assert describe(bundle, path)["calibration"] == {
        "images": "measured for this bundle",
        "images with depth": "the default: not measured for this bundle",
        "int8": "not offered: no ranges were measured for this bundle, or its poses were worse",
    }
    bundle = replace(bundle, rgbd_calibration=replace(RGBD_CALIBRATION, covariance_scale=2.0))
    assert describe(bundle, path)["calibration"]["images with depth"] == "measured for this bundle"
    ranges = dict.fromkeys(convolutions(bundle.config, 1), 4.0)
    for precise, words in ((True, "offered"), (False, "offered; less precise, so auto does not take it")):
        bundle = replace(bundle, quantization=Quantization(ranges, precise))
        assert describe(bundle, path)["calibration"]["int8"] == words
