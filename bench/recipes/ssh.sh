#!/usr/bin/env bash
# Measures every host of a list by ssh in two passes, and reports which one is slow. From a checkout on this machine:
#
#     bash bench/recipes/ssh.sh HOSTS DIR           HOSTS: a file, a host a line as ssh takes it, # begins a comment
#     bash bench/recipes/ssh.sh HOSTS DIR           again: only what is missing
#     PASSES="confirm-1 confirm-2" bash bench/recipes/ssh.sh SUSPECT_AND_CONTROL DIR
#
# Each host has a checkout with its .venv at CHECKOUT, below the home folder or absolute, without spaces. ssh asks no
# question. Runs stay there, under reports/runs/; profiles and logs come to DIR/HOST/PASS/.
set -euo pipefail

HOSTS=${1:?which hosts? ssh.sh HOSTS DIR}
DIR=${2:?in which folder? ssh.sh HOSTS DIR}
CHECKOUT=${CHECKOUT:-rnn-roofline}
SUITE=${SUITE:-quick}
PASSES=${PASSES:-1 2}         # one after the other
AT_ONCE=${AT_ONCE:-32}        # hosts that measure at the same time
CONNECT=${CONNECT:-20}        # seconds within which a host must answer
LIMIT=${LIMIT:-2700}          # seconds that a host may take in a pass
RNN_ROOFLINE_RUN=${RNN_ROOFLINE_RUN:-python -m pytest -c pyproject.toml --benchmark-only --wait=1800}
RNN_ROOFLINE_REPORT=${RNN_ROOFLINE_REPORT:-python -m reports fleet}
OPTIONS=(-o BatchMode=yes -o "ConnectTimeout=$CONNECT" -o ServerAliveInterval=15 -o ServerAliveCountMax=4)

# Whether this folder holds a whole measurement. Not the exit code: a run that measured all may still exit 1.
measured() { grep -qs '^ *"complete": true' "$1/profile.json"; }

enter() { # the checkout, and its environment
    cd -- "$1"
    # shellcheck source=/dev/null
    if [[ -f .venv/bin/activate ]]; then source .venv/bin/activate; fi
}

# shellcheck disable=SC2317 # called on the host
measure() { # there, a pass or what is missing of it, and no longer than the limit even if nobody is left to wait for it
    local folder=$1 suite=$2 limit=$3 run=$4 asked
    if measured "$folder"; then return; fi
    if [[ $(head -n 1 "$folder/journal.jsonl" 2>/dev/null | wc -l) -gt 0 ]]; then
        asked=("--resume=$folder")
    else
        asked=("--suite=$suite" "--out=$folder")
    fi
    # shellcheck disable=SC2086 # words of a command
    timeout --kill-after=60 "$limit" $run "${asked[@]}" </dev/null
}

visit() { # a host, from here: measure, fetch, tell
    # the host's name is in its folder there, too: hosts may share their home folders
    local host=$1 pass=$2 into=$DIR/$1/$2 there=reports/runs/fleet-$id/$1/$2 seconds=$SECONDS
    mkdir -p -- "$into"
    if measured "$into"; then return; fi
    # The script goes in by standard input, so that no other shell reads it, whichever the host logs in with.
    {
        declare -f measured enter measure
        printf 'set -eu; enter %q; measure %q %q %q %q\n' "$CHECKOUT" "$there" "$SUITE" "$LIMIT" "$RNN_ROOFLINE_RUN"
    } | timeout --kill-after=10 "$((LIMIT + 120))" ssh "${OPTIONS[@]}" "$host" bash -s >>"$into/log.txt" 2>&1 &
    local child=$! code=0
    # shellcheck disable=SC2064 # this child
    trap "kill $child; exit" TERM
    wait "$child" || code=$?
    # 255 is ssh's own: no answer, or the connection was lost. The host may still measure; another start fetches that.
    if ((code != 255)) && timeout 120 scp -q "${OPTIONS[@]}" \
        "$host:$CHECKOUT/$there/profile.json" "$into/fetched" >>"$into/scp.txt" 2>&1; then
        mv -- "$into/fetched" "$into/profile.json"
    fi
    if measured "$into"; then
        echo "$host: pass $pass: $((SECONDS - seconds)) s"
    else
        echo "$host: pass $pass is missing: $(tail -n 1 "$into/log.txt")"
    fi
}

mapfile -t hosts < <(sed 's/[[:space:]]*#.*//; s/^[[:space:]]*//; s/[[:space:]]*$//; /^$/d' "$HOSTS")
for host in "${hosts[@]}"; do
    if [[ ! $host =~ ^[[:alnum:]_][[:alnum:]_.@-]*$ ]]; then
        echo "$HOSTS: '$host' is no host: give a name, a Host of your ssh configuration, or USER@NAME" >&2
        exit 2
    fi
done
count=${#hosts[@]} number=0 missing=0
if ((count == 0)); then
    echo "$HOSTS: it names no host" >&2
    exit 2
fi

# This fleet's folders on the hosts have a name that no other fleet has: a later one must not fetch these profiles.
mkdir -p -- "$DIR"
if [[ ! -s $DIR/fleet-id ]]; then echo "$(date -u +%Y%m%d-%H%M%S)-$$" >"$DIR/fleet-id"; fi
id=$(<"$DIR/fleet-id")

trap 'kill $(jobs -p) 2>/dev/null; exit 130' INT TERM # hosts end the pass that they measure: start again to fetch it
for pass in $PASSES; do
    for ((i = 0; i < count; i++)); do
        while (($(jobs -rp | wc -l) >= AT_ONCE)); do wait -n || true; done
        visit "${hosts[(i + number) % count]}" "$pass" & # each pass is begun by another host
    done
    wait
    for host in "${hosts[@]}"; do
        measured "$DIR/$host/$pass" || missing=$((missing + 1))
    done
    number=$((number + 1))
done

code=0
DIR=$(realpath -- "$DIR")
enter "$(dirname -- "${BASH_SOURCE[0]}")/../.."
# shellcheck disable=SC2086 # words of a command
$RNN_ROOFLINE_REPORT "$DIR" --out "$DIR" || code=$?
if ((code == 0 && missing > 0)); then code=3; fi
exit "$code"
