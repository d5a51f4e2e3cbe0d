#!/usr/bin/env bash
# Stops the server of a guide, if one runs, and waits until it has stopped.
set -euo pipefail

if [[ ! -f $OCIKIT_STATE/server.pid ]]; then exit 0; fi
pid=$(cat "$OCIKIT_STATE/server.pid")
rm "$OCIKIT_STATE/server.pid"
kill -TERM "$pid" 2>/dev/null || exit 0
for ((i = 0; i < 150; i += 1)); do
  kill -0 "$pid" 2>/dev/null || exit 0
  sleep 0.1
done
kill -KILL "$pid" 2>/dev/null || true
