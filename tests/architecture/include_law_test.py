#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Shows that the include law refuses what it should: the law itself is code that can be wrong."""
import unittest

import include_law as law


class IncludeLaw(unittest.TestCase):
    def test_arrows_point_down(self):
        self.assertIsNone(law.may_include("train/train.hpp", "dqn/dqn.hpp"))
        self.assertIsNone(law.may_include("optim/adam.hpp", "math/schedule.hpp"))
        self.assertEqual(law.may_include("core/arena.hpp", "math/td.hpp"), "an arrow up")
        self.assertEqual(law.may_include("replay/ring.hpp", "dqn/rule.hpp"), "an arrow up")

    def test_siblings_stay_apart(self):
        self.assertIn("siblings", law.may_include("replay/ring.hpp", "optim/adam.hpp"))
        self.assertIn("siblings", law.may_include("math/td.hpp", "io/csv.hpp"))

    def test_only_concepts_go_up(self):
        self.assertIsNone(law.may_include("dqn/dqn.hpp", "nn/concept.hpp"))
        self.assertIsNone(law.may_include("nn/linear.hpp", "backend/dense.hpp"))
        self.assertIsNone(law.may_include("train/train.hpp", "env/vectorized.hpp"))
        self.assertIn("concrete", law.may_include("dqn/dqn.hpp", "nn/linear.hpp"))
        self.assertIn("concrete", law.may_include("nn/linear.hpp", "backend/eigen_cpu.hpp"))
        self.assertIn("concrete", law.may_include("train/train.hpp", "optim/adam.hpp"))

    def test_doors(self):
        self.assertIsNone(law.foreign("backend/eigen_tile.hpp", "Eigen/Core"))
        self.assertIn("door", law.foreign("nn/linear.hpp", "Eigen/Core"))
        self.assertIn("door", law.foreign("backend/reference.hpp", "thrust/for_each.h"))
        self.assertIn("without a door", law.foreign("train/train.hpp", "fmt/core.h"))
        self.assertIn("iostream", law.foreign("train/train.hpp", "iostream"))
        self.assertIsNone(law.foreign("train/train.hpp", "vector"))


if __name__ == "__main__":
    unittest.main()
