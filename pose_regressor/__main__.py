"""`python -m pose_regressor` is `pose-regressor`, with this interpreter."""

import sys

from pose_regressor.cli import main

sys.exit(main())
