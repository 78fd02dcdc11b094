set -euo pipefail

# One Ray node on each node of the job, the first one its head, and beside it the study's driver, which is this script's
# child. Ray's nodes are steps of the job, all of which srun watches and ends from here.

say() { printf 'raytune_nn job: %s\n' "$*" >&2; }
fail() { say "$*"; exit 4; }
alive() { kill -0 "$1" 2>/dev/null; }
pause() { sleep 0.5 & wait $! || true; }  # a signal ends it

hosts=()
steps=()     # pid of each node's srun; 0 once its end was told
joined=""    # pid of what waits for the nodes
driver=""    # pid
stopped=""   # the signal that came first
token=""

stop() {
    [ -z "$stopped" ] || return 0
    stopped=$1
    say "SIG$1: trials save their states"
    [ -z "$driver" ] || kill -TERM "$driver" 2>/dev/null || true
}

run_node() {  # on each node: a folder and a command, which runs there until the job ends it
    set -u
    local folder=$1 ray="" code=0 told=""
    shift
    umask 077
    mkdir -m 700 -- "$folder" || exit 1
    unset SLURM_NTASKS  # or Lightning takes each trial for a task of SLURM's
    trap 'told=${told:-$SECONDS}; kill -TERM "$ray" 2>/dev/null' USR2
    trap : TERM INT     # scancel and preemption signal all steps, but trials still have to save their states
    setsid "$@" --temp-dir="$folder" >"$folder/start.log" 2>&1 &
    ray=$!
    while kill -0 "$ray" 2>/dev/null; do
        [ -z "$told" ] || [ $((SECONDS - told)) -lt 10 ] || kill -KILL -- "-$ray"
        sleep 0.5 & wait $!
    done
    wait "$ray" || code=$?
    if [ -n "$told" ]; then
        code=0
    else
        { echo "ray start on $(uname -n) ended with code $code:"; tail -n 20 "$folder/start.log"; } >&2
    fi
    kill -KILL -- "-$ray" 2>/dev/null
    rm -rf -- "$folder"
    exit "$code"
}

start_node() {  # its number, and more arguments of `ray start`
    local number=$1
    shift
    "${SRUN[@]}" --nodelist="${hosts[number]}" bash -c "$(declare -f run_node); run_node \"\$@\"" run_node \
        "$TEMPORARY/rtnn-$SLURM_JOB_ID.${SLURM_RESTART_COUNT:-0}-$number" "${RAY[@]}" "$@" &
    steps[number]=$!
}

check_nodes() {  # until all have joined, each of them must live
    local number
    for number in "${!steps[@]}"; do
        alive "${steps[number]}" || fail "Ray did not start on ${hosts[number]}; what it said stands above"
    done
    [ -z "$stopped" ] || exit 75
    [ "$SECONDS" -lt "$START_SECONDS" ] || fail "Ray did not start on all nodes within $START_SECONDS s"
}

tell_of_dead_nodes() {
    local number
    for number in "${!steps[@]}"; do
        if [ "${steps[number]}" -ne 0 ] && ! alive "${steps[number]}"; then
            steps[number]=0
            say "Ray on ${hosts[number]} has ended; what ran there goes on elsewhere"
        fi
    done
}

end_nodes() {
    local step deadline=$((SECONDS + 30))
    for step in "${steps[@]}"; do [ "$step" -eq 0 ] || kill -USR2 "$step" 2>/dev/null || true; done
    for step in "${steps[@]}"; do
        while [ "$step" -ne 0 ] && alive "$step" && [ "$SECONDS" -lt "$deadline" ]; do sleep 0.2; done
        [ "$step" -eq 0 ] || kill -KILL "$step" 2>/dev/null || true
    done
}

finish() {
    local code=$?
    trap '' USR1 TERM INT
    trap - EXIT
    set +e
    [ -z "$joined" ] || kill -KILL "$joined" 2>/dev/null
    [ -z "$driver" ] || kill -KILL -- "-$driver" 2>/dev/null
    [ "${#steps[@]}" -eq 0 ] || end_nodes
    [ -z "$token" ] || rm -f -- "$token"
    if [ "$code" -eq 75 ] && [ "$REQUEUE" = yes ] && [ "$stopped" != TERM ]; then
        say "back to the queue, to go on from there"
        scontrol requeue "$SLURM_JOB_ID" || say "SLURM did not take it back: sbatch $FOLDER/job.sh"
    fi
    exit "$code"
}

address_of_head() {  # this script runs on the first node
    if [ "${#hosts[@]}" -eq 1 ]; then
        echo 127.0.0.1  # which no other machine can reach
    else
        { getent ahostsv4 "${hosts[0]}"; hostname -I | tr ' ' '\n'; } | awk '/^[0-9.]+/ && !/^127\./ && !n++ {print $1}'
    fi
}

: "${SLURM_JOB_ID:?this is a batch script: sbatch $0}"
trap finish EXIT
trap 'stop USR1' USR1  # the time is nearly over
trap 'stop TERM' TERM  # scancel, or preemption: then SLURM itself requeues
say "job $SLURM_JOB_ID, attempt $((${SLURM_RESTART_COUNT:-0} + 1)), on ${SLURM_JOB_NODELIST:?}"
cd -- "$WORK" || fail "the folder of the command must be there on the nodes"
mapfile -t hosts < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
[ "${#hosts[@]}" -gt 0 ] || fail "scontrol does not say which nodes the job has"
head=$(address_of_head || true)
[ -n "$head" ] || fail "${hosts[0]} has no IPv4 address that the other nodes can reach"
port=$((10000 + SLURM_JOB_ID % 5600 * 4))  # below the ports that the system hands out; other jobs on a node have others

mkdir -p -- "$FOLDER"
token=$FOLDER/.token-$SLURM_JOB_ID
rm -f -- "$token"
(umask 077; head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$token")
unset RAY_AUTH_TOKEN RAY_ADDRESS
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$token" RAY_USAGE_STATS_ENABLED=0 RAY_ENABLE_UV_RUN_RUNTIME_ENV=0

SECONDS=0
start_node 0 --head --node-ip-address="$head" --port="$port" --ray-client-server-port=$((port + 1)) \
    --dashboard-agent-listen-port=$((port + 2)) --include-dashboard=false
until (exec 3<>"/dev/tcp/$head/$port") 2>/dev/null; do
    check_nodes
    pause
done
for number in "${!hosts[@]}"; do
    [ "$number" -eq 0 ] || start_node "$number" --address="$head:$port" --dashboard-agent-listen-port=$((port + 2))
done
"$PYTHON" -m raytune_nn.cluster.submit.joined "$head:$port" "${#hosts[@]}" &
joined=$!
while alive "$joined"; do
    check_nodes
    pause
done
wait "$joined" || fail "the head of the Ray cluster does not answer"
joined=""

setsid "${COMMAND[@]}" "cluster.address=$head:$port" &
driver=$!
[ -z "$stopped" ] || kill -TERM "$driver"
while alive "$driver"; do
    tell_of_dead_nodes
    pause
done
wait "$driver"
