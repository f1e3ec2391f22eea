#!/bin/sh
# Debian packages that tests need beyond python3 and pip: `make` and `git` (tests/test_wheel.py lists the tracked
# files), `setpriv` and `mount` (tests that run as another user, or on a small file system), `chromium`
# (tests/test_view.py opens the page in it), `dockerd` (the docker sandbox is tested on an engine that the tests start),
# `slurmctld` and `munged` (servers and training are tested as jobs of a cluster that the tests start), `g++` (DeepSpeed
# compiles its collectives when the training environment is made), `ip` (two nodes are two network namespaces).
set -eu
missing=""
for pair in make:make git:git setpriv:util-linux mount:mount chromium:chromium \
    dockerd:docker.io slurmctld:slurm-wlm munged:munge g++:g++ ip:iproute2; do
    PATH="$PATH:/usr/sbin" command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" -ne 0 ]; then
    echo "install as root: apt-get install$missing" >&2
    exit 3
fi
apt-get update -qq
# shellcheck disable=SC2086 - one word a package
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
