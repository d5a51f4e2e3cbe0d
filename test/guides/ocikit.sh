#!/usr/bin/env bash
# The command `ocikit` of a guide's snippets. A server runs in the background and replaces the one before.
set -euo pipefail

if [[ ${1-} != serve ]]; then
  exec node "$OCIKIT_BIN" "$@"
fi

"$(dirname "$0")/stop-server"
port=(--port "$OCIKIT_PORT")
for argument in "$@"; do
  if [[ $argument == --port* ]]; then port=(); fi
done
node "$OCIKIT_BIN" "$@" "${port[@]}" >"$OCIKIT_STATE/server.out" 2>"$OCIKIT_STATE/server.err" &
echo $! >"$OCIKIT_STATE/server.pid"
for ((i = 0; i < 300; i += 1)); do
  if grep -q '^ocikit listening on ' "$OCIKIT_STATE/server.out"; then exit 0; fi
  if ! kill -0 "$(cat "$OCIKIT_STATE/server.pid")" 2>/dev/null; then break; fi
  sleep 0.1
done
echo 'the server did not start to listen' >&2
cat "$OCIKIT_STATE/server.err" >&2
exit 1
