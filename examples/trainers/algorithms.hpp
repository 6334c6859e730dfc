// SPDX-License-Identifier: MIT
// The algorithms of --algo: each names its network, its replay, and the rules that options choose
// among. Every choice is an agent of its own, compiled in.
#pragma once
#include <polyq/dqn/categorical.hpp>
#include <polyq/dqn/munchausen.hpp>
#include <polyq/dqn/quantile.hpp>
#include <polyq/dqn/rule.hpp>
#include <polyq/math/loss.hpp>
#include <polyq/nn/distributional.hpp>
#include <polyq/nn/dueling.hpp>
#include <polyq/nn/noisy.hpp>
#include <polyq/nn/rainbow.hpp>
#include <polyq/nn/sequential.hpp>
#include <polyq/replay/n_step.hpp>
#include <polyq/replay/prioritized.hpp>
#include <polyq/replay/uniform.hpp>

#include "options.hpp"

namespace trainer::algorithm {

inline constexpr int atoms = 51, quantiles = 51, steps = 3;
using UniformRows = polyq::replay::Uniform<Compiled::batch_size>;
using PrioritizedRows = polyq::replay::Prioritized<Compiled::batch_size>;

/// Calls `use` with the loss that the options name.
template <class Use>
int with_loss(const Options& options, Use use) {
  return options.loss == Loss::huber ? use(polyq::math::Huber{}) : use(polyq::math::Squared{});
}

/// Deep Q-learning: --double and --loss choose the rule.
struct Dqn {
  static constexpr const char* name = "dqn";
  template <int O, int A>
  using Network = polyq::nn::Mlp<O, POLYQ_TRAINER_HIDDEN, A>;
  using Replay = UniformRows;
  static constexpr bool has_loss = true, has_double = true, has_support = false;

  template <class Use>
  static int with_rule(const Options& options, Use use) {
    return with_loss(options, [&](auto loss) {
      return options.double_q_learning ? use(polyq::rule::DoubleQLearning{loss})
                                       : use(polyq::rule::QLearning{loss});
    });
  }
};

struct Double : Dqn {
  static constexpr const char* name = "double";
  static constexpr bool has_double = false;  // it is

  template <class Use>
  static int with_rule(const Options& options, Use use) {
    return with_loss(options, [&](auto loss) { return use(polyq::rule::DoubleQLearning{loss}); });
  }
};

struct Dueling : Dqn {
  static constexpr const char* name = "dueling";
  template <int O, int A>
  using Network = polyq::nn::DuelingMlp<O, POLYQ_TRAINER_HIDDEN, A>;
};

struct Noisy : Dqn {
  static constexpr const char* name = "noisy";
  template <int O, int A>
  using Network = polyq::nn::NoisyMlp<O, POLYQ_TRAINER_HIDDEN, A>;
};

struct Prioritized : Dqn {
  static constexpr const char* name = "prioritized";
  using Replay = PrioritizedRows;
};

struct NStep : Dqn {
  static constexpr const char* name = "n-step";
  using Replay = polyq::replay::NStep<steps, UniformRows>;
};

struct Munchausen : Dqn {
  static constexpr const char* name = "munchausen";
  static constexpr bool has_double = false;
  template <class Use>
  static int with_rule(const Options& options, Use use) {
    return with_loss(options, [&](auto loss) {
      return use(polyq::rule::Munchausen<decltype(loss)>{.loss = loss});
    });
  }
};

struct C51 : Dqn {
  static constexpr const char* name = "c51";
  template <int O, int A>
  using Network = polyq::nn::DistributionalMlp<atoms, O, POLYQ_TRAINER_HIDDEN, A>;
  static constexpr bool has_loss = false, has_support = true;

  template <class Use>
  static int with_rule(const Options& options, Use use) {
    if (options.double_q_learning)
      return use(polyq::rule::DoubleCategorical<atoms>(options.v_min, options.v_max));
    return use(polyq::rule::Categorical<atoms>(options.v_min, options.v_max));
  }
};

struct QrDqn : Dqn {
  static constexpr const char* name = "qr-dqn";
  template <int O, int A>
  using Network = polyq::nn::DistributionalMlp<quantiles, O, POLYQ_TRAINER_HIDDEN, A>;
  static constexpr bool has_loss = false;

  template <class Use>
  static int with_rule(const Options& options, Use use) {
    return options.double_q_learning ? use(polyq::rule::DoubleQuantile<quantiles>{})
                                     : use(polyq::rule::Quantile<quantiles>{});
  }
};

/// All of it: double, dueling, prioritized, three steps, distributions, noise (Hessel et al. 2018).
struct Rainbow : C51 {
  static constexpr const char* name = "rainbow";
  static constexpr bool has_double = false;  // it is
  template <int O, int A>
  using Network = polyq::nn::RainbowMlp<atoms, O, POLYQ_TRAINER_HIDDEN, A>;
  using Replay = polyq::replay::NStep<steps, PrioritizedRows>;

  template <class Use>
  static int with_rule(const Options& options, Use use) {
    return use(polyq::rule::DoubleCategorical<atoms>(options.v_min, options.v_max));
  }
};

}  // namespace trainer::algorithm
