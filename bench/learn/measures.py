# SPDX-License-Identifier: MIT
"""Measures over seeds: means, solved fractions and curves, with intervals that hold 95 %.

Scores of several environments come as strata, a list of scores for each environment. The
interquartile mean and the stratified bootstrap are those of Agarwal et al., "Deep Reinforcement
Learning at the Edge of the Statistical Precipice" (2021), and of their library rliable.
"""
import bisect
import math
import random

CONFIDENCE = .95
NORMAL_QUANTILE = 1.959963984540054  # of (1 + CONFIDENCE) / 2


def mean(values):
    return math.fsum(values) / len(values)


def interquartile_mean(values):
    """The mean without the lowest and the highest quarter, each rounded down to whole values."""
    cut = len(values) // 4
    return mean(sorted(values)[cut:len(values) - cut])


def median(values):
    return quantile(sorted(values), .5)


def quantile(ordered, part):
    """Between two of the ordered values linearly."""
    place = part * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def pooled(strata):
    return [value for stratum in strata for value in stratum]


def bootstrap_interval(strata, measure, seed, resamples=2000):
    """The percentile interval of `measure` over all values: each resample draws as many values as
    a stratum has, with replacement, from every stratum. The same seed and sizes draw the same."""
    draw = random.Random(seed).random  # whose sequence Python promises to keep
    found = []
    for _ in range(resamples):
        found.append(measure([stratum[int(draw() * len(stratum))]
                              for stratum in strata for _ in stratum]))
    found.sort()
    return quantile(found, (1 - CONFIDENCE) / 2), quantile(found, (1 + CONFIDENCE) / 2)


def wilson_interval(successes, trials):
    """Wilson's score interval of a fraction, which stays within [0, 1]."""
    fraction, squares = successes / trials, NORMAL_QUANTILE**2 / trials
    middle = fraction + squares / 2
    half = math.sqrt(squares * (fraction * (1 - fraction) + squares / 4))
    low, high = ((middle + side * half) / (1 + squares) for side in (-1, 1))
    return (0. if successes == 0 else low), (1. if successes == trials else high)


def paired_differences(scores, others):
    """scores - others of each seed that both dictionaries have."""
    return [scores[seed] - others[seed] for seed in sorted(scores.keys() & others.keys())]


def value_at(curve, env_steps):
    """The curve, linear between its evaluations, and the last one kept behind its end."""
    right = bisect.bisect_left(curve, (env_steps, -math.inf))
    if right == len(curve):
        return curve[-1][1]
    if right == 0 or curve[right][0] == env_steps:
        return curve[right][1]
    (x, y), (next_x, next_y) = curve[right - 1:right + 1]
    return y + (next_y - y) * (env_steps - x) / (next_x - x)


def area_under_curve(curve, env_steps):
    """The curve's mean from its first evaluation to env_steps; a run that ended before keeps its
    last evaluation."""
    begin = curve[0][0]
    if env_steps <= begin:
        return curve[0][1]
    points = [point for point in curve if point[0] < env_steps]
    points.append((env_steps, value_at(curve, env_steps)))
    areas = ((x - last_x) * (y + last_y) / 2
             for (last_x, last_y), (x, y) in zip(points, points[1:]))
    return math.fsum(areas) / (env_steps - begin)


def steps_to_threshold(curve, threshold):
    """Env steps of the first evaluation at or above the threshold; None where none is."""
    return next((env_steps for env_steps, score in curve if score >= threshold), None)
