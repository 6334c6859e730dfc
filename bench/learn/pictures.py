# SPDX-License-Identifier: MIT
"""Pictures of learning, as SVG: curves of an environment's agents, and all agents' scores."""
import math

import measures
from results import by_env
from svg import GREY, INK, RULE, Scale, Svg, number
from table import interval_of

WIDTH = 1000
# Okabe and Ito's colours, which colour-blind people tell apart, without those too pale on white.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195")
MOST_BAND_POINTS = 100


def colours(agents):
    """{algorithm: colour}, by their order; of more than seven, some share one."""
    algos = dict.fromkeys(agent.algo for agent in agents)
    return {algo: COLOURS[place % len(COLOURS)] for place, algo in enumerate(algos)}


def marks(curves):
    """Env steps at which the curves are compared, from where all have begun; thinned evenly."""
    begin = max(curve[0][0] for curve in curves)
    steps = sorted({point[0] for curve in curves for point in curve if point[0] >= begin})
    stride = math.ceil(len(steps) / MOST_BAND_POINTS)
    return sorted({*steps[::stride], steps[-1]})


def band(curves):
    """(env steps, interquartile mean, its interval's bounds) at each mark."""
    for step in marks(curves):
        values = [measures.value_at(curve, step) for curve in curves]
        yield (step, measures.interquartile_mean(values),
               *interval_of([values], measures.interquartile_mean))


def score_range(agents):
    """The environment's range, and more where a score lies outside."""
    environment = agents[0].environment
    values = [environment.lowest, environment.highest]
    for agent in agents:
        values += agent.scores + [score for curve in agent.curves for _, score in curve]
    return min(values), max(values)


def scores_range(agents):
    """From the lowest to the highest score, with the threshold and some room."""
    values = [score for agent in agents for score in agent.scores]
    values.append(agents[0].environment.threshold)
    room = .05 * (max(values) - min(values)) or 1
    return min(values) - room, max(values) + room


def runs_of(agent):
    failed = f", {len(agent.failed)} failed" if agent.failed else ""
    return f"{agent.solved} of {len(agent.runs)} solved{failed}"


class Panels:
    """Places of small pictures in rows of at most three, on axes that they share."""

    LEFT, TOP, RIGHT, GAP, HEAD, FOOT = 66, 74, 20, 30, 30, 46

    def __init__(self, count):
        self.count, self.columns = count, min(count, 3)
        self.width = (WIDTH - self.LEFT - self.RIGHT - self.GAP * (self.columns - 1)) / self.columns
        self.height = 330 if count == 1 else 210

    @property
    def whole_height(self):
        rows = math.ceil(self.count / self.columns)
        return self.TOP + rows * (self.HEAD + self.height) + self.FOOT

    def corner(self, place):
        """The upper left corner, whether its row's first, and whether its column's last."""
        row, column = divmod(place, self.columns)
        return (self.LEFT + column * (self.width + self.GAP),
                self.TOP + row * (self.HEAD + self.height) + self.HEAD,
                column == 0, place + self.columns >= self.count)


def curves(env, agents):
    """A panel for each algorithm: every seed thin, their interquartile mean and its band bold."""
    panels, colour_of = Panels(len(agents)), colours(agents)
    svg = Svg(WIDTH, panels.whole_height, f"{env}: evaluations over env steps")
    svg.text(panels.LEFT, 28, env, size=18, weight="bold")
    svg.text(panels.LEFT, 50, "Greedy evaluations. Thin: each seed, with a dot where it ended. "
             "Bold: interquartile mean, shaded: its 95 % bootstrap interval.", GREY)
    threshold = number(agents[0].environment.threshold)
    svg.text(panels.LEFT, 68, f"Dashed: solved, from {threshold}.", GREY)
    low, high = score_range(agents)
    end = max((curve[-1][0] for agent in agents for curve in agent.curves), default=1)
    for place, agent in enumerate(agents):
        left, top, first, last = panels.corner(place)
        x = Scale(0, end, left, left + panels.width)
        y = Scale(low, high, top + panels.height - 6, top + 6)
        for tick in y.ticks(5):
            svg.line(left, y(tick), left + panels.width, y(tick), RULE)
            if first:
                svg.text(left - 8, y(tick) + 4, number(tick), GREY, 12, "end")
        svg.line(left, top + panels.height, left + panels.width, top + panels.height, GREY)
        for tick in x.ticks(5):
            svg.line(x(tick), top + panels.height, x(tick), top + panels.height + 4, GREY)
            if last:
                svg.text(x(tick), top + panels.height + 18, number(tick), GREY, 12, "middle")
        if last:
            middle = left + panels.width / 2
            svg.text(middle, top + panels.height + 36, "env steps", GREY, 12, "middle")
        draw_agent(svg, agent, x, y, colour_of[agent.algo])
        svg.text(left, top - 8, agent.algo, INK, 14, weight="bold")
        svg.text(left + panels.width, top - 8, runs_of(agent), GREY, 12, "end")
    return str(svg)


def draw_agent(svg, agent, x, y, colour):
    threshold = y(agent.environment.threshold)
    svg.line(x(0), threshold, x(x.high), threshold, INK, 1, "5 4")
    for curve in agent.curves:
        svg.path([(x(step), y(score)) for step, score in curve], colour, 1, .4)
    if agent.curves:
        points = list(band(agent.curves))
        upper = [(x(step), y(high)) for step, _, _, high in points]
        lower = [(x(step), y(low)) for step, _, low, _ in points]
        svg.area(upper + lower[::-1], colour, .2)
        svg.path([(x(step), y(middle)) for step, middle, _, _ in points], colour, 3)
    for curve in agent.curves:
        svg.dot(x(curve[-1][0]), y(curve[-1][1]), 2.5, colour, .8)


def spread(places, distance, room):
    """Offsets that lay apart what lies within `distance`, in at most `room` either way; in the
    order of `places`."""
    order = sorted(range(len(places)), key=lambda index: places[index])
    groups = []
    for index in order:
        if groups and places[index] - places[groups[-1][0]] < distance:
            groups[-1].append(index)
        else:
            groups.append([index])
    offsets = [0.] * len(places)
    for group in groups:
        step = min(distance, 2 * room / max(1, len(group) - 1))
        for rank, index in enumerate(group):
            offsets[index] = (rank - (len(group) - 1) / 2) * step
    return offsets


def scores(agents):
    """A row for each agent: its seeds' scores as dots, under them mean and interval."""
    left, right, row, head, foot = 180, 180, 50, 40, 42
    environments, colour_of = by_env(agents), colours(agents)
    height = 74 + sum(head + row * len(found) + foot for found in environments.values())
    svg = Svg(WIDTH, height, "Scores of all seeds")
    svg.text(20, 28, "Scores", size=18, weight="bold")
    svg.text(20, 50, "Mean return of the best agent kept. Dots: each seed. Below them: mean and "
             "its 95 % bootstrap interval. Dashed: solved.", GREY)
    top = 74
    for env, found in environments.items():
        bottom = top + head + row * len(found)
        x = Scale(*scores_range(found), left, WIDTH - right)
        svg.text(20, top + 22, env, size=15, weight="bold")
        for tick in x.ticks(6):
            svg.line(x(tick), top + head, x(tick), bottom, RULE)
            svg.text(x(tick), bottom + 17, number(tick), GREY, 12, "middle")
        threshold = found[0].environment.threshold
        svg.line(x(threshold), top + head - 6, x(threshold), bottom, INK, 1, "5 4")
        svg.text(x(threshold), top + head - 12, number(threshold), INK, 12, "middle")
        svg.line(left, bottom, WIDTH - right, bottom, GREY)
        for place, agent in enumerate(found):
            draw_scores(svg, agent, x, top + head + row * place, colour_of[agent.algo])
            middle = top + head + row * place + 26
            svg.text(left - 16, middle, agent.algo, INK, 14, "end", "bold")
            svg.text(WIDTH - 14, middle, runs_of(agent), GREY, 12, "end")
        top = bottom + foot
    return str(svg)


def draw_scores(svg, agent, x, top, colour):
    places = [x(score) for score in agent.scores]
    for place, offset in zip(places, spread(places, 6, 12)):
        svg.dot(place, top + 18 + offset, 3.5, colour, .7)
    if places:
        low, high = interval_of([agent.scores], measures.mean)
        middle = measures.mean(agent.scores)
        svg.line(x(low), top + 40, x(high), top + 40, INK, 2.5)
        svg.dot(x(middle), top + 40, 4.5, INK)
