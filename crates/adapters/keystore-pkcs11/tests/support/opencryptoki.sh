#!/bin/bash
# A soft token of opencryptoki in slot 3, in namespaces of its own: the daemon, its locks and its data are nobody else's
# and end with this script. It lies in memory, since every change is flushed. Arguments: an empty folder, then the command to
# run beside the daemon.
set -euo pipefail
folder=$1; shift
mount --make-rprivate /
mount -t tmpfs none "$folder"
mkdir -p "$folder"/data/swtok/TOK_OBJ "$folder"/etc
printf 'version opencryptoki-3.8\nslot 3\n{\nstdll = libpkcs11_sw.so\n}\n' >"$folder"/etc/opencryptoki.conf
mount -t tmpfs none /dev/shm
mount -t tmpfs none /run
mount --bind "$folder"/data /var/lib/opencryptoki
mount --bind "$folder"/etc /etc/opencryptoki
mkdir -p /run/lock/opencryptoki/swtok /run/opencryptoki
chgrp -R pkcs11 /run/lock/opencryptoki "$folder"/data
chmod -R 770 /run/lock/opencryptoki "$folder"/data
pkcsslotd
for _ in $(seq 1200); do pkcsconf -s >/dev/null 2>&1 && break; sleep 0.05; done
{
    pkcsconf -c 3 -I -S 87654321 <<<oct1
    pkcsconf -c 3 -P -S 87654321 -n 11223344
    pkcsconf -c 3 -u -S 11223344 -n 12345678
    pkcsconf -c 3 -p -U 12345678 -n 87651234
} >/dev/null
"$@"
