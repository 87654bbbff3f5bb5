"""Test vectors: every machine as a JSON file of steps and traces, for whoever writes it again in another language.

The page *Test vectors* of the documentation says what stands in a file and how to run it.
"""

from authflow.testing.vectors.folder import FOLDER, SCHEMA, generated, left_over, load, stale, write, wrong
from authflow.testing.vectors.running import Decide, Difference, replay, through_json

__all__ = [
    "FOLDER",
    "SCHEMA",
    "Decide",
    "Difference",
    "generated",
    "left_over",
    "load",
    "replay",
    "stale",
    "through_json",
    "write",
    "wrong",
]
