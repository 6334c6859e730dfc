# SPDX-License-Identifier: MIT
"""One DQN update in JAX, inside a scan and per jitted call; CPU microseconds, or, where JAX finds a
GPU, microseconds by the wall's clock, a JSON line each.

The shapes, the sampler, the squared loss and Adam are those of the C++ peers. Products are in
float32, without TF32.
Needs: pip install jax optax
Run:   taskset -c 0 env JAX_PLATFORMS=cpu XLA_FLAGS="--xla_cpu_multi_thread_eigen=false" \
         python jax_update.py
"""
import json
import statistics
import time

import jax
import jax.numpy as jnp
import optax

CAPACITY = 10_000
DISCOUNT = 0.99
RATE = 2.5e-4
SHAPES = (
    ([4, 128, 128, 2], 64),
    ([4, 64, 64, 2], 64),
    ([4, 120, 84, 2], 128),
    ([4, 256, 256, 2], 64),
)
GPU_SHAPES = tuple(([4, 128, 128, 2], batch) for batch in (256, 1024, 4096))
ON_GPU = jax.default_backend() == "gpu"


def initial_parameters(key, sizes):
    parameters = []
    for fan_in, fan_out in zip(sizes[:-1], sizes[1:]):
        key, draw = jax.random.split(key)
        bound = fan_in**-0.5
        weight = jax.random.uniform(draw, (fan_in, fan_out), minval=-bound, maxval=bound)
        parameters.append((weight, jnp.zeros(fan_out)))
    return parameters


def q_values(parameters, x):
    for weight, bias in parameters[:-1]:
        x = jax.nn.relu(x @ weight + bias)
    weight, bias = parameters[-1]
    return x @ weight + bias


def microseconds(function, calls):
    clock = time.perf_counter if ON_GPU else time.process_time
    start = clock()
    function()
    return (clock() - start) / calls * 1e6


def measure(sizes, batch, updates):
    key = jax.random.PRNGKey(0)
    observations = jax.random.normal(key, (CAPACITY, sizes[0]))
    next_observations = observations + 0.1
    actions = jax.random.randint(key, (CAPACITY,), 0, sizes[-1])
    rewards = jnp.ones(CAPACITY)
    terminals = (jax.random.uniform(key, (CAPACITY,)) < 0.05).astype(jnp.float32)
    parameters = initial_parameters(key, sizes)
    target_parameters = parameters
    optimizer = optax.adam(RATE)

    def update(carry, _):
        parameters, optimizer_state, key = carry
        key, draw = jax.random.split(key)
        rows = jax.random.randint(draw, (batch,), 0, CAPACITY)
        next_values = q_values(target_parameters, next_observations[rows]).max(1)
        targets = rewards[rows] + DISCOUNT * (1 - terminals[rows]) * next_values

        def loss(parameters):
            values = q_values(parameters, observations[rows])
            taken = jnp.take_along_axis(values, actions[rows][:, None], 1)[:, 0]
            return jnp.mean((taken - targets) ** 2)

        gradient = jax.grad(loss)(parameters)
        changes, optimizer_state = optimizer.update(gradient, optimizer_state)
        return (optax.apply_updates(parameters, changes), optimizer_state, key), None

    scanned = jax.jit(lambda carry: jax.lax.scan(update, carry, None, length=updates)[0])
    single = jax.jit(lambda carry: update(carry, None)[0])
    carry = (parameters, optimizer.init(parameters), key)

    def run_scanned():
        nonlocal carry
        carry = jax.block_until_ready(scanned(carry))

    def run_single(calls):
        nonlocal carry
        for _ in range(calls):
            carry = single(carry)
        jax.block_until_ready(carry)

    run_scanned()  # compiles
    typical = statistics.median if ON_GPU else min  # of CPU time the least is the least disturbed
    in_scan = typical(microseconds(run_scanned, updates) for _ in range(7))
    run_single(1)  # compiles
    per_call = typical(microseconds(lambda: run_single(200), 200) for _ in range(5))
    if ON_GPU:
        what = f"{'-'.join(map(str, sizes))} B={batch}"
        for how, us in (("scan", in_scan), ("jitted call", per_call)):
            print(json.dumps({"bench": "jax_gpu_update", "jax": jax.__version__,
                              "case": f"{what} {how}", "us": round(us, 2)}), flush=True)
    else:
        print(f"jax {sizes} B={batch}: {in_scan:.1f} us an update in a scan, "
              f"{per_call:.1f} per jitted call", flush=True)


if __name__ == "__main__":
    jax.config.update("jax_default_matmul_precision", "highest")
    for layer_sizes, batch_size in SHAPES + (GPU_SHAPES if ON_GPU else ()):
        measure(layer_sizes, batch_size, updates=1000)
