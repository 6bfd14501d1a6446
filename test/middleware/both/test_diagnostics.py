"""What either node says of itself on /diagnostics."""

OK, WARN, ERROR = 0, 1, 2


def test_from_the_first_image_to_the_last(fresh):
    peer, reader = fresh.peer, fresh.peer.diagnostics_reader()

    def wait(name, level, words):
        return peer.diagnostics(
            reader,
            lambda said: said[name][0] == level and words in said[name][1],
            f"level {level} of {name} with {words!r}",
        )

    assert peer.change_state("deactivate")
    wait("images", OK, "not active")
    assert peer.change_state("activate")
    peer.match()
    values = wait("images", WARN, "no images yet")
    assert values["pose_regressor: node"]["State"] == "active"
    assert values["pose_regressor: node"]["Device"] == "cpu"
    assert values["pose_regressor: node"]["Model"] == "box"
    peer.send_image(10, stamp=1)
    wait("images", ERROR, "no image can be used: no camera info yet")
    peer.calibrate()
    values = wait("images", WARN, "images cannot be used: no camera info yet")
    assert int(values["pose_regressor: poses"]["Events since startup"]) > 0
    assert float(values["pose_regressor: poses"]["Latency p50 (ms)"]) > 0
    peer.send_image(255, stamp=3)
    values = wait("poses", ERROR, "the network failed on 1 images")
    assert "on purpose" in values["pose_regressor: node"]["Last error"]
    assert peer.change_state("deactivate")
    wait("images", OK, "not active")
    assert peer.change_state("activate")
    peer.match()
    peer.calibrate()
    wait("images", OK, "Hz")
    wait("poses", OK, "Hz")
    reader.__del__()


def test_of_a_model_that_does_not_load(start, peer, tmp_path):
    """As a lifecycle manager finds it: the node is there, unconfigured, and says why."""
    start(autostart=False, camera_file=str(tmp_path / "nowhere.yaml"))
    reader = peer.diagnostics_reader()
    peer.diagnostics(reader, lambda said: said["node"] == (OK, "unconfigured"), "an unconfigured node")
    assert not peer.change_state("configure")
    peer.diagnostics(reader, lambda said: said["node"][0] == ERROR and "nowhere.yaml" in said["node"][1], "the reason")
    assert peer.state() == "unconfigured"
