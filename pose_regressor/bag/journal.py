"""The estimator's answers, kept in a file beside the bag that is being written, so that a killed run can be continued.

The file consists of blocks, each behind its length and its CRC-32. The first block says in JSON what the answers depend
on. Each further block is the answer to one call of the estimator. A block that a kill left incomplete is cut off.
"""

from __future__ import annotations

import fcntl
import json
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np

from pose_regressor.estimation.estimates import Estimates
from pose_regressor.types import Frame, InputError, ObjectModel, PoseEstimate

HEAD = struct.Struct("<II")
#: A method is written as its place in this list.
METHODS: tuple[Literal["pnp", "regression"] | None, ...] = ("pnp", "regression", None)
ESTIMATE = np.dtype(
    [
        ("model", "<u4"),
        ("method", "u1"),
        ("instance", "<i8"),
        ("score", "<f8"),
        ("cam_from_obj", "<f8", (4, 4)),
        ("covariance", "<f8", (6, 6)),
        ("box", "<f8", (4,)),
        ("depth_share", "<f8"),
    ]
)


class Journal:
    """A file of blocks. As a context manager it closes at the end.

    earlier: the blocks of an earlier run with the same key.
    """

    def __init__(self, path: Path, key: Mapping[str, Any]) -> None:
        """key: what the answers depend on, as plain JSON; another key than the file's empties the file.

        InputError: another process has the file.
        """
        self.path = path
        first = json.dumps(key, sort_keys=True).encode()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise InputError(f"{path}: another process is writing this bag") from None
        self._file.seek(0)
        blocks = list(_blocks(self._file.read()))
        same = bool(blocks) and blocks[0] == first
        self.earlier: list[bytes] = blocks[1:] if same else []
        self._file.truncate(sum(HEAD.size + len(block) for block in blocks) if same else 0)
        self._file.seek(0, 2)
        if not same:
            self.add(first)

    def add(self, block: bytes) -> None:
        """Appends a block."""
        self._file.write(HEAD.pack(len(block), zlib.crc32(block)) + block)
        self._file.flush()  # so that a kill costs no more than the answer in work

    def discard(self) -> None:
        """Deletes the file, once its work is done."""
        self.path.unlink()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        self._file.close()


def _blocks(data: bytes) -> Iterator[bytes]:
    """The complete blocks at the beginning of `data`."""
    position = 0
    while position + HEAD.size <= len(data):
        length, crc = HEAD.unpack_from(data, position)
        block = data[position + HEAD.size : position + HEAD.size + length]
        if len(block) != length or zlib.crc32(block) != crc:
            return
        yield block
        position += HEAD.size + length


class RememberingEstimator:
    """An estimator that writes its answers to a journal, and first repeats the answers that the journal has already.

    So a tracker on top of it comes to the same results and the same state as in the earlier run.
    """

    def __init__(self, estimator: Any, journal: Journal) -> None:
        self._estimator, self._journal = estimator, journal
        self.remembered = len(journal.earlier)
        self._earlier = iter(journal.earlier)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._estimator, name)

    def search(self, frame: Frame, *arguments: Any, **options: Any) -> Estimates:
        return self._remember(lambda: self._estimator.search(frame, *arguments, **options))

    def follow(self, frame: Frame, last: Sequence[PoseEstimate]) -> Estimates:
        return self._remember(lambda: self._estimator.follow(frame, last))

    def _remember(self, look: Callable[[], Estimates]) -> Estimates:
        models: Sequence[ObjectModel] = self._estimator.objects
        if (block := next(self._earlier, None)) is not None:
            return Estimates(tuple(unpack(block, models)))
        estimates = look()
        self._journal.add(pack(estimates.poses, models))
        return estimates


def pack(estimates: Sequence[PoseEstimate], models: Sequence[ObjectModel]) -> bytes:
    """A block. models: all objects of the estimator, which the block names by their numbers."""
    rows = np.zeros(len(estimates), ESTIMATE)
    numbers = {model.name: number for number, model in enumerate(models)}
    for row, e in zip(rows, estimates, strict=True):
        values = (numbers[e.model.name], METHODS.index(e.method), e.instance, e.score)
        row["model"], row["method"], row["instance"], row["score"] = values
        row["cam_from_obj"], row["covariance"] = e.cam_from_obj, e.covariance
        row["box"] = np.nan if e.box is None else e.box
        row["depth_share"] = np.nan if e.depth_share is None else e.depth_share
    return rows.tobytes()


def unpack(block: bytes, models: Sequence[ObjectModel]) -> list[PoseEstimate]:
    """The estimates in a block of `pack`."""
    return [
        PoseEstimate(
            model=models[row["model"]],
            cam_from_obj=row["cam_from_obj"].copy(),
            covariance=row["covariance"].copy(),
            score=float(row["score"]),
            method=METHODS[row["method"]],
            box=None if np.isnan(row["box"]).any() else row["box"].copy(),
            instance=int(row["instance"]),
            depth_share=None if np.isnan(row["depth_share"]) else float(row["depth_share"]),
        )
        for row in np.frombuffer(block, ESTIMATE)
    ]
