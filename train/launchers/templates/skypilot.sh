set -eu
folder={{ folder }}
# What a node keeps lies in the bucket under its number: all nodes mount the same one.
kept={{ kept }}/node-$SKYPILOT_NODE_RANK
mkdir -p "$folder" "$kept"/output "$kept"/state "$kept"/logs
for one in *; do  # the student is large: it stays where SkyPilot put it
    case $one in
        inputs | tokenized) ln -sfn "$PWD/$one" "$folder/$one" ;;
        *) cp -r "$one" "$folder"/ ;;
    esac
done
for one in output state logs; do ln -sfn "$kept/$one" "$folder/$one"; done
exec {{ python }} -I "$folder/code/meet.py" --job "$folder/job.json"
