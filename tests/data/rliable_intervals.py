"""Interquartile means, bootstrap intervals and fractions of other people's libraries.

Writes rliable_intervals.json: per case its `strata` (scores of each task; all tasks have the same
number of runs), and of rliable the interquartile mean (`iqm`) and mean with the 95 % percentile
intervals of its stratified bootstrap (`iqm_interval`, `mean_interval`); `pairs`, per case the
scores of two agents by seed, the mean difference and the interval that SciPy's paired percentile
bootstrap gives it; `fractions`, per case successes, trials and SciPy's Wilson interval; `areas`, per
case a curve and the mean that NumPy's trapezoids give it. 50 000 resamples where one resamples.
Made with Python 3.11, rliable 1.2.0 over arch 7.2.0 and pandas 2.3.3, SciPy 1.17.1, NumPy 2.4.6; regenerate with
`python rliable_intervals.py` from any directory.
"""

import json
from pathlib import Path

import numpy as np
import scipy.stats
from rliable import library, metrics

OUTPUT = Path(__file__).resolve().with_suffix(".json")
RESAMPLES = 50_000


def interval_of_rliable(scores, measure):
    """`scores` is runs x tasks, as rliable has it."""
    _, intervals = library.get_interval_estimates({"agent": scores}, lambda x: np.array([measure(x)]),
                                                  reps=RESAMPLES, random_state=np.random.RandomState(3))
    return [float(bound) for bound in intervals["agent"][:, 0]]


def case_of(scores):
    iqm, mean = metrics.aggregate_iqm, metrics.aggregate_mean
    return {"strata": scores.T.tolist(), "iqm": float(iqm(scores)), "iqm_interval": interval_of_rliable(scores, iqm),
            "mean": float(mean(scores)), "mean_interval": interval_of_rliable(scores, mean)}


def pair_of(first, second):
    found = scipy.stats.bootstrap((first - second,), np.mean, n_resamples=RESAMPLES, method="percentile",
                                  random_state=np.random.default_rng(4)).confidence_interval
    return {"first": first.tolist(), "second": second.tolist(), "mean": float(np.mean(first - second)),
            "interval": [float(found.low), float(found.high)]}


def fraction_of(successes, trials):
    found = scipy.stats.binomtest(successes, trials).proportion_ci(method="wilson")
    return {"successes": successes, "trials": trials, "interval": [float(found.low), float(found.high)]}


def area_of(env_steps, scores):
    area = np.trapezoid(scores, env_steps) / (env_steps[-1] - env_steps[0])
    return {"curve": [[int(x), float(y)] for x, y in zip(env_steps, scores)], "area": float(area)}


def main():
    generator = np.random.Generator(np.random.PCG64(11))
    skewed = np.minimum(1, generator.gamma(8, .12, (7, 3)))
    cases = {
        "10 runs of one task": case_of(generator.normal(300, 90, (10, 1))),
        "20 runs of three tasks": case_of(generator.normal((.2, .5, .9), (.1, .2, .03), (20, 3))),
        "7 skewed runs of three tasks": case_of(skewed),
        "5 runs of one task": case_of(generator.normal(-120, 15, (5, 1))),
        "runs all alike": case_of(np.full((10, 1), 500.)),
    }
    agents = generator.normal((-95, -110), 12, (10, 2)) + generator.normal(0, 20, (10, 1))
    found = {
        "cases": cases,
        "pairs": {"10 seeds": pair_of(agents[:, 0], agents[:, 1]), "4 seeds": pair_of(agents[:4, 1], agents[:4, 0])},
        "fractions": [fraction_of(*counts) for counts in ((0, 10), (1, 10), (7, 10), (10, 10), (19, 20), (1, 1))],
        "areas": [area_of(np.arange(1000, 21000, 1000), generator.normal(300, 100, 20)),
                  area_of(np.array([1, 10, 500, 501]), np.array([0., -1, 2, 4]))],
    }
    OUTPUT.write_text(json.dumps(found, indent=1) + "\n")
    for name, case in cases.items():
        print(name, {key: value for key, value in case.items() if key != "strata"})


if __name__ == "__main__":
    main()
