# SPDX-License-Identifier: MIT
"""Markdown tables of what agents learned, readable as plain text too."""
import measures
from results import by_env

SEED = 1  # of every bootstrap, so that the same runs give the same table
HEAD = ("environment", "algorithm", "learning rate", "runs", "failed", "solved", "mean score",
        "IQM score", "steps to threshold", "AUC")
WORDS = """\
A score is the mean return of the best agent kept, on episodes that chose nothing. IQM: mean of
the middle half of the runs. Steps to threshold: env steps of the first evaluation at or above it,
median over the runs that got there, with their number. AUC: area under the evaluations over env
steps, as a part of the score's range; a run that stopped early keeps its last evaluation. A failed
run is not solved, reaches no threshold and has no score. Brackets: intervals of 95 %, Wilson's of
solved, else percentiles of 2000 bootstrap resamples of seeds.
"""


def markdown(head, rows):
    widths = [max(map(len, column)) for column in zip(head, *rows)]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths)] for row in [head, *rows]]
    lines.insert(1, ["-" * width for width in widths])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def interval_of(strata, measure):
    return measures.bootstrap_interval(strata, measure, SEED)


def shown(strata, measure, form):
    """The measure and, of two values or more, its interval."""
    values = measures.pooled(strata)
    if not values:
        return "-"
    text = format(measure(values), form)
    if len(values) == 1:
        return text
    low, high = interval_of(strata, measure)
    return f"{text} [{low:{form}}, {high:{form}}]"


def solved_of(agent):
    low, high = measures.wilson_interval(agent.solved, len(agent.runs))
    return f"{agent.solved} of {len(agent.runs)} [{low:.0%}, {high:.0%}]"


def steps_of(agent):
    steps = [measures.steps_to_threshold(curve, agent.environment.threshold)
             for curve in agent.curves]
    reached = [count for count in steps if count is not None]
    count = f"{len(reached)} of {len(agent.runs)}"
    return f"{measures.median(reached):.0f} ({count})" if reached else f"- ({count})"


def areas_of(agent):
    return [agent.environment.normalised(measures.area_under_curve(run.curve, run.total_timesteps))
            for run in agent.trained if run.curve]


def normalised_scores(agent):
    return [agent.environment.normalised(score) for score in agent.scores]


def rates_of(agent):
    return ", ".join(dict.fromkeys(run.learning_rate for run in agent.runs))


def row_of(agent):
    scores = agent.scores
    return (agent.env, agent.algo, rates_of(agent), str(len(agent.runs)), str(len(agent.failed)),
            solved_of(agent), f"{measures.mean(scores):.1f}" if scores else "-",
            shown([scores], measures.interquartile_mean, ".1f"), steps_of(agent),
            shown([areas_of(agent)], measures.mean, ".3f"))


def over_environments(agents):
    """A row for each algorithm that ran on all environments; none of a single environment."""
    environments = by_env(agents)
    rows = []
    for algo in dict.fromkeys(agent.algo for agent in agents):
        ran = [agent for agent in agents if agent.algo == algo]
        if len(ran) == len(environments) > 1:
            strata = [normalised_scores(agent) for agent in ran]
            rows.append((algo, str(len(ran)), str(sum(map(len, strata))),
                         shown(strata, measures.interquartile_mean, ".3f"),
                         shown([*map(areas_of, ran)], measures.mean, ".3f")))
    return rows


def compared(agents, first, second):
    """Rows of paired differences, a score's range being 1; the last over all environments."""
    rows, strata = [], []
    for env, found in by_env(agents).items():
        scores = {agent.algo: {run.seed: agent.environment.normalised(run.score)
                               for run in agent.trained} for agent in found}
        strata.append(measures.paired_differences(scores.get(first, {}), scores.get(second, {})))
        rows.append((env, str(len(strata[-1])), shown(strata[-1:], measures.mean, "+.3f")))
    if len(rows) > 1:
        rows.append(("all", str(sum(map(len, strata))), shown(strata, measures.mean, "+.3f")))
    return rows


def failures(agents):
    return "".join(f"- failed: {agent.env} {agent.algo} seed {run.seed}: {run.error}\n"
                   for agent in agents for run in agent.failed)


def text(agents, compare):
    """The whole report; `compare` is a pair of algorithms or None."""
    parts = [markdown(HEAD, [row_of(agent) for agent in agents]), WORDS]
    total = over_environments(agents)
    if total:
        parts.append("Over all environments, scores as parts of their range, runs resampled within "
                     "each:\n")
        parts.append(markdown(("algorithm", "environments", "runs", "IQM score", "AUC"), total))
    if compare:
        head = ("environment", "seeds", f"{compare[0]} - {compare[1]}")
        parts.append("Mean difference of the same seeds' scores, as a part of the score's range:\n")
        parts.append(markdown(head, compared(agents, *compare)))
    if failures(agents):
        parts.append(failures(agents))
    return "\n".join(parts)
