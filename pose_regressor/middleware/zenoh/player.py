"""The player over Zenoh: ``python -m pose_regressor.middleware.zenoh.player clip.mp4 --camera camera.json``."""

import sys

from pose_regressor.middleware.standalone import player
from pose_regressor.middleware.zenoh.participant import Participant

if __name__ == "__main__":
    sys.exit(player.main(Participant, "pose_regressor.middleware.zenoh.player", sys.argv[1:]))
