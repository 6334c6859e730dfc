// SPDX-License-Identifier: MIT
// Actor: it keeps the account of episodes and of numbers that are not finite, explores uniformly
// and else acts greedily, among the legal actions alone, and stores rows whose s' is the next row's
// s, and their masks.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <polyq/dqn/actor.hpp>
#include <polyq/dqn/greedy.hpp>
#include <polyq/env/cart_pole.hpp>
#include <polyq/env/vectorized.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/optim/sgd.hpp>
#include <polyq/replay/uniform.hpp>
#include <span>
#include <vector>

#include "agents.hpp"
#include "backends.hpp"
#include "masked.hpp"

namespace {

namespace core = polyq::core;
namespace env = polyq::env;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

/// The accounts of two lanes, fed by hand.
struct Account {
  using Observations = core::Matrix<float, 3, 2>;
  float observations[6] = {}, next[6] = {}, rewards[2] = {};
  std::int32_t actions[2] = {};
  std::uint8_t terminated[2] = {}, truncated[2] = {};
  polyq::Lane lanes[2] = {};
  polyq::EpisodeEnd log[6] = {};
  core::Clock clock{};

  void step() {
    const polyq::AccountStep<Observations> account{
        {{observations}, {next}, actions, rewards, terminated, truncated}, lanes, log, 6, &clock};
    account(0);
    account(1);
    clock.env_steps += 2;
    clock.rows += 2;
  }
};

/// Three actions; an episode is seven steps; the observation tells lane, age and episode.
struct Counting {
  static constexpr const char* name = "Counting";
  static constexpr int observation_size = 3, action_count = 3;
  struct State {
    float lane, age, started;
  };
  POLYQ_HD State reset(core::Random random) const {
    return {float(random.lane) / 8, 0, float(random.step) / 1'024};
  }
  POLYQ_HD env::Outcome step(State& state, std::int32_t action, core::Random) const {
    state.age += 1;
    return {float(action), state.age == 7 && state.lane == 0, state.age == 7 && state.lane > 0};
  }
  POLYQ_HD void observe(const State& state, float* out) const {
    out[0] = state.lane;
    out[1] = state.age / 8;
    out[2] = state.started;
  }
};

template <class B, class Network = polyq::nn::Mlp<3, 8, 3>>
using AgentOf = polyq::Dqn<B, Network, polyq::replay::Uniform<64>, polyq::optim::Sgd>;

template <class B>
AgentOf<B> make_agent(polyq::math::Schedule exploration, std::uint64_t seed = 1) {
  return AgentOf<B>(B{}, {}, {.capacity = 8'000}, {}, {.seed = seed, .exploration = exploration});
}

struct Row {
  std::vector<float> now, next;
  int action;
  float reward, discount;
};

/// The rows that updates happen to sample, by row number.
template <class Agent>
std::map<std::int64_t, Row> sampled_rows(Agent& agent, int updates) {
  std::map<std::int64_t, Row> rows;
  for (int update = 0; update < updates; ++update) {
    agent.update();
    const auto batch = test::batch_of(agent);
    for (int i = 0; i < Agent::B; ++i) {
      Row& row = rows[batch.rows[i]];
      row.now.assign(batch.observations.column(i), batch.observations.column(i) + Agent::O);
      row.next.assign(batch.next.column(i), batch.next.column(i) + Agent::O);
      row.action = batch.actions[i];
      row.reward = batch.rewards[i];
      row.discount = batch.discounts[i];
    }
  }
  return rows;
}

// The .999 quantile with 2 degrees of freedom.
constexpr double chi_square_quantile = 13.82;

double chi_square(const double (&counts)[3], const double (&shares)[3]) {
  const double all = counts[0] + counts[1] + counts[2];
  double sum = 0;
  for (int i = 0; i < 3; ++i)
    sum += (counts[i] - shares[i] * all) * (counts[i] - shares[i] * all) / (shares[i] * all);
  return sum;
}

}  // namespace

TEST_CASE("returns, lengths and the largest reward of each lane") {
  Account account;
  // Lane 0 gets 1, -5, 2 and ends; lane 1 gets .5 each step and is cut at its second.
  const float rewards[4][2] = {{1, .5f}, {-5, .5f}, {2, .5f}, {3, .5f}};
  for (int step = 0; step < 4; ++step) {
    std::copy(rewards[step], rewards[step] + 2, account.rewards);
    account.terminated[0] = step == 2;
    account.truncated[1] = step == 1;
    account.step();
    if (step == 1) {
      CHECK(account.lanes[0].running_return == -4);
      CHECK(account.lanes[0].running_length == 2);
      CHECK(account.lanes[1].running_return == 0);
      CHECK(account.lanes[1].running_length == 0);
      CHECK(account.log[3].episode_return == 1);
      CHECK(account.log[3].length == 2);
    }
  }
  CHECK(account.lanes[0].running_return == 3);
  CHECK(account.lanes[0].running_length == 1);
  CHECK(account.lanes[0].largest_reward == 5);
  CHECK(account.lanes[1].running_return == 1);
  CHECK(account.lanes[1].largest_reward == .5f);
  CHECK(!account.lanes[0].faulty);
  // Six places for eight rows: rows 6 and 7 stand where 0 and 1 stood, the end at row 4 is there.
  CHECK(account.log[4].episode_return == -2);
  CHECK(account.log[4].length == 3);
  for (const int empty : {0, 1, 2, 5}) CHECK(account.log[empty].length == 0);
}

TEST_CASE("the log forgets an end when its place is used again") {
  Account account;
  account.terminated[0] = 1;
  account.step();
  CHECK(account.log[0].length == 1);
  account.terminated[0] = 0;
  for (int step = 0; step < 2; ++step) account.step();
  CHECK(account.log[0].length == 1);
  account.step();  // row 6
  CHECK(account.log[0].length == 0);
  CHECK(account.log[0].episode_return == 0);
}

TEST_CASE("long returns do not lose small rewards") {
  Account account;
  account.rewards[0] = .1f;
  for (int step = 0; step < 1'000'000; ++step) account.step();
  // Doubles hold a million additions of 0.1f to 1e-16 · 1e6 · 1e5; floats would be off by 958.
  CHECK(std::abs(account.lanes[0].running_return - 1e6 * double(.1f)) < 1e-4);
}

TEST_CASE("a number that is not finite is described: lane, row, index, value; the first stays") {
  const auto first_fault = [](auto spoil) {
    Account account;
    account.step();  // rows 0 and 1 are sound
    CHECK(!account.lanes[0].faulty);
    CHECK(!account.lanes[1].faulty);
    spoil(account);
    account.step();
    CHECK(!account.lanes[0].faulty);
    CHECK(account.lanes[1].faulty);
    CHECK(account.lanes[1].fault_row == 3);
    const polyq::Lane described = account.lanes[1];
    account.rewards[1] = -infinity;
    account.step();
    CHECK(account.lanes[1].fault_row == 3);
    CHECK(account.lanes[1].fault_index == described.fault_index);
    return described;
  };
  SUBCASE("reward") {
    for (const float value : {not_a_number, infinity, -infinity}) {
      const polyq::Lane lane = first_fault([&](Account& a) { a.rewards[1] = value; });
      CHECK(lane.fault_index == polyq::Lane::reward_index);
      CHECK((lane.fault_value == value || (std::isnan(value) && std::isnan(lane.fault_value))));
    }
  }
  SUBCASE("observation acted on") {
    for (int o = 0; o < 3; ++o) {
      const polyq::Lane lane = first_fault([&](Account& a) { a.observations[3 + o] = -infinity; });
      CHECK(lane.fault_index == o);
      CHECK(lane.fault_value == -infinity);
    }
  }
  SUBCASE("next observation") {
    for (int o = 0; o < 3; ++o) {
      const polyq::Lane lane = first_fault([&](Account& a) { a.next[3 + o] = not_a_number; });
      CHECK(lane.fault_index == o);
      CHECK(std::isnan(lane.fault_value));
    }
  }
  SUBCASE("several: the lowest index of an observation comes first") {
    const polyq::Lane lane = first_fault([&](Account& a) {
      a.rewards[1] = not_a_number;
      a.next[3 + 1] = infinity;
      a.observations[3 + 2] = not_a_number;
    });
    CHECK(lane.fault_index == 1);
    CHECK(lane.fault_value == infinity);
  }
}

TEST_CASE("the largest float and denormals are finite") {
  Account account;
  account.rewards[0] = std::numeric_limits<float>::max();
  account.rewards[1] = -std::numeric_limits<float>::denorm_min();
  account.next[0] = std::numeric_limits<float>::lowest();
  account.step();
  CHECK(!account.lanes[0].faulty);
  CHECK(!account.lanes[1].faulty);
  CHECK(account.lanes[0].largest_reward == std::numeric_limits<float>::max());
}

TEST_CASE_TEMPLATE("epsilon 1 explores uniformly, in every lane and at every step", B,
                   POLYQ_BACKENDS) {
  AgentOf<B> agent = make_agent<B>(1.f);
  polyq::Actor actor(agent, env::Vectorized<Counting, 4>{});
  for (int step = 0; step < 2'000; ++step) actor.enqueue_step();
  double counts[3] = {}, per_lane[4][3] = {};
  int sampled = 0;
  for (const auto& [number, row] : sampled_rows(agent, 1'000)) {
    ++counts[row.action];
    ++per_lane[number % 4][row.action];
    ++sampled;
  }
  CHECK(sampled > 7'900);  // of 8 000 rows by 64 000 draws, all but 3 in 10 000
  constexpr double third = 1. / 3;
  CHECK(chi_square(counts, {third, third, third}) < chi_square_quantile);
  for (int lane = 0; lane < 4; ++lane)
    CHECK(chi_square(per_lane[lane], {third, third, third}) < chi_square_quantile);
}

TEST_CASE_TEMPLATE("what is explored is uniform, whatever epsilon is", B, POLYQ_BACKENDS) {
  AgentOf<B> agent = make_agent<B>(.5f);
  std::vector<float> parameters(3 * 8 + 8 + 8 * 3 + 3);
  parameters[3 * 8 + 8 + 8 * 3 + 1] = 1;  // a bias for action 1 alone
  agent.set_parameters(parameters);
  polyq::Actor actor(agent, env::Vectorized<Counting, 4>{});
  for (int step = 0; step < 2'000; ++step) actor.enqueue_step();
  double counts[3] = {};
  for (const auto& [number, row] : sampled_rows(agent, 1'000)) ++counts[row.action];
  CHECK(chi_square(counts, {1. / 6, 4. / 6, 1. / 6}) < chi_square_quantile);
}

TEST_CASE_TEMPLATE("epsilon 0 is greedy: the argmax of a plain forward at s", B, POLYQ_BACKENDS) {
  AgentOf<B> agent = make_agent<B>(0.f, 6);  // a network whose choice depends on s
  polyq::Actor actor(agent, env::Vectorized<Counting, 2>{});
  for (int step = 0; step < 300; ++step) actor.enqueue_step();
  const std::vector<float> acted_with = agent.parameters();
  const auto rows = sampled_rows(agent, 20);
  agent.set_parameters(acted_with);  // the updates have moved them
  polyq::Greedy greedy(agent);
  int counts[3] = {};
  for (const auto& [number, row] : rows) {
    CHECK(row.action == greedy(std::span<const float, 3>(row.now)));
    ++counts[row.action];
  }
  CHECK(rows.size() > 400);
  CHECK(*std::max_element(counts, counts + 3) < int(rows.size()));  // not the same one everywhere
}

TEST_CASE_TEMPLATE("epsilon follows the clock", B, POLYQ_BACKENDS) {
  AgentOf<B> agent = make_agent<B>(polyq::math::Schedule::linear(1, 0, 1'000));
  polyq::Actor actor(agent, env::Vectorized<Counting, 2>{});
  for (int step = 0; step < 1'000; ++step) actor.enqueue_step();  // 2 000 rows
  const std::vector<float> acted_with = agent.parameters();
  const auto rows = sampled_rows(agent, 200);
  agent.set_parameters(acted_with);
  polyq::Greedy greedy(agent);
  int random_early = 0, early = 0, random_late = 0;
  for (const auto& [number, row] : rows) {
    const bool random = row.action != greedy(std::span<const float, 3>(row.now));
    early += number < 500;
    random_early += number < 500 && random;
    random_late += number >= 1'000 && random;
  }
  CHECK(random_late == 0);
  // Mean ε of .75, two of three random actions not greedy: half, with a deviation of 0.023.
  CHECK(random_early > .4 * early);
  CHECK(random_early < .6 * early);
}

TEST_CASE_TEMPLATE("each row's s' is the next row's s of its lane, unless the episode ended", B,
                   POLYQ_BACKENDS) {
  AgentOf<B> agent = make_agent<B>(1.f);
  polyq::Actor actor(agent, env::Vectorized<Counting, 2>{});
  for (int step = 0; step < 200; ++step) actor.enqueue_step();
  const auto rows = sampled_rows(agent, 100);
  CHECK(rows.size() > 390);
  int followed = 0, ended = 0;
  for (const auto& [number, row] : rows) {
    CHECK(row.now[0] == float(number % 2) / 8);
    CHECK(row.now[1] == float(number / 2 % 7) / 8);
    CHECK(row.next[1] == row.now[1] + .125f);
    CHECK(row.next[2] == row.now[2]);
    CHECK(row.reward == float(row.action));
    const bool ends = number / 2 % 7 == 6;
    CHECK(row.discount == (ends && number % 2 == 0 ? 0 : .99f));  // lane 1 is truncated
    const auto after = rows.find(number + 2);
    if (after == rows.end()) continue;
    if (ends) {
      CHECK(after->second.now[1] == 0);
      ++ended;
    } else {
      CHECK(after->second.now == row.next);
      ++followed;
    }
  }
  CHECK(followed > 300);
  CHECK(ended > 40);
}

TEST_CASE_TEMPLATE("finished episodes are downloaded in order, each once", B, POLYQ_BACKENDS) {
  AgentOf<B> agent = make_agent<B>(1.f);
  polyq::Actor actor(agent, env::Vectorized<Counting, 2>{}, 28);
  std::vector<polyq::EpisodeEnd> ends, episodes;
  std::vector<polyq::Lane> lanes;
  double sum = 0;
  for (int chunk = 0; chunk < 5; ++chunk) {
    for (int step = 0; step < 14; ++step) actor.enqueue_step();
    actor.shards()[0].download_episodes(28 * chunk, 28 * (chunk + 1), ends);
    CHECK(ends.size() == 28);
    std::copy_if(ends.begin(), ends.end(), std::back_inserter(episodes),
                 [](const polyq::EpisodeEnd& end) { return end.length != 0; });
  }
  CHECK(episodes.size() == 2 * 5 * 2);
  for (const polyq::EpisodeEnd& end : episodes) {
    CHECK(end.length == 7);
    sum += end.episode_return;
  }
  actor.shards()[0].download_lanes(lanes);
  REQUIRE(lanes.size() == 2);
  for (const polyq::Lane& lane : lanes) {
    CHECK(lane.running_length == 0);
    CHECK(lane.largest_reward == 2);
    CHECK(!lane.faulty);
  }
  // 140 rewards, uniform among 0, 1, 2: mean 140, standard deviation 10.7; four of them.
  CHECK(std::abs(sum - 140) < 43);
  CHECK(test::clock_of(agent).env_steps == 140);
  CHECK(test::clock_of(agent).updates == 0);
}

TEST_CASE_TEMPLATE("actions are equal on every backend for the first steps", B, POLYQ_BACKENDS) {
  using Network = polyq::nn::Mlp<4, 16, 2>;
  using Reference = polyq::backend::Reference;
  const polyq::DqnSettings settings{.exploration = .3f};
  AgentOf<B, Network> agent(B{}, {}, {.capacity = 1'000}, {}, settings);
  AgentOf<Reference, Network> oracle(Reference{}, {}, {.capacity = 1'000}, {}, settings);
  polyq::Actor actor(agent, env::Vectorized<env::CartPole, 2>{});
  polyq::Actor oracle_actor(oracle, env::Vectorized<env::CartPole, 2>{});
  constexpr int steps = test::on_gpu ? 50 : 500;  // there states part by roundings
  constexpr float tolerance = test::on_gpu ? 1e-4f : 0;
  const auto are_close = [](const auto& a, const auto& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](float x, float y) { return std::abs(x - y) <= tolerance; });
  };
  for (int step = 0; step < steps; ++step) {
    actor.enqueue_step();
    oracle_actor.enqueue_step();
  }
  const auto rows = sampled_rows(agent, 50);
  const auto oracle_rows = sampled_rows(oracle, 50);
  REQUIRE(rows.size() == oracle_rows.size());
  CHECK(rows.size() > steps * 9 / 5);
  for (const auto& [number, row] : rows) {
    REQUIRE(oracle_rows.count(number) == 1);
    CHECK(row.action == oracle_rows.at(number).action);
    CHECK(are_close(row.now, oracle_rows.at(number).now));
    CHECK(are_close(row.next, oracle_rows.at(number).next));
  }
}

TEST_CASE_TEMPLATE("a seed acts the same twice, another seed otherwise", B, POLYQ_BACKENDS) {
  const auto actions = [](std::uint64_t seed) {
    AgentOf<B> agent = make_agent<B>(1.f, seed);
    polyq::Actor actor(agent, env::Vectorized<Counting, 1>{});
    for (int step = 0; step < 64; ++step) actor.enqueue_step();
    std::vector<int> chosen;
    for (const auto& [number, row] : sampled_rows(agent, 30)) chosen.push_back(row.action);
    REQUIRE(chosen.size() == 64);
    return chosen;
  };
  CHECK(actions(1) == actions(1));
  CHECK(actions(1) != actions(2));
}

namespace {

/// What an agent acted in environments that forbid actions, of A; every action is preferred to
/// those before it.
template <class B, int A>
struct MaskedActing {
  static constexpr int words = polyq::math::mask_words(A);
  using Environment = test::Masked<A>;
  using Agent = AgentOf<B, polyq::nn::Mlp<3, A>>;
  Agent agent;
  polyq::Actor<Agent, env::Vectorized<Environment, 4>> actor{agent, {}};
  int rows = 0, illegal = 0, not_best = 0, wrong_masks = 0, ends = 0;
  std::vector<double> taken = std::vector<double>(A), expected = taken, variance = taken;

  explicit MaskedActing(float epsilon)
      : agent(B{}, {}, {.capacity = 8'000}, {.rate = 1e-30f}, {.exploration = epsilon}) {
    std::vector<float> parameters(3 * A);
    for (int a = 0; a < A; ++a) parameters.push_back(float(a));
    agent.set_parameters(parameters);
    for (int step = 0; step < 2'000; ++step) actor.enqueue_step();
    std::map<std::int64_t, bool> seen;
    for (int update = 0; update < 300; ++update) {
      agent.update();
      const auto batch = test::batch_of(agent);
      const auto now = masks(agent.batch().legal), next = masks(agent.batch().legal_next);
      for (int i = 0; i < Agent::B; ++i)
        if (seen.insert({batch.rows[i], true}).second)
          look(batch, i, &now[i * words], &next[i * words]);
    }
  }

 private:
  std::vector<std::uint32_t> masks(const std::uint32_t* from) {
    return test::downloaded(agent.machine(), from, std::size_t(Agent::B) * words);
  }
  template <class Batch>
  void look(const Batch& batch, int i, const std::uint32_t* now, const std::uint32_t* next) {
    const auto at_s = Environment::mask_of(std::uint32_t(batch.observations(0, i)));
    const auto at_next = Environment::mask_of(std::uint32_t(batch.next(0, i)));
    for (int w = 0; w < words; ++w)
      wrong_masks += now[w] != at_s.word[w] || next[w] != at_next.word[w];
    const int action = batch.actions[i];
    ++rows;
    ends += batch.next(1, i) == 7;
    illegal += !at_s[action] || batch.next(2, i) != 0;
    ++taken[action];
    const int count = polyq::math::count_legal(at_s.word, A);
    for (int a = 0; a < A; ++a) {
      not_best += at_s[a] && a > action;
      expected[a] += at_s[a] ? 1. / count : 0;
      variance[a] += at_s[a] ? 1. / count * (1 - 1. / count) : 0;
    }
  }
};

template <class B, int A>
void explore_among_legal() {
  const MaskedActing<B, A> acting(1);
  CHECK(acting.rows > 7'000);  // of 8 000 by 19 200 draws
  CHECK(acting.ends > 800);
  CHECK(acting.illegal == 0);
  CHECK(acting.wrong_masks == 0);
  double chi_square = 0, mean = 0;
  for (int a = 0; a < A; ++a) {
    REQUIRE(acting.expected[a] > 20);
    const double off = acting.taken[a] - acting.expected[a];
    chi_square += off * off / acting.expected[a];
    mean += acting.variance[a] / acting.expected[a];
  }
  // Its variance is at most 2 (A − 1), that of independent counts; five deviations to both sides.
  CHECK(std::abs(chi_square - mean) < 5 * std::sqrt(2. * (A - 1)));
}

}  // namespace

TEST_CASE_TEMPLATE("what is explored is uniform among the legal actions", B, POLYQ_BACKENDS) {
  explore_among_legal<B, 5>();
  explore_among_legal<B, 40>();
}

TEST_CASE_TEMPLATE("epsilon 0 takes the best of the legal actions", B, POLYQ_BACKENDS) {
  const MaskedActing<B, 40> acting(0);
  CHECK(acting.rows > 7'000);
  CHECK(acting.illegal == 0);
  CHECK(acting.wrong_masks == 0);
  CHECK(acting.not_best == 0);
  CHECK(*std::max_element(acting.taken.begin(), acting.taken.end()) < acting.rows);
}

TEST_CASE_TEMPLATE("a lane without a legal action is described: at its start and later", B,
                   POLYQ_BACKENDS) {
  const auto faults = [](test::Masked<40> environment) {
    AgentOf<B, polyq::nn::Mlp<3, 40>> agent(B{}, {}, {.capacity = 8'000}, {}, {});
    polyq::Actor actor(agent, env::Vectorized<test::Masked<40>, 4>{environment});
    for (int step = 0; step < 14; ++step) actor.enqueue_step();
    std::vector<polyq::Lane> lanes;
    actor.shards()[0].download_lanes(lanes);
    return lanes;
  };
  for (const int age : {0, 1, 3, 6}) {
    CAPTURE(age);
    const int row = 4 * std::max(0, age - 1) + 2;
    const std::vector<polyq::Lane> lanes = faults({.stuck_lane = 2, .stuck_age = age});
    for (int e = 0; e < 4; ++e) CHECK(bool(lanes[e].faulty) == (e == 2));
    CHECK(lanes[2].fault_index == polyq::Fault::legal_index);
    CHECK(lanes[2].fault_row == std::uint64_t(row));
  }
}
