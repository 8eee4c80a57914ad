# SPDX-License-Identifier: Apache-2.0
#
# Numbers of the micro-VM Keep on KVM, taken inside of `cargo xtask nested`:
#   sh micro_vm.sh PROGRAMS STATE POLICY WORKLOADS [WASMTIME]
set -eu
busybox=/bin/busybox
programs=$1 state=$2 policy=$3 workloads=$4 wasmtime=${5:-}

$busybox mkdir -p /work
$busybox cp -a "$state" /work/state
export ENARX_STATE_DIR=/work/state ENARX_CACHE_DIR=/work/cache HOME=/work

$busybox mount -t tracefs tracefs /sys/kernel/tracing
event=/sys/kernel/tracing/events/kvm/kvm_exit
count() { echo 'hist:keys=exit_reason' >$event/trigger; }
# Exit code 0x60 of SVM is an interrupt for the machine around, which has nothing to do with the guest.
counted() {
    $busybox awk -v name="$1" '/hitcount:/ { if (/exit_reason: *96 /) own += $NF; else all += $NF }
        END { print "exits", name, all, "and", own + 0, "interrupts of the machine around" }' $event/hist
    echo '!hist:keys=exit_reason' >$event/trigger
}
run() {
    backend=$1
    shift
    "$programs/enarx" run --quiet --policy "$policy" --backend "$backend" "$@"
}

# The first run compiles.
run vm "$workloads/args-env.wasm" >/dev/null
for round in 1 2 3; do
    count
    run vm "$workloads/args-env.wasm" >/dev/null
    counted start
done

$busybox dd if=/dev/zero of=/work/none bs=1024 count=0 2>/dev/null
$busybox dd if=/dev/zero of=/work/mib bs=1024 count=1024 2>/dev/null
run vm "$workloads/cat.wasm" </work/none >/dev/null
for size in none mib none mib; do
    count
    run vm "$workloads/cat.wasm" </work/$size >/dev/null
    counted "cat-$size"
done

# A Keep that waits for its owner to say something.
$busybox mkfifo /work/pipe
run vm "$workloads/cat.wasm" </work/pipe >/dev/null &
exec 3>/work/pipe
$busybox sleep 20
for process in $($busybox pidof enarx-vmm); do
    $busybox awk '/^Rss(Anon|Shmem):/ { all += $2 } END { print "idle-kib", all }' "/proc/$process/status"
done
exec 3>&-
wait

for back in process vm; do
    run $back "$workloads/compute.wasm" -- 1 >/dev/null
done
[ -z "$wasmtime" ] || "$wasmtime" compile -o /work/compute.cwasm "$workloads/compute.wasm"
for round in 1 2 3; do
    for back in process vm; do
        run $back "$workloads/compute.wasm" -- 40 | $busybox sed "s/^/compute $back /"
    done
    [ -z "$wasmtime" ] || "$wasmtime" run --allow-precompiled /work/compute.cwasm 40 | $busybox sed 's/^/compute wasmtime /'
done
