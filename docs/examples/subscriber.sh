#!/bin/sh
# Pass each prediction to a command as one line of JSON on standard input; acknowledge it once the command succeeds:
#
#   REDIS='redis-cli -s SOCKET' sh subscriber.sh GROUP COMMAND [ARGUMENT...]
#
# It ends when the command or the broker fails. Start it again at any time: unacknowledged messages come first.
set -eu
redis=${REDIS:-redis-cli}
stream=${STREAM:-memo:predictions} # on a broker of your own another one: see `memo status`
group=$1
shift

$redis XGROUP CREATE $stream "$group" '$' MKSTREAM >/dev/null 2>&1 || true # it may exist already
from=0 # messages delivered to this reader before
while :; do
    reply=$($redis -e --raw XREADGROUP GROUP "$group" shell COUNT 1 BLOCK 1000 STREAMS $stream $from)
    id=$(printf '%s\n' "$reply" | sed -n 2p)
    if [ -n "$id" ]; then # line 1 is the stream, 3 and 5 the fields json and v2, 6 the message
        printf '%s\n' "$reply" | sed -n 6p | "$@"
        $redis -e XACK $stream "$group" "$id" >/dev/null
    else
        from='>' # new messages
    fi
done
