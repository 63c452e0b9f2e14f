#!/usr/bin/env bash
# Measures every node of a Slurm job in two passes, and reports which one is slow. From the checkout:
#
#     sbatch --nodes=8 bench/recipes/slurm.sh DIR                    DIR: a folder that every node sees
#     sbatch --nodes=8 bench/recipes/slurm.sh DIR                    again: only what is missing
#     PASSES="confirm-1 confirm-2" sbatch --nodelist=SUSPECT,CONTROL bench/recipes/slurm.sh DIR
#     sbatch --exclude=SUSPECT ...                                   the option that the report prints, for any job
#     salloc --nodes=8 --exclusive --mem=0 --no-kill bash bench/recipes/slurm.sh DIR      the same, without a batch job
#
# All of a node: here, and not on srun, whose --exclusive grants a step one processor only.
#SBATCH --job-name=rnn-roofline
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --mem=0
# A dead node ends neither the job nor the steps on other nodes.
#SBATCH --no-kill
#SBATCH --no-requeue
#SBATCH --time=02:00:00
#SBATCH --output=rnn-roofline-%j.log
set -euo pipefail

DIR=$(realpath -m -- "${1:?in which folder? sbatch --nodes=N bench/recipes/slurm.sh DIR}")
CHECKOUT=${CHECKOUT:-$PWD} # where sbatch was called; the same on every node, with its .venv
SUITE=${SUITE:-quick}
PASSES=${PASSES:-1 2}     # one after the other
MINUTES=${MINUTES:-45}    # the longest that a node may take in a pass
RNN_ROOFLINE_RUN=${RNN_ROOFLINE_RUN:-python -m pytest -c pyproject.toml --benchmark-only --wait=1800}
RNN_ROOFLINE_REPORT=${RNN_ROOFLINE_REPORT:-python -m reports fleet}
export DIR CHECKOUT SUITE RNN_ROOFLINE_RUN

# Whether this folder holds a whole measurement. Not the exit code: a run that measured all may still exit 1.
measured() { grep -qs '^ *"complete": true' "$1/profile.json"; }

enter() { # the checkout, and its environment
    cd -- "$CHECKOUT"
    # shellcheck source=/dev/null
    if [[ -f .venv/bin/activate ]]; then source .venv/bin/activate; fi
}

# shellcheck disable=SC2317 # called on the node
measure() { # there, a pass or what is missing of it
    local folder=$DIR/$SLURMD_NODENAME/$1 asked
    if measured "$folder"; then return; fi
    enter
    if [[ $(head -n 1 "$folder/journal.jsonl" 2>/dev/null | wc -l) -gt 0 ]]; then
        asked=("--resume=$folder")
    else
        asked=("--suite=$SUITE" "--out=$folder")
    fi
    # shellcheck disable=SC2086 # words of a command
    $RNN_ROOFLINE_RUN "${asked[@]}"
}

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
count=${#nodes[@]} number=0 missing=0

for pass in $PASSES; do
    for ((i = 0; i < count; i++)); do
        node=${nodes[(i + number) % count]} # each pass is begun by another node
        mkdir -p -- "$DIR/$node/$pass"
        # A step a node, so that each has its own limit and end. --immediate: none waits for a node that takes no step.
        srun --nodelist="$node" --nodes=1 --ntasks=1 --mem=0 --cpu-bind=none --kill-on-bad-exit=0 --no-kill \
            --immediate=120 --time="$MINUTES" \
            bash -c "$(declare -f measured enter measure); set -eu; measure $pass" \
            >>"$DIR/$node/$pass/log.txt" 2>&1 </dev/null &
    done
    wait
    for node in "${nodes[@]}"; do
        if ! measured "$DIR/$node/$pass"; then
            missing=$((missing + 1))
            why=$(grep -v 'Exited with exit code' "$DIR/$node/$pass/log.txt" | tail -n 1) || true
            echo "$node: pass $pass is missing: ${why:-it says nothing}"
        fi
    done
    number=$((number + 1))
done

code=0
enter
# shellcheck disable=SC2086 # words of a command
$RNN_ROOFLINE_REPORT "$DIR" --out "$DIR" | tee "$DIR/report.txt" || code=$?
exclude=$(grep -o -m 1 -e '--exclude=[^[:space:]]*' "$DIR/report.txt" || true)
if [[ -n $exclude ]]; then
    echo "a job without the slow nodes: sbatch $exclude ..."
fi
if ((code == 0 && missing > 0)); then code=3; fi
exit "$code"
