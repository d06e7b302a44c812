#!/usr/bin/env bash
# Make the image python:3.11-slim from Debian's packages, for machines that reach no registry of images; as root.
set -euo pipefail
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
debootstrap --variant=minbase --include=ca-certificates,python3,python3-pip,python3-venv bookworm "$root" >&2
ln -s python3 "$root/usr/bin/python"
rm -f "$root"/usr/lib/python3*/EXTERNALLY-MANAGED
# pip reaches the index as it does on this machine.
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
if [ -e /etc/pip.conf ]; then cp -L /etc/pip.conf "$root/etc/"; fi
tar -C "$root" -c . | podman import --quiet - python:3.11-slim
