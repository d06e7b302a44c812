#!/bin/sh
# Gives each prediction to a command, as one line of JSON on its standard input, and acknowledges it once that succeeds:
#
#   REDIS='redis-cli -s SOCKET' sh subscriber.sh GROUP COMMAND [ARGUMENT...]
#
# It ends where the command or the broker fails. Start it again, late too: what was not acknowledged comes first.
set -eu
redis=${REDIS:-redis-cli}
stream=memo:predictions
group=$1
shift

$redis XGROUP CREATE $stream "$group" '$' MKSTREAM >/dev/null 2>&1 || true # it may be there already
from=0 # what was given to us before
while :; do
    reply=$($redis -e --raw XREADGROUP GROUP "$group" shell COUNT 1 BLOCK 1000 STREAMS $stream $from)
    id=$(printf '%s\n' "$reply" | sed -n 2p)
    if [ -n "$id" ]; then # line 1 is the stream, 3 the field's name, 4 the message
        printf '%s\n' "$reply" | sed -n 4p | "$@"
        $redis -e XACK $stream "$group" "$id" >/dev/null
    else
        from='>' # what is new
    fi
done
