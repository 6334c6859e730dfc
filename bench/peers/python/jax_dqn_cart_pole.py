# SPDX-License-Identifier: MIT
"""DQN on CartPole-v1 with environment, replay and learner inside one jit, CleanRL's protocol.

The fastest Python form: 4-120-84-2 with ReLUs, B=128, Adam 2.5e-4, a buffer and a warm-up of
10 000 transitions, an update each 10 environment steps, a target copy each 500, epsilon from 1
to .05 over half of 500 000 steps, 10 environments. Prints compile and run seconds.
Needs: pip install jax optax
Run:   taskset -c 0 env JAX_PLATFORMS=cpu XLA_FLAGS="--xla_cpu_multi_thread_eigen=false" \
         python jax_dqn_cart_pole.py [ENV_STEPS]
"""
import sys
import time

import jax
import jax.numpy as jnp
import optax

ENVIRONMENTS = 10  # one step of all of them is one update
CAPACITY = 10_000
BATCH = 128
ENV_STEPS = int(float(sys.argv[1])) if len(sys.argv) > 1 else 500_000
WARM_UP = 10_000
TARGET_PERIOD = 500
SIZES = (4, 120, 84, 2)
RATE = 2.5e-4
DISCOUNT = 0.99
STEP_LIMIT = 500


def initial_parameters(key):
    parameters = []
    for fan_in, fan_out in zip(SIZES[:-1], SIZES[1:]):
        key, draw_weight, draw_bias = jax.random.split(key, 3)
        bound = fan_in**-0.5
        weight = jax.random.uniform(draw_weight, (fan_in, fan_out), minval=-bound, maxval=bound)
        bias = jax.random.uniform(draw_bias, (fan_out,), minval=-bound, maxval=bound)
        parameters.append((weight, bias))
    return parameters


def q_values(parameters, x):
    for weight, bias in parameters[:-1]:
        x = jax.nn.relu(x @ weight + bias)
    weight, bias = parameters[-1]
    return x @ weight + bias


def step_cart_pole(state, action):
    """Gymnasium's CartPole-v1: the next state, and whether the pole or the cart is lost."""
    x, velocity, angle, spin = state
    force = jnp.where(action == 1, 10.0, -10.0)
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    push = (force + 0.05 * spin * spin * sine) / 1.1
    spin_rate = (9.8 * sine - cosine * push) / (0.5 * (4 / 3 - 0.1 * cosine * cosine / 1.1))
    acceleration = push - 0.05 * spin_rate * cosine / 1.1
    next_state = jnp.stack([
        x + 0.02 * velocity,
        velocity + 0.02 * acceleration,
        angle + 0.02 * spin,
        spin + 0.02 * spin_rate,
    ])
    lost = (jnp.abs(next_state[0]) > 2.4) | (jnp.abs(next_state[2]) > 12 * 2 * jnp.pi / 360)
    return next_state, lost


def first_states(key):
    return jax.random.uniform(key, (ENVIRONMENTS, 4), minval=-0.05, maxval=0.05)


def train(key):
    """All updates; the mean of the environments' last returns after each."""
    key, draw_weights, draw_states = jax.random.split(key, 3)
    optimizer = optax.adam(RATE)

    def cycle(carry, k):
        (parameters, target_parameters, optimizer_state, states, ages, replay, key, returns,
         last_returns) = carry
        key, draw_explore, draw_action, draw_reset, draw_rows = jax.random.split(key, 5)
        env_steps = k * ENVIRONMENTS

        epsilon = jnp.maximum(0.05, 1 - 0.95 * env_steps / (ENV_STEPS / 2))
        explores = jax.random.uniform(draw_explore, (ENVIRONMENTS,)) < epsilon
        random_actions = jax.random.randint(draw_action, (ENVIRONMENTS,), 0, 2)
        actions = jnp.where(explores, random_actions, q_values(parameters, states).argmax(1))

        next_states, terminated = jax.vmap(step_cart_pole)(states, actions)
        ages = ages + 1
        done = terminated | (ages >= STEP_LIMIT)

        row = env_steps % CAPACITY
        transition = (states, next_states, actions, 1.0 - terminated)
        replay = tuple(
            jax.lax.dynamic_update_slice_in_dim(buffer, rows, row, 0)
            for buffer, rows in zip(replay, transition))

        last_returns = jnp.where(done, returns + 1, last_returns)
        returns = jnp.where(done, 0, returns + 1)
        states = jnp.where(done[:, None], first_states(draw_reset), next_states)
        ages = jnp.where(done, 0, ages)

        def learn(learner):
            parameters, optimizer_state = learner
            filled = jnp.minimum(CAPACITY, env_steps + ENVIRONMENTS)
            rows = jax.random.randint(draw_rows, (BATCH,), 0, filled)
            batch_states, batch_next_states, batch_actions, batch_continues = (
                buffer[rows] for buffer in replay)
            next_values = q_values(target_parameters, batch_next_states).max(1)
            targets = 1.0 + DISCOUNT * batch_continues * next_values

            def loss(parameters):
                values = q_values(parameters, batch_states)
                taken = jnp.take_along_axis(values, batch_actions[:, None], 1)[:, 0]
                return jnp.mean((taken - targets) ** 2)

            changes, optimizer_state = optimizer.update(jax.grad(loss)(parameters),
                                                        optimizer_state)
            return optax.apply_updates(parameters, changes), optimizer_state

        parameters, optimizer_state = jax.lax.cond(
            env_steps + ENVIRONMENTS > WARM_UP, learn, lambda learner: learner,
            (parameters, optimizer_state))
        copies = (env_steps + ENVIRONMENTS) % TARGET_PERIOD == 0
        target_parameters = jax.tree.map(
            lambda online, target: jnp.where(copies, online, target), parameters,
            target_parameters)
        carry = (parameters, target_parameters, optimizer_state, states, ages, replay, key,
                 returns, last_returns)
        return carry, last_returns.mean()

    parameters = initial_parameters(draw_weights)
    replay = (jnp.zeros((CAPACITY, 4)), jnp.zeros((CAPACITY, 4)),
              jnp.zeros(CAPACITY, jnp.int32), jnp.zeros(CAPACITY))
    carry = (parameters, parameters, optimizer.init(parameters), first_states(draw_states),
             jnp.zeros(ENVIRONMENTS, jnp.int32), replay, key, jnp.zeros(ENVIRONMENTS),
             jnp.zeros(ENVIRONMENTS))
    return jax.lax.scan(cycle, carry, jnp.arange(ENV_STEPS // ENVIRONMENTS))


def main():
    start = time.time()
    compiled_train = jax.jit(train).lower(jax.random.PRNGKey(0)).compile()
    compile_seconds = time.time() - start
    for seed in (0, 1):
        cpu_start = time.process_time()
        start = time.time()
        _, returns = jax.block_until_ready(compiled_train(jax.random.PRNGKey(seed)))
        seconds = time.time() - start
        cpu_seconds = time.process_time() - cpu_start
        print(f"jax in one jit, {ENV_STEPS} env steps, seed {seed}: "
              f"compile {compile_seconds:.1f} s, run {seconds:.2f} s (cpu {cpu_seconds:.2f}), "
              f"last returns {returns[-2000:].mean():.1f}", flush=True)


if __name__ == "__main__":
    main()
