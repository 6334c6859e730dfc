# SPDX-License-Identifier: MIT
"""Stable-Baselines3's DQN on CartPole-v1 with RL Zoo's settings, 50 000 steps on one thread.

Prints wall and CPU seconds, and the greedy return over 100 episodes.
Needs: pip install torch gymnasium stable-baselines3
Run:   taskset -c 0 python sb3_cart_pole.py SEED
"""
import sys
import time

import gymnasium as gym
import torch
from stable_baselines3 import DQN
from stable_baselines3.common.evaluation import evaluate_policy

ENV_STEPS = 50_000


def main():
    torch.set_num_threads(1)
    seed = int(sys.argv[1])
    model = DQN(
        "MlpPolicy",
        gym.make("CartPole-v1"),
        learning_rate=2.3e-3,
        batch_size=64,
        buffer_size=100_000,
        learning_starts=1000,
        gamma=0.99,
        target_update_interval=10,
        train_freq=256,
        gradient_steps=128,
        exploration_fraction=0.16,
        exploration_final_eps=0.04,
        policy_kwargs=dict(net_arch=[256, 256]),
        seed=seed,
        device="cpu",
    )
    start = time.time()
    cpu_start = time.process_time()
    model.learn(ENV_STEPS)
    seconds = time.time() - start
    cpu_seconds = time.process_time() - cpu_start
    mean, deviation = evaluate_policy(model, gym.make("CartPole-v1"), n_eval_episodes=100)
    print(f"sb3 {ENV_STEPS} env steps, seed {seed}: {seconds:.1f} s (cpu {cpu_seconds:.1f}), "
          f"{ENV_STEPS / seconds:.0f} steps/s, greedy return {mean:.1f} +- {deviation:.1f}")


if __name__ == "__main__":
    main()
