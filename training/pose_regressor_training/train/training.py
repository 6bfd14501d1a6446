"""A whole training: from objects and a configuration to a bundle. An interrupted one goes on where it stopped."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy, Strategy
from lightning.pytorch.utilities.exceptions import SIGTERMException

from pose_regressor.assets import find_model
from pose_regressor.memory import keep_memory
from pose_regressor.network.bundle import Bundle
from pose_regressor.network.network import PoseNetwork
from pose_regressor.network.weights import Weights
from pose_regressor.types import InputError
from pose_regressor_training.processes.signals import Stopped, StopRequest, stop_requests
from pose_regressor_training.processes.torchrun import World, synchronised
from pose_regressor_training.randomize.scene import SceneSampler
from pose_regressor_training.samples.batches import SceneBatches, SyntheticBatches
from pose_regressor_training.samples.replay import Replay
from pose_regressor_training.train.callbacks import KeepState, Log, Progress
from pose_regressor_training.train.config import NO_BUNDLE, TrainConfig
from pose_regressor_training.train.objects import KnownObject
from pose_regressor_training.train.start import Taken, start_from
from pose_regressor_training.train.state import State
from pose_regressor_training.train.task import PoseTask

#: The loss terms from which each head learns. A head without any term has parameters without gradients.
HEADS = (
    ("presence", "box"),
    ("mask", "coordinates", "certainty", "pose", "reprojection"),
    ("rotation", "quaternion", "location", "projection", "regularization"),
)


class Training:
    """Trains one network for all objects.

    objects: to be found
    config: of the training
    state: file that holds the training until it is done
    device: of this process
    world: the processes that share the work; by default as torchrun says
    beside: things that stand around in the images and are not to be found

    Raises InputError if the processes cannot share a batch evenly.
    """

    def __init__(
        self,
        objects: Sequence[KnownObject],
        config: TrainConfig,
        state: Path,
        device: torch.device | str = "cpu",
        world: World | None = None,
        beside: Sequence[KnownObject] = (),
    ) -> None:
        self.objects, self.beside, self.config, self.state = tuple(objects), tuple(beside), config, state
        self.device, self.world = torch.device(device), world or World.here()
        if config.batch_size % self.world.size:
            raise InputError(
                f"training: batch_size: expected a multiple of the {self.world.size} processes, got {config.batch_size}"
            )
        torch.manual_seed(config.seed)
        network = PoseNetwork(config.network, len(self.objects))
        network.to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.world.size > 1:
            synchronised(network)
        alone = self.device.type == "cpu" and self.world.size == 1 and not config.compile
        self.task = PoseTask(
            network, [known.model for known in self.objects], config, "random weights",
            second_thread=alone and torch.get_num_threads() > 1,
        )  # fmt: skip

    @property
    def steps_done(self) -> int:
        return self.task.steps_done

    def begin(self, restart: bool = False) -> str:
        """Go on with an interrupted training if there is one, else start as the configuration says. Returns which, in
        words.

        restart: ignore an interrupted training
        """
        if self.state.exists() and not restart:
            self.resume()
            return f"goes on from step {self.steps_done} of {self.config.steps} ({self.state})"
        if self.config.start_from == (NO_BUNDLE,):
            return "starts from random weights"
        paths = [find_model(given) for given in self.config.start_from]
        taken = self.start_from([Bundle.load(path) for path in paths], ", ".join(path.name for path in paths))
        return f"starts from {', '.join(self.config.start_from)}: {taken.in_words()}"

    def start_from(self, bundles: Sequence[Bundle], names: str) -> Taken:
        """Start from other bundles' weights as far as they fit. names: of these bundles, for people to read."""
        taken = start_from(self.task.network, bundles, [known.model.name for known in self.objects])
        self.task.average.network.load_state_dict(self.task.network.state_dict())
        self.task.start = f"{names}, {taken.in_words()}"
        return taken

    def resume(self) -> None:
        """Go on from the state file. Raises InputError if it belongs to another training."""
        self.task.restore(State.load(self.state, self._identity()))

    def run(self, listeners: Sequence[Progress] = (), callbacks: Sequence[pl.Callback] = ()) -> Bundle:
        """Train to the end and return the bundle.

        listeners: called with the means of the loss terms; callbacks: Lightning's

        Ctrl-C or SIGTERM saves the state and then acts as usual. Several processes would stop at different steps, so
        they keep the state that was saved last.
        """
        with stop_requests() if self.world.size == 1 else nullcontext(StopRequest()) as request:
            try:
                if self.steps_done < self.config.steps:
                    self._fit(list(listeners), list(callbacks), request)
            except Stopped:
                pass  # the signal is raised again at the end of the block
            except SIGTERMException:
                if request.wanted is None:
                    raise
            except torch.cuda.OutOfMemoryError as error:
                raise InputError(
                    f"training: a batch of {self.config.batch_size} does not fit into the GPU's memory; try a smaller "
                    "one: --set batch_size=..."
                ) from error
            except (RuntimeError, ConnectionError, EOFError) as error:
                if isinstance(error, RuntimeError) and "DataLoader worker" not in str(error):
                    raise
                raise InputError(
                    "training: a process that makes images died (killed, or out of memory); the same command goes on "
                    "from the last saved state"
                ) from error
        return self.bundle()

    def _fit(self, listeners: list[Progress], callbacks: list[pl.Callback], request: StopRequest) -> None:
        keep_memory()
        config, world = self.config, self.world
        sampler = SceneSampler(
            config.randomize, [known.model for known in self.objects], config.seed,
            beside=[known.model for known in self.beside],
        )  # fmt: skip
        meshes = [known.mesh for known in (*self.objects, *self.beside)]
        part = (world.rank, world.size)
        replay = Replay(config.uses, config.batch_size, config.seed, part, config.randomize.pose.every_way_up)
        start, stop = replay.first_fresh(self.steps_done), config.rendered // config.batch_size
        scenes = SceneBatches(sampler, config.network, config.batch_size, config.seed, start, stop, part)
        loader = SyntheticBatches(scenes, meshes, self.device).loader(config.workers)
        batches = replay.steps(loader, self.steps_done, config.steps)
        keep = KeepState(self.state, self._identity(), request, world)
        with _quiet():
            trainer = pl.Trainer(
                accelerator="gpu" if self.device.type == "cuda" else "cpu",
                strategy=self._strategy(),
                devices=self._devices(),
                num_nodes=world.hosts,
                max_epochs=1,
                gradient_clip_val=config.clip,
                use_distributed_sampler=False,
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                callbacks=[Log(self.task, listeners, world), *callbacks, keep],
            )
            trainer.fit(self.task, batches)

    def _strategy(self) -> Strategy:
        if self.world.size == 1:
            return SingleDeviceStrategy(self.device)
        weights = asdict(self.config.losses)
        return DDPStrategy(
            process_group_backend="nccl" if self.device.type == "cuda" else "gloo",
            broadcast_buffers=False,  # the statistics are the same everywhere
            find_unused_parameters=not all(any(weights[name] for name in head) for head in HEADS),
        )

    def _devices(self) -> list[int] | int:
        if self.world.size > 1:
            return self.world.local_size
        return [self.device.index or 0] if self.device.type == "cuda" else 1

    def _identity(self) -> dict[str, Any]:
        objects = [known.identity() for known in self.objects]
        beside = [[known.file, known.mesh.digest()] for known in self.beside]
        return self.config.to_dict() | {"objects": objects, "beside": beside}

    def bundle(self) -> Bundle:
        """The averaged network as it is now, as a bundle."""
        network = PoseNetwork(self.config.network, len(self.objects))
        network.load_state_dict(self.task.average.network.state_dict())
        training = self.config.to_dict() | {
            "samples_seen": self.steps_done * self.config.batch_size,
            "samples_rendered": self.config.rendered,
            "start": self.task.start,
            "meshes": [known.file for known in self.objects],
            "beside": [known.file for known in self.beside],
            "device": self.device.type,
            "processes": self.world.size,
        }
        models = tuple(known.model for known in self.objects)
        turns = 4 if self.config.randomize.pose.every_way_up else 1
        return Bundle(Weights.of(network.eval()), models, training=training, turns=turns)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences Lightning's advice: it is about its defaults, which are changed here on purpose."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\..*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
