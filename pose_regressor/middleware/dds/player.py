"""The player over DDS: ``python -m pose_regressor.middleware.dds.player clip.mp4 --camera camera.json``."""

import sys

from pose_regressor.middleware.dds.participant import Participant
from pose_regressor.middleware.standalone import player

if __name__ == "__main__":
    sys.exit(player.main(Participant, "pose_regressor.middleware.dds.player", sys.argv[1:]))
