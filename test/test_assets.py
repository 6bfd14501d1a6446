"""Where shipped bundles and the demo clip are found."""

import pytest

from pose_regressor import assets
from pose_regressor.types import InputError


@pytest.fixture
def prefix(tmp_path, monkeypatch):
    """An ament prefix with a bundle and a clip, and nothing anywhere else."""
    share = tmp_path / "ws" / "share" / "pose_regressor"
    (share / "models").mkdir(parents=True)
    (share / "models" / "box.safetensors").write_bytes(b"")
    (share / "demo").mkdir()
    (share / "demo" / "box.mp4").write_bytes(b"")
    monkeypatch.setattr(assets, "__file__", str(tmp_path / "site-packages" / "pose_regressor" / "assets.py"))
    monkeypatch.setattr("sys.prefix", str(tmp_path / "none"))
    monkeypatch.setattr("site.getuserbase", lambda: str(tmp_path / "none"))
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{tmp_path / 'other'}:{tmp_path / 'ws'}")
    return share


def test_found_in_an_ament_prefix(prefix):
    assert assets.find_model("box") == prefix / "models" / "box.safetensors"
    assert assets.demo_folder() == prefix / "demo"


def test_a_file_wins_over_a_name(prefix, tmp_path, monkeypatch):
    (tmp_path / "box").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    assert assets.find_model("box").read_bytes() == b""
    assert str(assets.find_model("box")) == "box"


def test_a_folder_does_not_hide_a_name(prefix, tmp_path, monkeypatch):
    (tmp_path / "box").mkdir()
    monkeypatch.chdir(tmp_path)
    assert assets.find_model("box") == prefix / "models" / "box.safetensors"


def test_what_is_not_there_is_said(prefix, monkeypatch, tmp_path):
    with pytest.raises(InputError, match=r"cone: no such model; expected .* shipped models \(box\)"):
        assets.find_model("cone")
    with pytest.raises(InputError, match="this is a folder"):
        assets.find_model(tmp_path)
    monkeypatch.delenv("AMENT_PREFIX_PATH")
    with pytest.raises(InputError, match=r"\(none here\)"):
        assets.find_model("box")
    with pytest.raises(InputError, match=r"demo/box\.mp4 is not installed; looked in "):
        assets.demo_folder()
