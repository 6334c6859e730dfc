#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What becomes of an MPI job when a rank fails: mpi_faults.py one|two MPIEXEC FAULTS CONTRACT.

Runs the program FAULTS with each fault, on this machine or across two network namespaces that stand
for two hosts (as root, with iproute2; else exit 77), and checks what every surviving rank says and
when, the job's exit code, and that no process is left. Two hosts also run the program CONTRACT.
Prints a table of what it measured."""
import collections
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

DEADLINE = 2.0  # of every operation, seconds
GRACE = 1.0  # what a rank may take longer to say so
LOST, OTHER = [75], [2]  # exit codes: start again; do not
FAILED = range(1, 256)
SKIPPED = 77

# The ranks but the last say `others`; the last says `last`, or nothing that matters.
Fault = collections.namedtuple("Fault", "ranks codes others last")
MISSING = r"waited [\d.]+ s; missing: rank {last}, stopped, unreachable or busy"
RUN = "rank {} runs another program or other settings"
ONE_HOST = {
    "none": [Fault(n, [0], None, None) for n in (2, 4)],
    "work": [Fault(2, [0], None, None)],  # of its own behind the last call, beyond the deadline
    "stop": [Fault(n, LOST, MISSING, None) for n in (2, 3, 4)],
    "late": [Fault(n, LOST, MISSING, "began beyond the deadline of the others") for n in (2, 4)],
    "operation": [Fault(4, OTHER, r"rank {last} called barrier \(operation 105\)",
                        r"rank 0 called all_reduce_sum of 4610 floats \(operation 105\)")],
    "size": [Fault(4, OTHER, r"rank {last} called all_reduce_sum of 99 floats \(operation 105\)",
                   r"rank 0 called all_reduce_sum of 4610 floats \(operation 105\)")],
    "run": [Fault(4, OTHER, RUN.format("{last}"), RUN.format("0"))],
    "throw": [Fault(4, OTHER, "rank {last} gave up: an exception ended it$", "no luck")],
    "abort": [Fault(4, OTHER, "rank {last} gave up: no power$", "rank {last} gave up: no power$")],
    "leave": [Fault(n, OTHER, "rank {last} gave up: it closed its communicator$", None)
              for n in (2, 4)],
    "kill": [Fault(n, FAILED, None, None) for n in (2, 4)],
    "exit": [Fault(2, OTHER, None, None)],
    "uncaught": [Fault(2, FAILED, MISSING, None)],
}
TWO_HOSTS = {
    "none": [Fault(2, [0], None, None)],
    "stop": [Fault(2, LOST, MISSING, None)],
    "abort": [Fault(2, OTHER, "rank {last} gave up: no power$", None)],
    "kill": [Fault(2, FAILED, None, None)],
    "link": [Fault(2, LOST, "missing: rank 1, ", "missing: rank 0, ")],
}


class OneHost:
    """Ranks of one machine."""

    def __init__(self, mpiexec):
        self.command = [mpiexec]


class TwoHosts:
    """Two network namespaces with a link between them, each with a host name and its own `hosts`."""

    def __init__(self, mpiexec):
        self.names = [f"polyq{os.getpid()}{side}" for side in "ab"]
        self.links = [f"pq{os.getpid()}{side}" for side in "ab"]
        here, there = self.names
        self.folder = tempfile.mkdtemp(prefix="polyq-hosts-")
        agent = os.path.join(self.folder, "agent")
        self.command = [*self.inside(here), mpiexec, "--host", f"{here}:1,{there}:1",
                        "--mca", "plm_rsh_agent", agent, "--mca", "pml", "ob1",
                        "--mca", "btl", "self,vader,tcp", "--mca", "btl_tcp_if_include",
                        "10.77.0.0/24", "--mca", "oob_tcp_if_include", "10.77.0.0/24"]
        pathlib.Path(agent).write_text(
            '#!/bin/bash\n# Stands in for ssh: agent HOST COMMAND...\n'
            'while [[ $1 == -* ]]; do shift; done\nhost=$1\nshift\nexec ip netns exec "$host" '
            'unshare --uts bash -c \'hostname "$0"; eval "$*"\' "$host" "$@"\n')
        os.chmod(agent, 0o755)

    @staticmethod
    def inside(name):
        return ["ip", "netns", "exec", name, "unshare", "--uts", "bash", "-c",
                'hostname "$0"; exec "$@"', name]

    def __enter__(self):
        try:
            self.build()
        except subprocess.CalledProcessError as error:  # root of a container may not, say
            self.__exit__()
            print(f"SKIPPED: two hosts cannot be made here: {' '.join(error.cmd)} failed")
            sys.exit(SKIPPED)
        return self

    def build(self):
        for name in self.names:
            self.ip("netns", "add", name)
        here, there = self.links
        self.ip("link", "add", here, "netns", self.names[0], "type", "veth", "peer", "name", there,
                "netns", self.names[1])
        hosts = "127.0.0.1 localhost\n"
        for number, (name, link) in enumerate(zip(self.names, self.links), start=1):
            self.ip("-n", name, "addr", "add", f"10.77.0.{number}/24", "dev", link)
            self.ip("-n", name, "link", "set", "lo", "up")
            self.ip("-n", name, "link", "set", link, "up")
            hosts += f"10.77.0.{number} {name}\n"
        for name in self.names:  # `ip netns exec` lays it over /etc
            folder = pathlib.Path("/etc/netns", name)
            folder.mkdir(parents=True)
            (folder / "hosts").write_text(hosts)
            subprocess.run([*self.inside(name), "true"], check=True)

    def __exit__(self, *_):
        for name in self.names:
            inside = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True)
            end_all(int(pid) for pid in inside.stdout.split())
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
            shutil.rmtree(f"/etc/netns/{name}", ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def ip(*arguments):
        subprocess.run(["ip", *arguments], check=True)

    def link(self, state):
        self.ip("-n", self.names[1], "link", "set", self.links[1], state)


def end_all(processes):
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def left_of(folder, program=""):
    """The processes that have `folder` among their arguments and run `program`."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes().decode(errors="replace")
            if folder in line and line.startswith(program):
                found.append(int(path.parts[2]))
    return found


def cut_the_link(hosts, program, folder, ranks):
    """Returns when it was cut and for how long the ranks lived behind it. The launcher's own parts
    find each other again only when the link is back; before, they know nothing."""
    wait_until(lambda: all(notes_of(folder, r) for r in range(ranks)), 20)
    time.sleep(.3)
    hosts.link("down")
    cut_at = time.time()
    gone = wait_until(lambda: not left_of(folder, program), 10)
    lived = time.time() - cut_at
    hosts.link("up")
    return cut_at, lived, [] if gone else ["ranks without a link did not end"]


def wait_until(holds, seconds):
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(.02)
    return holds()


def notes_of(folder, rank):
    path = pathlib.Path(folder, f"rank{rank}")
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def run(hosts, program, name, fault):
    """Runs one job; returns its row of the table and what was wrong."""
    with tempfile.TemporaryDirectory(prefix="polyq-faults-") as folder:
        output = open(os.path.join(folder, "output"), "w+")
        command = [*hosts.command, "-n", str(fault.ranks), program, name, str(DEADLINE), folder]
        job = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        cut_at, lived, wrong = None, None, []
        if name == "link":
            cut_at, lived, wrong = cut_the_link(hosts, program, folder, fault.ranks)
        with contextlib.suppress(subprocess.TimeoutExpired):
            job.wait(30)
        over_at = time.time()
        if job.poll() is None:
            wrong.append("the job did not end within 30 s")
        if not wait_until(lambda: not left_of(folder), 5):
            wrong.append(f"processes are left: {left_of(folder)}")
            end_all(left_of(folder))
        job.wait()
        notes = [notes_of(folder, r) for r in range(fault.ranks)]
        fault_at = cut_at or next((n["at"] for n in notes[-1] if n["event"] == "fault"), None)
        over = lived or over_at - (fault_at or over_at)
        row, found = judge(name, fault, notes, job.returncode, over)
        wrong += found
        if wrong:
            output.seek(0)
            wrong.append(output.read())
        return row, wrong


def judge(name, fault, notes, code, over):
    wrong, slowest, sentence = [], None, ""
    code = code if code >= 0 else 128 - code
    if code not in fault.codes:
        wrong.append(f"the job's exit code is {code}")
    if fault.codes is FAILED and over > 5:
        wrong.append(f"the job was over {over:.1f} s behind the fault")
    for rank, lines in enumerate(notes):
        expected = fault.last if rank == fault.ranks - 1 else fault.others
        told = next((n for n in lines if n["event"] in ("told", "threw")), None)
        if name in ("none", "work") and lines[-1]["event"] != "done":
            wrong.append(f"rank {rank} did not come to its end")
        if expected is None:
            continue
        pattern = expected.format(last=fault.ranks - 1)
        if told is None or not re.search(pattern, told["message"]):
            wrong.append(f"rank {rank} said {told and told['message']}, not {pattern}")
            continue
        if told["seconds"] > DEADLINE + GRACE:
            wrong.append(f"rank {rank} took {told['seconds']:.2f} s")
        slowest = max(slowest or 0, told["seconds"])
        if rank == 0:
            sentence = re.search(pattern.rstrip("$"), told["message"]).group()
    told_after = "" if slowest is None else f"{slowest:.3f}"
    return f"| {name} | {fault.ranks} | {sentence} | {told_after} | {over:.1f} | {code} |", wrong


def run_all(hosts, program, faults):
    rows, failed = [], 0
    for name, cases in faults.items():
        for fault in cases:
            row, wrong = run(hosts, program, name, fault)
            rows.append(row)
            if wrong:
                failed += 1
                print(f"{name}, {fault.ranks} ranks: " + "\n  ".join(wrong), flush=True)
    print(f"a deadline of {DEADLINE:g} s; the last rank fails")
    print("| fault | ranks | what the others say | said after s | job over after s | code |")
    print("|---|---|---|---|---|---|", *rows, sep="\n")
    return failed


def main():
    where, mpiexec, program, contract = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the hosts are taken down
    if where == "one":
        return 1 if run_all(OneHost(mpiexec), program, ONE_HOST) else 0
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("unshare"):
        print("SKIPPED: two hosts need root, iproute2 and unshare")
        return SKIPPED
    with TwoHosts(mpiexec) as hosts:
        done = subprocess.run([*hosts.command, "-n", "2", contract], timeout=120)
        failed = done.returncode != 0
        print(f"the contract between two hosts: {'failed' if failed else 'kept'}", flush=True)
        failed += run_all(hosts, program, TWO_HOSTS)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
