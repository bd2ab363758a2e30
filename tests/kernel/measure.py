#!/usr/bin/env python3
"""Measures this machine's kernel as `tests/data/linux-tcp-more.json` was: real tonic programs in two network namespaces, joined
by a relay that delays every packet by half the round trip and loses it by an independent draw. Prints a case of that file.

    cargo build --release --example kernel_load
    sudo tests/kernel/measure.py loss --rtt 50 --loss 5 --bytes 100          # 40 s, three runs side by side
    sudo tests/kernel/measure.py black-hole --rtt 10 --seconds 3             # calls that meet it, when they end
    sudo tests/kernel/measure.py connect --rtt 10 --seconds 3                # clients that connect into it

A busy machine measures itself: leave it alone meanwhile.
"""
import argparse
import collections
import contextlib
import ctypes
import fcntl
import json
import os
import random
import select
import statistics
import struct
import subprocess
import sys
import time
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[2] / "target/release/examples/kernel_load"
SERVER = "10.9.0.2:50051"
TUNSETIFF, IFF_TUN, IFF_NO_PI, CLONE_NEWNET = 0x400454CA, 0x0001, 0x1000, 0x40000000
# The relay stands above the programs, so that what it measures is the delay it was told and not its own.
RELAY_PRIORITY, PROGRAM_PRIORITY = 20, 5
# Seconds after which connections are warm, and a black hole may begin.
STEADY = 4.0
CLIENTS = 20


def inside(namespace, *command):
    """The command in a network namespace, with real-time priority."""
    return ["ip", "netns", "exec", namespace, "chrt", "-f", str(PROGRAM_PRIORITY), *map(str, command)]


def run(*command):
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def open_tunnel(namespace, number):
    """A TUN device in the namespace, whose packets this process sees."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{namespace}") as file:
        if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
    tunnel = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tunnel, TUNSETIFF, struct.pack("16sH", b"tun0", IFF_TUN | IFF_NO_PI))
    run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv4.tcp_congestion_control=reno")
    run("ip", "addr", "add", f"10.9.0.{number}", "peer", f"10.9.0.{3 - number}", "dev", "tun0")
    run("ip", "link", "set", "tun0", "mtu", "1500", "txqueuelen", "10000", "up")
    return tunnel


def relay(namespaces, delay, loss, seed, hole):
    """Carries packets both ways until it is terminated. `hole`: from when to when everything is lost, since the first packet."""
    tunnels = [open_tunnel(name, number) for number, name in enumerate(namespaces, start=1)]
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(RELAY_PRIORITY))
    draws = random.Random(seed)
    waiting = collections.deque()
    first = None
    print("ready", flush=True)
    while True:
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, tunnel, packet = waiting.popleft()
            os.write(tunnel, packet)
            now = time.monotonic()
        readable, _, _ = select.select(tunnels, [], [], waiting[0][0] - now if waiting else None)
        for tunnel in readable:
            while packet := read(tunnel):
                now = time.monotonic()
                first = now if first is None else first
                in_hole = hole and hole[0] <= now - first < hole[1]
                if not in_hole and draws.random() >= loss:
                    waiting.append((now + delay, tunnels[tunnels[0] == tunnel], packet))


def read(tunnel):
    try:
        return os.read(tunnel, 2048)
    except BlockingIOError:
        return None


class Wire:
    """Two namespaces and the relay between them, gone when it is left."""

    def __init__(self, number, options, seed, hole=None):
        self.names = [f"squall-{os.getpid()}-{number}-{side}" for side in "ab"]
        self.options, self.seed, self.hole = options, seed, hole
        self.processes = []

    def __enter__(self):
        for name in self.names:
            run("ip", "netns", "add", name)
            run("ip", "netns", "exec", name, "ip", "link", "set", "lo", "up")
        told = {"delay": self.options.rtt / 2e3, "loss": self.options.loss / 100, "seed": self.seed, "hole": self.hole}
        self.start([sys.executable, __file__, "relay", json.dumps([self.names, told])], "ready")
        self.start(inside(self.names[1], PROGRAM, "serve", SERVER))
        return self

    def start(self, command, says=None):
        process = subprocess.Popen(command, stdout=subprocess.PIPE if says else None, text=True)
        self.processes.append(process)
        if says and process.stdout.readline().strip() != says:
            raise SystemExit(f"{command[0]} does not start")

    def client(self, what, *arguments):
        command = inside(self.names[0], PROGRAM, what, SERVER, *arguments)
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()
        for name in self.names:
            run("ip", "netns", "del", name)


def measure(options, hole, *command):
    """What the client printed in each run: a list of rows of numbers a run. Runs go side by side."""
    with contextlib.ExitStack() as stack:
        seeds = range(options.seed, options.seed + options.runs)
        wires = [stack.enter_context(Wire(number, options, seed, hole)) for number, seed in enumerate(seeds)]
        time.sleep(0.5)
        clients = [wire.client(*command) for wire in wires]
        outputs = [client.communicate()[0] for client in clients]
        if any(client.returncode for client in clients):
            raise SystemExit("a client failed: it says why above")
    return [[tuple(map(float, line.split())) for line in output.splitlines()] for output in outputs]


def quantile(values, percent):
    return sorted(values)[min(int(len(values) * percent / 100), len(values) - 1)]


def spread(values):
    return max(values) - min(values)


def loss(options):
    """Latencies of calls on a lossy link: 20 clients, a call every 100 ms."""
    runs = [[ms for _, ms in run] for run in measure(options, None, "call", options.bytes, options.calls)]
    pooled = sum(runs, [])
    mean, means = statistics.mean(pooled), [statistics.mean(run) for run in runs]
    case = {
        "id": f"loss-rtt{options.rtt:g}ms-{options.loss:g}pct-{options.bytes}B",
        "rtt_ms": options.rtt,
        "loss_each_way": options.loss / 100,
        "payload_bytes": options.bytes,
        "calls": len(pooled),
        "latency_ms": {},
        "spread_between_runs_ms": {},
        "mean_ms": round(mean, 2),
        "judged": True,
        "tolerance_ms": {},
        "mean_tolerance_ms": round(max(0.1 * mean, 0.6, 3 * spread(means)), 2),
    }
    for percent in (50, 75, 90, 95, 99):
        value, between = quantile(pooled, percent), spread([quantile(run, percent) for run in runs])
        share, least = (0.1, 0.6) if percent < 95 else (0.2, 1.2)
        case["latency_ms"][f"p{percent}"] = round(value, 2)
        case["spread_between_runs_ms"][f"p{percent}"] = round(between, 2)
        case["tolerance_ms"][f"p{percent}"] = round(max(share * value, least, 3 * between), 2)
    return case


def black_hole(options):
    """Calls that meet a black hole, and when they end after it."""
    options.loss, heals = 0, STEADY + options.seconds
    runs = measure(options, (STEADY, heals), "call", 100, 150)
    stalled = [[start + ms / 1e3 - heals for start, ms in run if ms > 50] for run in runs]
    middle, counts = statistics.median(sum(stalled, [])), statistics.mean(map(len, stalled))
    between = spread([statistics.median(run) for run in stalled])
    return {
        "id": f"black-hole-{options.seconds:g}s",
        "rtt_ms": options.rtt,
        "black_hole_both_ways_s": options.seconds,
        "calls": 150 * CLIENTS,
        "stalled_calls_over_50ms": round(counts),
        "median_stalled_call_ends_after_heal_s": round(middle, 3),
        "tolerance_s": round(max(0.15 * middle, 3 * between, 0.05), 3),
        "tolerance_stalled": round(0.12 * counts),
    }


def connect(options):
    """Clients that connect while everything is lost."""
    options.loss = 0
    took = [ms for run in measure(options, (0, options.seconds), "connect") for (ms,) in run]
    return {
        "id": f"connect-into-black-hole-{options.seconds:g}s",
        "rtt_ms": options.rtt,
        "black_hole_until_s": options.seconds,
        "connect_ms": {"min": round(min(took)), "median": round(statistics.median(took)), "max": round(max(took))},
        "tolerance_ms": 120,
    }


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(required=True)
    for name, measures in {"loss": loss, "black-hole": black_hole, "connect": connect}.items():
        kind = kinds.add_parser(name, help=measures.__doc__)
        kind.set_defaults(measures=measures)
        kind.add_argument("--rtt", type=float, default=10, help="round trip, ms")
        kind.add_argument("--runs", type=int, default=3, help="runs, pooled")
        kind.add_argument("--seed", type=int, default=1, help="of the first run's losses")
        if measures is loss:
            kind.add_argument("--loss", type=float, required=True, help="lost each way, %%")
            kind.add_argument("--bytes", type=int, required=True, help="payload of a request")
            kind.add_argument("--calls", type=int, default=300, help="of each client")
        else:
            kind.add_argument("--seconds", type=float, required=True, help="how long everything is lost")
    return parser.parse_args()


def main():
    if sys.argv[1:2] == ["relay"]:
        namespaces, told = json.loads(sys.argv[2])
        relay(namespaces, **told)
    options = arguments()
    if os.geteuid() != 0 or not PROGRAM.exists():
        raise SystemExit("needs root, for network namespaces, and: cargo build --release --example kernel_load")
    print(json.dumps(options.measures(options)))


if __name__ == "__main__":
    main()
