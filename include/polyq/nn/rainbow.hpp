// SPDX-License-Identifier: MIT
// RainbowMlp (Hessel et al. 2018): distributions for each action, dueling streams, noisy layers.
#pragma once
#include "polyq/nn/distributional.hpp"
#include "polyq/nn/dueling.hpp"
#include "polyq/nn/noisy.hpp"

namespace polyq::nn {

/// DuelingMlp<O, hidden..., A> of Noisy layers behind a first Linear one, with `Atoms` numbers a
/// state and an action; with one hidden layer the streams start at the input and all are Noisy.
template <int Atoms, int... Sizes>
struct RainbowMlp
    : Distributional<Atoms,
                     typename detail::MakeDueling<Noisy, Atoms, Sequential<>, Sizes...>::type> {};

}  // namespace polyq::nn
