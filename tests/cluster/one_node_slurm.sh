#!/usr/bin/env bash
# A Slurm cluster of this machine alone, for trying comparisons on it; as root, with Debian's slurm-wlm and munge installed.
#   one_node_slurm.sh up FOLDER      sets it up; its files are in FOLDER, but for a link to the configuration
#   one_node_slurm.sh down FOLDER    ends it
set -euo pipefail
folder=$(realpath -m "$2")
# Where jobs look: their environment holds no SLURM_CONF.
conf=/etc/slurm/slurm.conf
socket=/run/munge/munge.socket.2

up() {
    if [ -e "$conf" ] && [ ! -L "$conf" ]; then
        echo "$conf is there already: this machine has a Slurm of its own." >&2
        exit 1
    fi
    mkdir -p "$folder"/{spool,state} "$(dirname "$conf")" "$(dirname "$socket")"
    local name cores memory
    name=$(hostname -s) cores=$(nproc) memory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo)
    dd if=/dev/urandom of="$folder/munge.key" bs=1024 count=1 status=none
    chmod 600 "$folder/munge.key"
    cat >"$folder/slurm.conf" <<CONF
ClusterName=one-node
SlurmctldHost=$name
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
SlurmdSpoolDir=$folder/spool
StateSaveLocation=$folder/state
NodeName=$name CPUs=$cores RealMemory=$memory State=UNKNOWN
# Not "all": Snakemake reads values of resources as Python, where that is a function.
PartitionName=cpu Nodes=$name Default=YES MaxTime=INFINITE State=UP
CONF
    munged --force --key-file="$folder/munge.key" --socket="$socket" --pid-file="$folder/munged.pid" \
        --log-file="$folder/munged.log" --seed-file="$folder/munged.seed"
    ln -sfn "$folder/slurm.conf" "$conf"
    slurmctld
    slurmd
    for _ in $(seq 30); do
        if sinfo --noheader --format=%t 2>/dev/null | grep -q idle; then
            sinfo
            return
        fi
        sleep 1
    done
    tail "$folder"/*.log >&2
    exit 1
}

down() {
    local daemon
    scancel --partition=cpu || true
    for daemon in slurmd slurmctld munged; do
        if [ -f "$folder/$daemon.pid" ]; then
            kill "$(cat "$folder/$daemon.pid")" || true
        fi
    done
    rm -f "$conf"
}

"$1"
