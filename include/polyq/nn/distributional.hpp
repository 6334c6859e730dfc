// SPDX-License-Identifier: MIT
// Distributional (Bellemare et al. 2017): a network whose output is read as `Atoms` numbers for
// each action. DistributionalMlp: an Mlp read so.
#pragma once
#include <utility>

#include "polyq/nn/sequential.hpp"

namespace polyq::nn {

/// Network's output [A·Atoms, B]: atom z of action a is row a·Atoms + z. All else is Network's.
template <int Atoms, class Network>
struct Distributional : Network {
  static_assert(Atoms >= 2,
                "polyq::nn::Distributional: fewer than 2 atoms; a distribution has 2 or more");
  static_assert(Atoms < 2 || Network::out % Atoms == 0,
                "polyq::nn::Distributional: the network's out is not a multiple of the atoms; it "
                "is action_count * Atoms");
  static constexpr int atoms = Atoms;
  static constexpr int observation_size = Network::in;
  static constexpr int action_count = Network::out / (Atoms < 2 ? 1 : Atoms);
};

namespace detail {
template <int Atoms, class Done, int... Left>
struct MakeDistributional;
template <int Atoms, int... Done, int Actions>
struct MakeDistributional<Atoms, std::integer_sequence<int, Done...>, Actions> {
  using type = Distributional<Atoms, Mlp<Done..., Actions * Atoms>>;
};
template <int Atoms, int... Done, int Size, int Next, int... Left>
struct MakeDistributional<Atoms, std::integer_sequence<int, Done...>, Size, Next, Left...>
    : MakeDistributional<Atoms, std::integer_sequence<int, Done..., Size>, Next, Left...> {};
}  // namespace detail

/// Mlp<O, hidden..., A · Atoms>.
template <int Atoms, int... Sizes>
struct DistributionalMlp
    : detail::MakeDistributional<Atoms, std::integer_sequence<int>, Sizes...>::type {};

}  // namespace polyq::nn
