"""A Zenoh router for machines without ROS 2, as a process: ``python -m pose_regressor.middleware.zenoh.router``.

It does what rmw_zenoh_cpp's rmw_zenohd does: nodes find each other through it, and then talk to each other directly.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import zenoh

from pose_regressor.middleware.kit.interrupts import interruptible
from pose_regressor.middleware.zenoh.configuration import ROUTER_ONLY, SESSION, Configuration, made_of, reason
from pose_regressor.middleware.zenoh.session import open_session
from pose_regressor.types import InputError

LOG = logging.getLogger("pose_regressor_router")
#: rmw_zenohd listens on all addresses, so that routers of other machines reach it.
EVERYWHERE = "tcp/[::]:7447"


@contextmanager
def router(listen: str = EVERYWHERE, connect: Sequence[str] = ()) -> Iterator[zenoh.Session]:
    """A router until the end of the block.

    listen: its endpoint; connect: endpoints of other routers. InputError: it cannot be opened, as if there is one.
    """
    settings = {**SESSION, **ROUTER_ONLY, "listen/endpoints": [listen], "connect/endpoints": list(connect)}
    try:
        config = made_of(settings)
    except zenoh.ZError as error:
        raise InputError(f"router: cannot listen at {listen} ({reason(error)})") from None
    session = open_session(Configuration(config, None, ()))
    try:
        yield session
    finally:
        session.close()


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m pose_regressor.middleware.zenoh.router", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--listen", default=EVERYWHERE, help="endpoint to listen at (default: %(default)s)")
    parser.add_argument("--connect", action="append", default=[], help="endpoint of another machine's router")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="[%(levelname)s] [%(name)s]: %(message)s")
    with interruptible() as stop:
        try:
            with router(options.listen, options.connect) as session:
                LOG.info(f"router {session.zid()} listens at {options.listen}")
                stop.wait()
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
