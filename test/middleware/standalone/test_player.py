"""Player -> node -> listener over the wire, each a process (the listener in this one)."""

import json
import signal
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from pose_regressor.middleware.kit.endpoints import Subscription
from pose_regressor.middleware.kit.pacing import RATES, TRIES
from pose_regressor.middleware.kit.player import DETECTIONS, Playing, depth_topic_beside, play
from pose_regressor.middleware.wire import idl
from pose_regressor.sources import open_source
from pose_regressor.types import Camera, InputError

STANDIN = Path(__file__).parents[1] / "standin_node.py"
PATIENCE = 90  # seconds, for what comes at once on an idle machine
FRAMES = 12


@pytest.fixture
def clip(tmp_path):
    """A folder of images, frame n of brightness 10 n + 10, and its camera file."""
    folder = tmp_path / "clip"
    folder.mkdir()
    for number in range(FRAMES):
        cv2.imwrite(str(folder / f"{number:06d}.png"), np.full((48, 64, 3), 10 * number + 10, np.uint8))
    camera = tmp_path / "camera.json"
    values = {"width": 64, "height": 48, "fx": 60.0, "fy": 60.0, "cx": 31.5, "cy": 23.5, "depth_scale": 1.0}
    camera.write_text(json.dumps(values))
    return folder, camera


def hear(participant, topic, log, reliable=True, depth=1):
    """The images that the participant hears, as they come."""
    heard = []
    participant.subscribe([Subscription(topic, idl.Image, heard.append, reliable, depth)], log)
    return heard


def test_a_clip_comes_out_as_transforms(domain, clip, launch, tmp_path, network, kind):
    folder, camera = clip
    record = tmp_path / "record.json"
    with network.TfListener() as listener:
        node = launch(STANDIN, kind, "{}")
        # Slowly, for a busy node that hears of the player late: what it sent before is lost.
        options = ["--timeout", PATIENCE, "--rate", 8, "--record", record, "--frame-id", "eye"]
        player = launch(*network.player, folder, "--camera", camera, *options)
        assert player.wait() == 0, player.text
        assert listener.wait(lambda transforms: bool(transforms) and transforms[-1].translation[2] == FRAMES, PATIENCE)
        transforms = listener.transforms
    # A busy machine may leave frames out, never the newest; whichever came has the stamp of its own image.
    stamps = {stamp: number for number, stamp, _ in json.loads(record.read_text())}
    numbers = [stamps[t.stamp] for t in transforms]
    assert sorted(stamps.values()) == list(range(FRAMES))
    assert numbers == sorted(set(numbers))
    assert [t.translation[2] for t in transforms] == [number + 1 for number in numbers]
    assert {(t.frame_id, t.child) for t in transforms} == {("eye", "crate_0")}
    assert all(0 < t.received - t.stamp < 5e9 for t in transforms)
    assert node.end(signal.SIGTERM)[0] == 0


def test_a_clip_with_depth(domain, clip, launch, tmp_path, network, kind):
    """The stand-in finds its object as far away as depth says, or without depth the brightness of the image."""
    folder, camera = clip
    (tmp_path / "depths").mkdir()
    for number in {*range(FRAMES)} - {6}:
        steps = np.full((48, 64), 500 + 100 * number, np.uint16)  # millimetres
        cv2.imwrite(str(tmp_path / "depths" / f"{number:06d}.png"), steps)
    record = tmp_path / "record.json"
    config = {"depth_topic": "depth", "image_reliability": "reliable", "depth_reliability": "reliable"}
    with network.TfListener() as listener:
        launch(STANDIN, kind, json.dumps(config))
        options = ["--timeout", PATIENCE, "--rate", 8, "--record", record, "--depth", tmp_path / "depths"]
        player = launch(*network.player, folder, "--camera", camera, *options)
        assert player.wait() == 0, player.text
        stamps = {stamp: number for number, stamp, _ in json.loads(record.read_text())}
        assert listener.wait(lambda transforms: bool(transforms) and transforms[-1].stamp == max(stamps), PATIENCE)
        transforms = listener.transforms
    # The first image does not wait for its depth.
    distances = {stamps[t.stamp]: t.translation[2] for t in transforms[1:]}
    assert distances == {number: pytest.approx(7.0 if number == 6 else 0.5 + 0.1 * number) for number in distances}
    assert len(distances) > 1


def test_a_source_without_an_image_topic(domain, clip, launch, network, kind):
    """Every frame, in order, however slow the machine."""
    folder, camera = clip
    before = time.time_ns()
    with network.TfListener() as listener:
        config = json.dumps({"frame_id": "eye", "frame_prefix": "seen/"})
        node = launch(STANDIN, kind, config, folder, camera)
        assert node.wait() == 0, node.text
        assert listener.wait(lambda transforms: bool(transforms) and transforms[-1].translation[2] == FRAMES, PATIENCE)
        transforms = listener.transforms
    depths = [t.translation[2] for t in transforms]  # all of them once it had heard of this listener
    assert depths == [float(n) for n in range(FRAMES - len(depths) + 1, FRAMES + 1)]
    assert {(t.frame_id, t.child) for t in transforms} == {("eye", "seen/crate_0")}
    assert all(before < t.stamp <= t.received for t in transforms)


def test_player_says_that_nobody_listens(domain, clip, launch, network):
    folder, camera = clip
    player = launch(*network.player, folder, "--camera", camera, "--timeout", 0.2)
    assert player.wait() == 2
    assert player.text == (
        f"error: {folder}: expected a subscriber of image within 0.2 s, none came (ROS_DOMAIN_ID is {domain} here)\n"
    )


def test_player_says_what_it_cannot_play(domain, clip, capsys, tmp_path, network):
    _, camera = clip
    for arguments, words in (
        ([str(tmp_path / "nothing.mp4"), "--camera", str(camera)], "nothing.mp4"),
        ([str(tmp_path / "clip")], "camera"),
        ([str(tmp_path / "clip"), "--camera", str(camera), "--rate", "0"], "--rate"),
    ):
        assert network.main(arguments) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert words in error
        assert error.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_player(domain, clip, launch, number, log, network):
    folder, camera = clip
    with network.Participant("reader") as participant:
        heard = hear(participant, "image", log, reliable=False)
        player = launch(*network.player, folder, "--camera", camera, "--loop")
        end = time.monotonic() + PATIENCE
        while not heard:
            assert time.monotonic() < end, player.text
            time.sleep(0.01)
        code, prompt = player.end(number)
        assert code == 0
        assert prompt


def test_full_hd_comes_over_the_loopback_whole(domain, clip, launch, log, network):
    """Again and again: on a busy machine Zenoh may drop an image. None may come in part or changed."""
    folder, camera = clip
    images = [np.random.default_rng(n).integers(0, 256, (1080, 1920, 3), dtype=np.uint8) for n in range(3)]
    for path in folder.iterdir():
        path.unlink()
    for number, image in enumerate(images):
        cv2.imwrite(str(folder / f"{number}.bmp"), image)
    camera.write_text(camera.read_text().replace("64", "1920").replace("48", "1080"))
    with network.Participant("reader") as participant:
        arrived = hear(participant, "image", log, depth=10)
        player = launch(*network.player, folder, "--camera", camera, "--rate", 5, "--loop")
        end = time.monotonic() + PATIENCE
        while len({bytes(message.data[:16]) for message in list(arrived)}) < len(images) and time.monotonic() < end:
            time.sleep(0.01)
        assert player.end(signal.SIGTERM)[0] in (0, 128 + signal.SIGTERM), player.text
    whole = {image[..., ::-1].tobytes() for image in images}
    assert {message.data.tobytes() for message in arrived} == whole


CAMERA = Camera(64, 48, np.array([[60.0, 0, 31.5], [0, 60, 23.5], [0, 0, 1]]))


@pytest.mark.parametrize(("given", "name"), [("/optical", "optical"), ("//a/b", "a/b"), ("camera", "camera")])
def test_a_leading_slash_is_taken_off_the_frame_id(given, name):
    assert Playing(frame_id=given).frame_id == name
    for wrong in ("/", "", "my camera"):
        with pytest.raises(InputError, match=f"--frame-id: expected a TF frame name without spaces, got '{wrong}'"):
            Playing(frame_id=wrong)


def test_play_waits_for_the_reader_and_counts(domain, clip, log, network):
    folder, _ = clip
    source = open_source(folder, CAMERA)
    with pytest.raises(InputError, match="expected a subscriber of cam/image within 0 s"):
        play(network.outlet, source, Playing(image_topic="cam/image", timeout=0.0))
    record = []
    with network.Participant("reader") as participant:
        hear(participant, "cam/image", log, reliable=False)
        assert play(network.outlet, source, Playing(rate=500, image_topic="cam/image"), record) == FRAMES
    assert [(frame.index, frame.rate) for frame in record] == [(number, 500) for number in range(FRAMES)]


def test_a_player_goes_as_fast_as_the_node_answers(domain, clip, launch, tmp_path, network, kind):
    """Whatever rate that is here: every frame is played, at rates that it chose, and it says so."""
    folder, camera = clip
    record = tmp_path / "record.json"
    with network.TfListener(detections=DETECTIONS) as listener:
        launch(STANDIN, kind, "{}")
        player = launch(*network.player, folder, "--camera", camera, "--rate", "auto", "--record", record)
        assert player.wait() == 0, player.text
        frames = json.loads(record.read_text())
        assert listener.answers.wait(frames[-1][1], 5)
        transforms, answers = listener.transforms, listener.answers.received
    assert [number for number, _, _ in frames] == list(range(FRAMES))
    assert {rate for _, _, rate in frames} <= set(RATES)
    assert "the node answers an image in " in player.text
    # The first image came TRIES times and once more before the clip began, so that there was something to measure.
    assert len(answers) > TRIES
    assert {t.stamp for t in transforms} <= answers.keys()


def test_a_player_without_answers_plays_slowly(domain, clip, monkeypatch, capsys, log, network):
    folder, _ = clip
    monkeypatch.setattr("pose_regressor.middleware.kit.pacing.FIRST_ANSWER", 0.0)
    monkeypatch.setattr("pose_regressor.middleware.kit.pacing.SEND_AGAIN", 0.01)
    monkeypatch.setattr("pose_regressor.middleware.kit.pacing.RATES", (500.0, 100.0))
    record = []
    with network.Participant("reader") as participant:
        hear(participant, "image", log, reliable=False)
        playing = Playing(answers_topic="nobody/detections")
        assert play(network.outlet, open_source(folder, CAMERA), playing, record) == FRAMES
    assert {frame.rate for frame in record} == {100.0}
    assert capsys.readouterr().out == "no answer within 0 s: playing at 100 images a second\n"


@pytest.mark.parametrize(
    ("image", "depth"), [("image", "depth"), ("/cam/image_raw", "/cam/depth"), ("/image", "/depth")]
)
def test_depth_is_published_beside_the_image(image, depth):
    assert depth_topic_beside(image) == depth


def test_collect_gives_up_in_time(domain, network):
    assert network.collect(timeout=0.1) == []
