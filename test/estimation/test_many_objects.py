"""Several bundles in one search: the same poses as of each by itself, and no work that another has done."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch

from pose_regressor import Camera, Frame, InputError, PoseEstimator
from pose_regressor.assets import demo_folder, find_model
from pose_regressor.estimation.networks import Parallel, open_networks
from pose_regressor.files.cameras import load_camera
from pose_regressor.network import runners
from pose_regressor.network.bundle import Bundle
from pose_regressor.network.shared import LAST_LAYERS, joined
from pose_regressor.sources import open_source

CAMERA = Camera(320, 240, np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]]))
PATIENCE = 60.0


def noise_frame() -> Frame:
    return Frame(np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8), CAMERA)


def with_last_layers(bundle: Bundle, seed: int) -> Bundle:
    """The bundle with a trunk that is always the same. Its last layers are its own and see something everywhere."""
    generator, common = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(0)
    network = bundle.network
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.ndim > 1 and not name.startswith(LAST_LAYERS):
                value.copy_(torch.randn(value.shape, generator=common) * (2 / value[0].numel()) ** 0.5)
            elif name.endswith("bias"):
                value.zero_()
        for layer in (network.box_head.out, network.dense_head.out, network.regression_head.out):
            for parameter in (layer.weight, layer.bias):
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
        network.box_head.out.bias[: len(bundle.objects)] += 2.0
    return bundle


@pytest.fixture
def calls(monkeypatch) -> list[tuple[int, ...]]:
    """The shapes of all images that engines were given, in turn. The engines are real ones."""
    shapes: list[tuple[int, ...]] = []

    def open_counted(*arguments):
        run = runners.open_openvino(*arguments)

        def counted(images):
            shapes.append(images.shape)
            return run(images)

        return counted

    monkeypatch.setitem(runners.ENGINES, "openvino", open_counted)
    return shapes


def whole_frames(calls: list[tuple[int, ...]]) -> int:
    """How many of the calls were for the whole frame: crops have 128 pixels along both edges."""
    return sum(shape[2:] != (128, 128) for shape in calls)


def test_a_search_for_several_finds_what_each_alone_finds():
    """Three shipped networks, each object in the frame or not: the same poses, scores and covariances bit by bit."""
    with open_source(str(demo_folder() / "box.mp4"), load_camera(demo_folder() / "camera.json")) as clip:
        frame = next(iter(clip))
    names = ("box", "cube", "lmo_can")

    def poses(models: tuple[str, ...]) -> dict[str, list]:
        estimator = PoseEstimator([find_model(name) for name in models], "cpu", score_threshold=0.02)
        found = estimator.estimate(frame)
        return {model.name: [e for e in found if e.model.name == model.name] for model in estimator.objects}

    together = poses(names)
    assert sum(map(len, together.values())) > 1
    for name in names:
        for own, alone in poses((name,)).items():
            assert len(together[own]) == len(alone)
            for a, b in zip(together[own], alone, strict=True):
                assert (a.score, a.method) == (b.score, b.method)
                np.testing.assert_array_equal(a.cam_from_obj, b.cam_from_obj)
                np.testing.assert_array_equal(a.covariance, b.covariance)


def test_bundles_with_one_trunk_search_the_frame_once(make_bundle, calls):
    """And all of its crops at once. At each place they see the same as two estimators, up to the order of sums."""
    pair = [with_last_layers(make_bundle("one"), 1), with_last_layers(make_bundle("two", "three"), 2)]
    boxes = {name: np.array([20.0, 30, 120, 140]) + 40 * place for place, name in enumerate(("one", "two", "three"))}

    def opened(*bundles: Bundle) -> PoseEstimator:
        return PoseEstimator(bundles, "cpu", score_threshold=0.0, backend="openvino", precision="fp32")

    together = opened(*pair)
    together.search(noise_frame(), thorough=False)
    assert whole_frames(calls) == 1
    calls.clear()
    seen = together.look(noise_frame(), list(boxes.items()))
    assert calls == [(12, 3, 128, 128)]  # four quarter turns of each
    apart = [
        pose
        for bundle in pair
        for pose in opened(bundle).look(noise_frame(), [(model.name, boxes[model.name]) for model in bundle.objects])
    ]
    for a, b in zip(seen, apart, strict=True):
        assert a.model.name == b.model.name and a.score == pytest.approx(b.score, abs=1e-4)
        np.testing.assert_allclose(a.cam_from_obj, b.cam_from_obj, atol=1e-3)


def test_another_trunk_is_another_network(make_bundle, calls):
    one, other = with_last_layers(make_bundle("one"), 1), with_last_layers(make_bundle("two"), 2)
    with torch.no_grad():
        other.network.up8.lateral.bias[0] += 1e-3
    estimator = PoseEstimator([one, other], "cpu", score_threshold=0.0, backend="openvino", precision="fp32")
    estimator.search(noise_frame(), thorough=False)
    assert whole_frames(calls) == 2
    other = with_last_layers(make_bundle("two"), 2)
    other.turns = 1  # its crops are turned in another way
    assert len(open_networks([one, other], [runners.choose_execution("openvino", "cpu")] * 2)) == 2


def test_a_joined_network_answers_as_its_parts(make_bundle):
    """Outputs of the joined network, object by object, against torch's of each part."""
    parts = [with_last_layers(make_bundle("one", "two"), 1), with_last_layers(make_bundle("three"), 2)]
    crops = np.random.default_rng(1).integers(0, 255, (2, 3, 128, 128), np.uint8)
    runner = runners.open_runner(
        joined([part.weights for part in parts]), runners.choose_execution("openvino", "cpu", "fp32")
    )
    answers = runner(crops)
    with torch.inference_mode():
        expected = [part.network(torch.from_numpy(crops)) for part in parts]
    for head, answer in enumerate(answers):
        for name, value in vars(answer).items():
            truth = torch.cat([getattr(own[head], name) for own in expected], 1).numpy()
            np.testing.assert_allclose(value, truth, atol=1e-4, rtol=1e-4)


def test_networks_run_at_the_same_time():
    """Two calls that wait for each other both end. One at a time, each runs when its result is asked for."""
    both = threading.Barrier(2)
    results = Parallel(2).results([lambda: both.wait(PATIENCE), lambda: both.wait(PATIENCE)])
    assert sorted(results) == [0, 1]
    ran: list[int] = []
    results = Parallel(1).results([lambda: ran.append(threading.get_ident())] * 2)
    assert ran == []
    next(results)
    assert ran == [threading.get_ident()]


FORK = """
import os, signal
from pose_regressor.estimation.networks import Parallel
parallel = Parallel(2)
list(parallel.results([int, int]))
child = os.fork()
if child == 0:
    signal.alarm(60)  # ends a child that waits for threads which it does not have
    os._exit(7 + sum(parallel.results([int, int])))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_starts_threads_of_its_own():
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], check=True, capture_output=True, text=True)
    assert ran.stdout == "7\n"


def test_an_unknown_object_is_named(make_bundle):
    estimator = PoseEstimator(make_bundle("cup"), "cpu")
    with pytest.raises(InputError, match="object 'mug': is in none of the bundles, expected one of cup"):
        estimator.search(noise_frame(), ["mug"])


def test_what_is_found_is_not_searched_for_again(calls):
    """The box in the demo's frame is found in the coarse image. The can, which is not there, is searched for finer."""
    with open_source(str(demo_folder() / "box.mp4"), load_camera(demo_folder() / "camera.json")) as clip:
        frame = next(iter(clip))
    for model, sizes in (("box", [320]), ("lmo_can", [320, 640])):
        calls.clear()
        PoseEstimator(find_model(model), "cpu", backend="openvino").estimate(frame)
        assert [shape[3] for shape in calls if shape[2:] != (128, 128)] == sizes
