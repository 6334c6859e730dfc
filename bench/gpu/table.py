#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints the JSON lines of bench/gpu/run as one table: the last line of each case counts."""
import json
import sys


def main():
    rows = {}
    with open(sys.argv[1]) as stream:
        for line in stream:
            try:
                found = json.loads(line)
            except json.JSONDecodeError:
                continue
            case = found.pop("case", None) or f"{found.get('env')}, seed {found.get('seed')}"
            rows[found.pop("bench", "trainer"), case] = found
    shown = ("us", "ratio_to_unfused", "enqueue_us", "seconds", "train_seconds", "mean_return",
             "report_return", "solved", "outcome", "failed")
    for (bench, case), numbers in rows.items():
        facts = ", ".join(f"{name} {numbers[name]}" for name in shown if name in numbers)
        print(f"{bench:18} {case:62} {facts}")


if __name__ == "__main__":
    main()
