#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures over seeds against rliable, SciPy and NumPy, whose values lie in tests/data."""
import json
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench" / "learn"))

import measures

GOLDEN = json.loads((ROOT / "tests" / "data" / "rliable_intervals.json").read_text())
RESAMPLES = 20_000
# A 2.5 % quantile of B resamples has the standard error sqrt(.025 * .975 / B) / density, where a
# normal density there is .0584 / sd and the interval 3.92 sd wide: .0048 widths for B = 20 000,
# .0030 for the golden 50 000, .0057 for their difference. Five of them.
TOLERANCE = .029


class Measures(unittest.TestCase):
    def is_interval(self, found, golden):
        tolerance = TOLERANCE * (golden[1] - golden[0])
        for bound, expected in zip(found, golden):
            self.assertAlmostEqual(bound, expected, delta=tolerance)

    def test_means_are_rliables(self):
        for name, case in GOLDEN["cases"].items():
            with self.subTest(name):
                values = measures.pooled(case["strata"])
                for measure, key in ((measures.interquartile_mean, "iqm"), (measures.mean, "mean")):
                    self.assertAlmostEqual(measure(values), case[key], delta=1e-13 * abs(case[key]))

    def test_stratified_bootstrap_is_rliables(self):
        for name, case in GOLDEN["cases"].items():
            with self.subTest(name):
                for measure, key in ((measures.interquartile_mean, "iqm_interval"),
                                     (measures.mean, "mean_interval")):
                    found = measures.bootstrap_interval(case["strata"], measure, seed=1,
                                                        resamples=RESAMPLES)
                    self.is_interval(found, case[key])

    def test_strata_may_differ_in_size(self):
        # Resamples that kept to no stratum would have other means of these five values than 1.
        low, high = measures.bootstrap_interval([[0, 0, 0, 0], [5]], measures.mean, seed=1)
        self.assertEqual((low, high), (1, 1))

    def test_bootstrap_is_of_its_seed(self):
        strata = GOLDEN["cases"]["10 runs of one task"]["strata"]
        first, again, other = (measures.bootstrap_interval(strata, measures.mean, seed=seed)
                               for seed in (1, 1, 2))
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)

    def test_paired_differences_are_scipys(self):
        for name, pair in GOLDEN["pairs"].items():
            with self.subTest(name):
                first, second = (dict(enumerate(pair[key])) for key in ("first", "second"))
                differences = measures.paired_differences(first, second)
                self.assertAlmostEqual(measures.mean(differences), pair["mean"], places=12)
                found = measures.bootstrap_interval([differences], measures.mean, seed=1,
                                                    resamples=RESAMPLES)
                self.is_interval(found, pair["interval"])

    def test_pairs_are_of_seeds_that_both_have(self):
        found = measures.paired_differences({1: 5, 2: 7, 4: 1}, {4: 3, 2: 3, 3: 9})
        self.assertEqual(found, [4, -2])

    def test_wilson_is_scipys(self):
        for case in GOLDEN["fractions"]:
            found = measures.wilson_interval(case["successes"], case["trials"])
            for bound, expected in zip(found, case["interval"]):
                self.assertAlmostEqual(bound, expected, places=12)

    def test_area_is_numpys(self):
        for case in GOLDEN["areas"]:
            curve = [tuple(point) for point in case["curve"]]
            self.assertAlmostEqual(measures.area_under_curve(curve, curve[-1][0]), case["area"],
                                   delta=1e-13 * case["area"])

    def test_area_keeps_the_last_evaluation(self):
        self.assertEqual(measures.area_under_curve([(1000, 0.), (2000, 8.)], 5000), (4 + 24) / 4)
        self.assertEqual(measures.area_under_curve([(1000, 3.)], 5000), 3)

    def test_area_ends_within_the_curve(self):
        curve = [(1000, 0.), (2000, 8.), (3000, 100.)]
        self.assertEqual(measures.area_under_curve(curve, 1500), 2)
        self.assertEqual(measures.area_under_curve(curve, 2000), 4)
        self.assertEqual(measures.area_under_curve(curve, 1000), 0)
        self.assertEqual(measures.area_under_curve(curve, 10), 0)

    def test_values_of_a_curve(self):
        curve = [(10, 0.), (20, 5.), (40, 1.)]
        found = [measures.value_at(curve, env_steps) for env_steps in (0, 10, 15, 20, 30, 40, 99)]
        self.assertEqual(found, [0, 0, 2.5, 5, 3, 1, 1])

    def test_steps_to_threshold(self):
        curve = [(10, -120.), (20, -100.), (30, -130.), (40, -90.)]
        self.assertEqual(measures.steps_to_threshold(curve, -100), 20)
        self.assertIsNone(measures.steps_to_threshold(curve, -80))
        self.assertIsNone(measures.steps_to_threshold([], 0))

    def test_median(self):
        self.assertEqual(measures.median([3, 1, 2]), 2)
        self.assertEqual(measures.median([4, 1]), 2.5)


if __name__ == "__main__":
    unittest.main()
