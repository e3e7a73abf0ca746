#!/bin/bash
# A TPM 2.0 (swtpm) with tpm2-pkcs11 on it, in namespaces of its own: the emulator, its resource manager and its bus are
# nobody else's and end with this script. Both their states lie in memory, since every change is flushed. Arguments: an empty
# folder, then the command to run beside them.
set -euo pipefail
if [ -z "${TPM2_PKCS11_STORE:-}" ]; then
    ip link set lo up
    mount --make-rprivate /
    mount -t tmpfs none "$1"
    mkdir -p "$1"/state "$1"/store
    swtpm socket --tpm2 --tpmstate dir="$1"/state --server type=tcp,port=2321,bindaddr=127.0.0.1 \
        --ctrl type=tcp,port=2322,bindaddr=127.0.0.1 --flags startup-clear,not-need-init >"$1"/swtpm.log 2>&1 &
    export TPM2_PKCS11_STORE=$1/store
    dbus-run-session -- "$0" "$@"
    exit
fi
folder=$1; shift
for _ in $(seq 1200); do (: </dev/tcp/127.0.0.1/2322) 2>/dev/null && break; sleep 0.05; done
tpm2-abrmd --session --allow-root --flush-all --max-transients=100 --tcti=swtpm:host=127.0.0.1,port=2321 >"$folder"/abrmd.log 2>&1 &
export TPM2TOOLS_TCTI=tabrmd:bus_type=session TPM2_PKCS11_TCTI=tabrmd:bus_type=session TPM2_PKCS11_LOG_LEVEL=0
for _ in $(seq 1200); do tpm2_getrandom 1 >/dev/null 2>&1 && break; sleep 0.05; done
{
    tpm2_ptool init
    tpm2_ptool addtoken --pid=1 --sopin=12345678 --userpin=1234 --label=tpm1
} >"$folder"/ptool.log 2>&1
"$@"
