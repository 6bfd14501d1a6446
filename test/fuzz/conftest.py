import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # fuzz_targets and the like, which fuzz.py finds beside itself
