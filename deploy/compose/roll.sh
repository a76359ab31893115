#!/bin/sh
# roll.sh replaces the workers one by one, then the UI, with containers of the
# current image, configuration and secrets. A worker is stopped only after its
# replacement is healthy; if a replacement does not become healthy, roll.sh stops and
# the old worker continues to run. Run it after docker-compose build, or after
# editing deploy/compose/postrider.yaml. COMPOSE="docker compose" uses Compose v2,
# PATIENCE=n waits n seconds (default 120) for a container to become healthy.
set -eu
cd "$(dirname "$0")/../.."
compose=${COMPOSE:-docker-compose}
timeout=${PATIENCE:-120}

# healthy ID waits until the container is healthy.
healthy() {
  waited=0
  until [ "$(docker inspect --format '{{.State.Health.Status}}' "$1")" = healthy ]; do
    if [ "$waited" -ge "$timeout" ]; then
      echo "roll.sh: container $1 is not healthy after $timeout s: see docker logs $1" >&2
      return 1
    fi
    sleep 1
    waited=$((waited + 1))
  done
}

old=$($compose ps -q worker)
count=$(echo "$old" | wc -w)
for id in $old; do
  before=$($compose ps -q worker)
  $compose up -d --no-deps --no-recreate --scale worker=$((count + 1)) worker
  new=$($compose ps -q worker | grep -vxF "$before")
  if ! healthy "$new"; then
    docker rm -f "$new" >/dev/null
    exit 1
  fi
  docker stop "$id" >/dev/null
  docker rm "$id" >/dev/null
  echo "roll.sh: worker $(echo "$id" | cut -c1-12) was replaced by $(echo "$new" | cut -c1-12)"
done

# The old container has the UI's port, so the UI cannot be reached for some seconds.
$compose up -d --no-deps --force-recreate ui
healthy "$($compose ps -q ui)"
echo "roll.sh: the UI was replaced"
