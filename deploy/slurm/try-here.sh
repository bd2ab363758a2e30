#!/usr/bin/env bash
# Tries the job array on a cluster of two nodes on this one machine: starts a controller and two nodes, submits the array and
# the merge, compares the result with an unsharded run byte by byte, and stops what it started.
#
#   apt-get install slurm-wlm munge       # Debian
#   deploy/slurm/try-here.sh target/release/squall [SHARDS]
set -euo pipefail
squall=$(realpath "${1:?usage: try-here.sh SQUALL [SHARDS]}")
shards=${2:-5}
here=$(cd "$(dirname "$0")" && pwd)
scenario=$(realpath "$here/../../tests/cli/files/storm.yaml")

# Short, because munge's socket must fit a socket's name; private, because munge insists.
cluster=$(mktemp -d /var/tmp/squall-slurm.XXXXXX)
pids=()
stop() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$cluster"
}
trap stop EXIT

port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
user=$(id -un)
mkdir -p "$cluster/state" "$cluster/n1" "$cluster/n2" "$cluster/work"
(umask 077; head -c 128 /dev/urandom >"$cluster/munge.key")
cat >"$cluster/slurm.conf" <<CONF
ClusterName=squall
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=$(port)
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$cluster/munge.socket
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/cons_tres
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/%n
SlurmctldPidFile=$cluster/slurmctld.pid
SlurmdPidFile=$cluster/slurmd-%n.pid
SlurmctldLogFile=$cluster/slurmctld.log
SlurmdLogFile=$cluster/slurmd-%n.log
NodeName=n1 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=$(port) CPUs=1
NodeName=n2 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=$(port) CPUs=1
PartitionName=all Nodes=n1,n2 Default=YES State=UP
CONF
export SLURM_CONF=$cluster/slurm.conf

munged --foreground --force --key-file="$cluster/munge.key" --socket="$cluster/munge.socket" \
  --pid-file="$cluster/munged.pid" --log-file="$cluster/munged.log" --seed-file="$cluster/munged.seed" \
  >"$cluster/munged.out" 2>&1 &
pids+=($!)
for _ in $(seq 50); do [ -S "$cluster/munge.socket" ] && break; sleep 0.1; done
slurmctld -D >"$cluster/slurmctld.out" 2>&1 &
pids+=($!)
for node in n1 n2; do
  slurmd -D -N $node >"$cluster/$node.out" 2>&1 &
  pids+=($!)
done
ready() { [ "$(sinfo -h -o '%D %t' 2>/dev/null)" = "2 idle" ]; }
for _ in $(seq 60); do ready && break; sleep 0.5; done
if ! ready; then
  sinfo -l || true
  tail -n 20 "$cluster"/*.out "$cluster"/*.log
  echo "the cluster did not come up" >&2
  exit 1
fi
sinfo -N -o '%N %t %c'

cd "$cluster/work"
export SQUALL=$squall SQUALL_OUT=$cluster/work/out
array=$(sbatch --parsable --array="1-$shards" "$here/squall.sbatch" "$scenario" --seeds 6 --events)
merge=$(sbatch --parsable --dependency="afterok:$array" "$here/merge.sbatch")
nodes=""
for _ in $(seq 240); do
  nodes+=" $(squeue -h -j "$array" -o '%N' | tr '\n' ' ')"
  [ -z "$(squeue -h -j "$array,$merge" 2>/dev/null)" ] && break
  sleep 0.25
done
echo "shards ran on: $(tr ' ' '\n' <<<"$nodes" | grep . | sort -u | tr '\n' ' ')"

mkdir unsharded
"$squall" run "$scenario" --seeds 6 --events --report-dir unsharded >/dev/null
for file in unsharded/*; do
  if ! cmp "$file" "out/reports/$(basename "$file")"; then
    tail -n 5 "$cluster"/work/*.log
    exit 1
  fi
done
echo "figure slurm.shards = $shards shards"
echo "figure slurm.differences = 0 files"
