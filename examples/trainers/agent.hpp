// SPDX-License-Identifier: MIT
// train_agent: a trainer's main: the algorithm and the environment that it is compiled for, on one
// machine's backend.
#pragma once
#include <polyq/env/acrobot.hpp>
#include <polyq/env/cart_pole.hpp>
#include <polyq/env/mountain_car.hpp>
#include <polyq/env/vectorized.hpp>
#include <polyq/nn/scale.hpp>
#include <polyq/nn/sequential.hpp>
#include <type_traits>

#include "algorithms.hpp"
#include "run.hpp"
#include "zoo_settings.hpp"

namespace trainer {

using Environment = polyq::env::POLYQ_TRAINER_ENVIRONMENT;
using Algorithm = algorithm::POLYQ_TRAINER_ALGORITHM;

template <int O, class Network>
auto behind(const polyq::nn::Scale<O>& scale, const Network& network) {
  return polyq::nn::Sequential{scale, network};
}
template <int O, int Atoms, class Inner>
auto with_atoms_behind(const polyq::nn::Scale<O>& scale,
                       const polyq::nn::Distributional<Atoms, Inner>& network) {
  const Inner& inner = network;
  return polyq::nn::Distributional<Atoms, polyq::nn::Sequential<polyq::nn::Scale<O>, Inner>>{
      behind(scale, inner)};
}

/// The network of the algorithm, for the environment's observations: MountainCar's velocities are a
/// hundredth of its positions, so that they are scaled.
template <class Network>
auto network_for(const Network& network) {
  if constexpr (!std::is_same_v<Environment, polyq::env::MountainCar>) {
    return network;
  } else {
    const auto scale = polyq::nn::Scale<2>::range({-1.2f, -.07f}, {.6f, .07f});
    if constexpr (requires { Network::atoms; }) {
      return with_atoms_behind(scale, network);
    } else {
      return behind(scale, network);
    }
  }
}

/// On the backend that `backend_on` makes, for ranks that meet by `with_ranks`.
template <class Backend, class Ranks>
int train_agent(int argc, const char* const* argv, const char* backend_name,
                Backend (*backend_on)(const Device&), Ranks with_ranks) {
  using polyq::backend::Memory;
  constexpr int O = Environment::observation_size, A = Environment::action_count;
  const Made made{
      .device = Backend::memory == Memory::device ? Device::Kind::cuda : Device::Kind::cpu,
      .env = Environment::name,
      .algo = Algorithm::name,
      .goal = polyq::env::goal_of<Environment>(),
      .zoo = zoo_settings,
      .has_loss = Algorithm::has_loss,
      .has_double = Algorithm::has_double,
      .has_support = Algorithm::has_support,
      .prioritized = Algorithm::Replay::weighted,
      .explores = polyq::nn::explores<typename Algorithm::template Network<O, A>>()};
  return run(argc, argv, made,
             Composition{backend_name, backend_on, with_ranks,
                         network_for(typename Algorithm::template Network<O, A>{}),
                         typename Algorithm::Replay{},
                         polyq::env::Vectorized<Environment, Compiled::num_envs>{}, Algorithm{}});
}

}  // namespace trainer
