#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Scores of runs in the zoo's files: a comment at the top, whose settings stay as they are."""
import contextlib
import io
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench" / "learn"))

import zoo
from results import CURVE_FIELDS, RUN_FIELDS, write_csv


class Zoo(unittest.TestCase):
    def test_a_comment_is_written_and_replaced(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            rows = [{"env": "Acrobot-v1", "algo": "dqn", "seed": seed, "score": score, "solved": 1,
                     "learning_rate": "0.001", "total_timesteps": 100_000}
                    for seed, score in ((1, -81.5), (2, -83.5), (3, -78))]
            write_csv(folder / "runs.csv", RUN_FIELDS,
                      [[row.get(field, "") for field in RUN_FIELDS] for row in rows])
            write_csv(folder / "curves.csv", CURVE_FIELDS, [])
            path = folder / "Acrobot-v1" / "dqn.toml"
            path.parent.mkdir()
            settings = "learning-rate = 1e-3\n# not at the top\n"
            path.write_text(settings)
            for when in ("yesterday", "today"):
                with contextlib.redirect_stdout(io.StringIO()):
                    zoo.write(folder, when, folder)
            text = path.read_text()
        self.assertTrue(text.endswith(settings))
        self.assertIn("# Mean return -81.0 [", text)
        self.assertIn("from -83.5 to -78.0, over seeds 1 to 3;\n# 3 of 3 solved: ", text)
        self.assertIn("100000 env steps", text)
        self.assertIn("# today:\n", text)
        self.assertNotIn("yesterday", text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
