#!/bin/bash
# Runs on every host of the SageMaker job, in the folder of the source that was packed with it.
set -eu
source=$(pwd)
folder={{ folder }}
host=${SM_CURRENT_HOST_RANK:?this runs inside a SageMaker training job}
{%- if fsx %}
# One folder for all hosts: the first puts the files there, the others wait for it.
mark=$folder/state/placed-${TRAINING_JOB_NAME:-by-hand}
if [ "$host" -eq 0 ]; then
    mkdir -p "$folder"/{output,state,logs}
    cp -r "$source"/. "$folder"/
    touch "$mark"
fi
until [ -e "$mark" ]; do sleep 1; done
{%- else %}
# SageMaker copies this folder of every host to S3 while the job runs, and back when the next one starts. All hosts
# write below one address there, so each keeps what is its own under its number.
kept={{ checkpoints }}/node-$host
mkdir -p "$folder" "$kept"/{output,state,logs}
cp -r "$source"/. "$folder"/
for one in output state logs; do ln -sfn "$kept/$one" "$folder/$one"; done
for one in {{ channels }}; do
    if [ -d "/opt/ml/input/data/$one" ]; then ln -sfn "/opt/ml/input/data/$one" "$folder/$one"; fi
done
{%- endif %}
export NCCL_SOCKET_IFNAME=${NCCL_SOCKET_IFNAME:-${SM_NETWORK_INTERFACE_NAME:-eth0}}
export GLOO_SOCKET_IFNAME=${GLOO_SOCKET_IFNAME:-$NCCL_SOCKET_IFNAME}
exec {{ python }} -I "$folder/code/meet.py" --job "$folder/job.json"
