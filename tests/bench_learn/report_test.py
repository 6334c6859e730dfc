#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The table and the pictures of runs.csv and curves.csv: numbers by hand, shapes by count."""
import contextlib
import io
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench" / "learn"))

import pictures
import report
import results
import svg
from results import CURVE_FIELDS, RUN_FIELDS, write_csv

CART_POLE, ACROBOT = "CartPole-v1", "Acrobot-v1"


def cells(line):
    return [cell.strip() for cell in line.strip("|\n").split("|")]


class Report(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.runs, self.curves = [], []

    def add(self, env, algo, seed, score, solved, curve, error=""):
        row = {"env": env, "algo": algo, "seed": seed, "score": "" if error else score,
               "solved": "" if error else int(solved), "learning_rate": "0.002",
               "total_timesteps": 4000, "error": error}
        self.runs.append([row.get(field, "") for field in RUN_FIELDS])
        self.curves += [(env, algo, seed, *point) for point in curve]

    def add_four(self):
        """Four seeds of CartPole, of which the third failed."""
        self.add(CART_POLE, "dqn", 1, 500, True, [(1000, 100), (2000, 480)])
        self.add(CART_POLE, "dqn", 2, 400, False, [(1000, 100), (4000, 400)])
        self.add(CART_POLE, "dqn", 3, None, False, [], "exit code 2: diverged")
        self.add(CART_POLE, "dqn", 4, 490, True, [(1000, 0), (2000, 100), (4000, 500)])

    def report(self, compare=None):
        """(Whether all trained, the table.)"""
        write_csv(self.folder / "runs.csv", RUN_FIELDS, self.runs)
        write_csv(self.folder / "curves.csv", CURVE_FIELDS, self.curves)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            trained = report.write(self.folder, compare)
        text = (self.folder / "table.md").read_text()
        self.assertEqual(printed.getvalue(), text)
        return trained, text

    def shapes(self, name, kind):
        """The attributes of a picture's shapes; that it is XML."""
        root = xml.etree.ElementTree.parse(self.folder / name).getroot()
        return [shape.attrib | {"words": shape.text}
                for shape in root.iter("{http://www.w3.org/2000/svg}" + kind)]

    def test_a_row(self):
        self.add_four()
        trained, text = self.report()
        self.assertFalse(trained)
        lines = text.splitlines()
        self.assertEqual(cells(lines[0]),
                         ["environment", "algorithm", "learning rate", "runs", "failed", "solved",
                          "mean score", "IQM score", "steps to threshold", "AUC"])
        row = cells(lines[2])
        self.assertEqual(row[:5], [CART_POLE, "dqn", "0.002", "4", "1"])
        # Wilson's interval of 2 of 4.
        self.assertEqual(row[5], "2 of 4 [15%, 85%]")
        self.assertEqual(row[6], "463.3")
        # None of three scores is cut; 1 of 27 resamples is the lowest alone, more than 2.5 %.
        self.assertEqual(row[7], "463.3 [400.0, 500.0]")
        self.assertEqual(row[8], "3000 (2 of 4)")  # 2000 and 4000
        # Means of the curves: (290 + 2 * 480) / 3, 250, (50 + 2 * 300) / 3; over 500.
        self.assertTrue(row[9].startswith("0.589 ["), row[9])
        self.assertIn("- failed: CartPole-v1 dqn seed 3: exit code 2: diverged\n", text)

    def test_lines_of_a_table_are_as_wide(self):
        self.add_four()
        lines = [line for line in self.report()[1].splitlines() if line.startswith("|")]
        self.assertEqual(len(set(map(len, lines))), 1)

    def test_a_single_run_has_no_interval(self):
        self.add(ACROBOT, "dqn", 1, -90, True, [(1000, -300), (2000, -200)])
        trained, text = self.report()
        self.assertTrue(trained)
        row = cells(text.splitlines()[2])
        self.assertEqual(row[6:], ["-90.0", "-90.0", "- (0 of 1)", "0.567"])
        self.assertNotIn("Over all environments", text)

    def test_nothing_to_show(self):
        self.add(CART_POLE, "dqn", 1, None, False, [], "exit code 2: diverged")
        self.add(CART_POLE, "double", 1, 300, False, [])
        text = self.report()[1].splitlines()
        self.assertEqual(cells(text[2])[6:], ["-", "-", "- (0 of 1)", "-"])
        self.assertEqual(cells(text[3])[6:], ["300.0", "300.0", "- (0 of 1)", "-"])
        self.assertEqual(self.shapes("curves-CartPole-v1.svg", "polyline"), [])
        self.assertEqual(len(self.shapes("scores.svg", "circle")), 2)  # a seed and a mean

    def test_a_paired_difference_is_a_part_of_the_range(self):
        for seed, (first, second) in enumerate([(500, 400), (450, 350), (300, 200)], 1):
            self.add(CART_POLE, "rainbow", seed, first, False, [])
            self.add(CART_POLE, "dqn", seed, second, False, [])
        self.add(CART_POLE, "dqn", 4, 0, False, [])  # of no pair
        for seed in (1, 2):
            self.add(ACROBOT, "rainbow", seed, -100, True, [])
            self.add(ACROBOT, "dqn", seed, -50, True, [])
        lines = self.report(["rainbow", "dqn"])[1].splitlines()
        begin = next(index for index, line in enumerate(lines) if "rainbow - dqn" in line)
        self.assertEqual(cells(lines[begin + 2]), [CART_POLE, "3", "+0.200 [+0.200, +0.200]"])
        self.assertEqual(cells(lines[begin + 3]), [ACROBOT, "2", "-0.100 [-0.100, -0.100]"])
        self.assertEqual(cells(lines[begin + 4]), ["all", "5", "+0.080 [+0.080, +0.080]"])

    def test_a_pair_that_is_not_there(self):
        self.add_four()
        _, text = self.report(["dqn", "ppo"])
        self.assertEqual(cells(text.split("| dqn - ppo")[1].splitlines()[2]), [CART_POLE, "0", "-"])

    def test_over_environments_are_those_that_have_run_on_all(self):
        for algo in ("dqn", "rainbow"):
            for seed in (1, 2):
                self.add(CART_POLE, algo, seed, 250, False, [(1000, 250)])
        self.add(ACROBOT, "dqn", 1, -125, False, [(1000, -375)])
        self.add(ACROBOT, "dqn", 2, -125, False, [(1000, -375)])
        lines = self.report()[1].split("Over all environments")[1].splitlines()[2:]
        self.assertEqual(cells(lines[2]), ["dqn", "2", "4", "0.625 [0.625, 0.625]",
                                           "0.375 [0.375, 0.375]"])
        self.assertEqual(len([line for line in lines if line.startswith("|")]), 3)

    def test_curves_show_all_points_of_all_seeds(self):
        self.add_four()
        self.add(CART_POLE, "double", 1, 500, True, [(1000, 490)])
        self.report()
        lines = self.shapes("curves-CartPole-v1.svg", "polyline")
        thin = [line["points"].split() for line in lines if line["stroke-width"] == "1"]
        self.assertEqual(sorted(map(len, thin)), [1, 2, 2, 3])
        bold = [line["points"].split() for line in lines if line["stroke-width"] == "3"]
        self.assertEqual(sorted(map(len, bold)), [1, 3])  # at 1000, 2000 and 4000 env steps
        bands = self.shapes("curves-CartPole-v1.svg", "polygon")
        self.assertEqual(sorted(len(band["points"].split()) for band in bands), [2, 6])
        self.assertEqual(len(self.shapes("curves-CartPole-v1.svg", "circle")), 4)
        dashed = [line for line in self.shapes("curves-CartPole-v1.svg", "line")
                  if "stroke-dasharray" in line]
        self.assertEqual(len(dashed), 2)
        words = [text["words"] for text in self.shapes("curves-CartPole-v1.svg", "text")]
        for expected in (CART_POLE, "dqn", "2 of 4 solved, 1 failed", "double", "1 of 1 solved"):
            self.assertIn(expected, words)

    def test_the_bold_line_is_the_interquartile_mean(self):
        # A seed that has ended keeps its last evaluation; between evaluations it is linear.
        curves = [[(1000, 100.), (2000, 480.)], [(1000, 100.), (4000, 400.)],
                  [(1000, 0.), (2000, 100.), (4000, 500.)]]
        found = [(step, middle) for step, middle, _, _ in pictures.band(curves)]
        self.assertEqual(found, [(1000, 200 / 3), (2000, 780 / 3), (4000, 1380 / 3)])

    def test_a_band_of_long_curves_is_thinned(self):
        curve = [(step, 0.) for step in range(1000, 501_000, 1000)]
        steps = pictures.marks([curve, curve[1:]])
        self.assertLessEqual(len(steps), pictures.MOST_BAND_POINTS + 1)
        self.assertEqual((steps[0], steps[-1]), (2000, 500_000))

    def test_scores_show_every_seed_and_the_mean(self):
        self.add_four()
        self.add(ACROBOT, "dqn", 1, -90, True, [])
        self.report()
        dots = self.shapes("scores.svg", "circle")
        self.assertEqual(len([dot for dot in dots if dot["r"] == "3.5"]), 4)
        means = [dot for dot in dots if dot["r"] == "4.5"]
        self.assertEqual(len(means), 2)
        width, height = 1000, float(self.shapes("scores.svg", "rect")[0]["height"])
        for dot in dots:
            self.assertTrue(0 < float(dot["cx"]) < width and 0 < float(dot["cy"]) < height)

    def test_dots_that_meet_lie_apart(self):
        self.assertEqual(pictures.spread([10, 50, 12], 6, 12), [-3, 0, 3])
        offsets = pictures.spread([10] * 20, 6, 12)
        self.assertEqual(len(set(offsets)), 20)
        self.assertAlmostEqual(max(map(abs, offsets)), 12)

    def test_ticks_are_round(self):
        for (low, high, most), expected in (((0, 500, 5), [0, 100, 200, 300, 400, 500]),
                                            ((-200, 0, 5), [-200, -150, -100, -50, 0]),
                                            ((0, 48000, 5), [0, 10000, 20000, 30000, 40000]),
                                            ((0, 1, 5), [0, .2, .4, .6, .8, 1])):
            found = svg.Scale(low, high, 0, 100).ticks(most)
            self.assertEqual([round(tick, 9) for tick in found], expected)

    def test_report_alone_writes_what_run_wrote(self):
        self.add_four()
        _, text = self.report(["dqn", "dqn"])
        picture = (self.folder / "scores.svg").read_text()
        done = subprocess.run([ROOT / "bench" / "learn" / "report.py", self.folder, "dqn,dqn"],
                              capture_output=True, text=True, check=True, timeout=60)
        self.assertEqual((done.stdout, done.stderr), (text, ""))
        self.assertEqual((self.folder / "scores.svg").read_text(), picture)

    def test_agents_keep_the_order_of_the_file(self):
        self.add(CART_POLE, "rainbow", 1, 1, False, [])
        self.add(CART_POLE, "dqn", 1, 1, False, [])
        self.report()
        self.assertEqual([agent.algo for agent in results.read(self.folder)], ["rainbow", "dqn"])


if __name__ == "__main__":
    unittest.main()
