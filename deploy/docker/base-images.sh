#!/usr/bin/env bash
# base-images.sh [--force] builds stand-ins for the public images that
# deploy/docker/Dockerfile and docker-compose.yml name, for machines that reach
# no container registry. It is what `make images` runs.
#
#   What   For each image that the files name and this machine lacks: an image of
#          the same name, made from Debian's packages and this machine's Go. It
#          behaves as the public one does where our files rely on it (entrypoint,
#          user, folders), and has the label postrider.stand-in.
#   Not    It pulls nothing, and never touches an image without that label: where
#          you have the public images, it only says so. It has no stand-in for
#          images that Debian has no package of (Grafana).
#   Again  A stand-in is built again with --force. The one for golang, which
#          holds the modules of go.mod, also when go.mod, go.sum or Go changed.
#
# It needs root (debootstrap makes root file systems), Docker, Go, and Debian's
# package mirror: the one in $MIRROR, else the one that apt uses.
set -euo pipefail
cd "$(dirname "$0")/../.."

label=postrider.stand-in
suite=bookworm
files=(deploy/docker/Dockerfile docker-compose.yml)

say() { echo "base-images: $*"; }
die() {
  say "$*" >&2
  exit 1
}

force=
case ${1-} in
'') ;;
--force) force=yes ;;
*) die "usage: base-images.sh [--force]" ;;
esac

# names prints the images that the files name, without our own and "scratch".
names() {
  sed -nE 's/^ *(FROM|image:) +"?([^" ]+).*/\2/p' "${files[@]}" | grep -vE '^(scratch$|postrider:)' | sort -u
}

# stamp prints what a stand-in was made from; an image that lacks the label has none.
stamp() { docker image inspect --format "{{index .Config.Labels \"$label\"}}" "$1" 2>/dev/null; }

# wanted prints the stamp that a stand-in made now would get.
wanted() {
  case $1 in
  golang:*) { go version; cat go.mod go.sum; } | sha256sum | cut -c1-16 ;;
  *) echo "$suite" ;;
  esac
}

# mirror prints the address of Debian's packages.
mirror() {
  local of_apt
  of_apt=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' "Codename: $suite" 2>/dev/null | head -1)
  echo "${MIRROR:-${of_apt:-http://deb.debian.org/debian}}"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rootfs=$work/rootfs # what all stand-ins begin with

# make_rootfs makes the file system that all stand-ins share, once a run.
make_rootfs() {
  [ ! -d "$rootfs" ] || return 0
  [ "$(id -u)" = 0 ] || die "making a root file system needs root: run make images as root, or pull the public images where a registry can be reached"
  if ! command -v debootstrap >/dev/null; then
    say "installing debootstrap with apt-get"
    apt-get update -qq && apt-get install -y -qq debootstrap >/dev/null
  fi
  say "making a root file system of Debian $suite, from $(mirror) (a minute)"
  debootstrap --variant=minbase --include=ca-certificates,tzdata,redis-server,prometheus "$suite" "$rootfs" "$(mirror)" >"$work/log" 2>&1 ||
    { tail -20 "$work/log" >&2; die "debootstrap failed: is Debian's package mirror within reach? MIRROR=http://… names another"; }
  rm -rf "$rootfs"/var/cache/apt/* "$rootfs"/var/lib/apt/lists/* "$rootfs"/usr/share/{bash-completion,doc,info,locale,man}
}

# import NAME FOLDER CHANGE… makes an image of the root file system with the
# folder's files on top, and with the settings of the changes. One layer, made
# without a build: where Docker's storage is slow, that takes seconds, not minutes.
import() {
  local name=$1 folder=$2 image=$work/image changes=(--change "LABEL $label=$(wanted "$1")")
  shift 2
  for change in "$@"; do changes+=(--change "$change"); done
  cp -al "$rootfs" "$image" && cp -a "$folder/." "$image"
  # Only Prometheus needs its programs, and the 230 MB that its pages need.
  case $name in prom/*) ;; *) rm -rf "$image"/usr/bin/prom* "$image"/usr/share/{fonts,javascript,nodejs,prometheus} ;; esac
  tar -C "$image" --numeric-owner -c . | docker import "${changes[@]}" - "$name" >/dev/null
  rm -rf "$image"
}

# own gives a folder to a user of the root file system.
own() { chown "$(awk -F: -v name="$1" '$1 == name {print $3 ":" $4}' "$rootfs/etc/passwd")" "$2"; }

# stand_in_golang has this machine's Go, without its tests and the sources of its
# commands, and a proxy of files with every module that go.mod needs: a build in
# it reaches no other. The modules are compiled already, so that a build compiles
# our own packages only.
stand_in_golang() {
  local top=$work/golang goroot cache
  goroot=$(go env GOROOT) cache=$(go env GOMODCACHE)/cache/download
  mkdir -p "$top/usr/local/go" "$top/go/proxy"
  tar -C "$goroot" --exclude=src/cmd --exclude=testdata --exclude='*_test.go' -c bin pkg src lib go.env VERSION | tar -C "$top/usr/local/go" -x
  GOMODCACHE=$work/mod GOFLAGS=-modcacherw GOPROXY="file://$cache,$(go env GOPROXY)" go mod download
  # shellcheck disable=SC2046 # one argument a package
  GOMODCACHE=$work/mod GOCACHE=$top/root/.cache/go-build CGO_ENABLED=0 go build -trimpath \
    $(go list -deps -f '{{with .Module}}{{if not .Main}}{{$.ImportPath}}{{end}}{{end}}' ./cmd/...)
  mv "$work"/mod/cache/download/* "$top/go/proxy"
  rm -rf "$work/mod"
  import "$1" "$top" \
    'ENV GOPATH=/go' 'ENV GOTOOLCHAIN=local' 'ENV GOPROXY=file:///go/proxy' \
    'ENV PATH=/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    'WORKDIR /go' 'CMD ["bash"]'
}

# stand_in_redis becomes the user redis, and keeps its data in /data.
stand_in_redis() {
  local top=$work/redis
  mkdir -p "$top/usr/local/bin" "$top/data"
  own redis "$top/data"
  cat >"$top/usr/local/bin/docker-entrypoint.sh" <<'END'
#!/bin/sh
set -e
case ${1-} in
-* | *.conf) set -- redis-server "$@" ;;
esac
if [ "$1" = redis-server ]; then
  # The public image, too, lets other hosts in when no configuration file forbids it.
  set -- "$@" --protected-mode no
  if [ "$(id -u)" = 0 ]; then
    find . \! -user redis -exec chown redis '{}' +
    exec setpriv --reuid=redis --regid=redis --init-groups "$@"
  fi
fi
exec "$@"
END
  chmod 755 "$top/usr/local/bin/docker-entrypoint.sh"
  import "$1" "$top" \
    'VOLUME /data' 'WORKDIR /data' 'EXPOSE 6379' 'ENTRYPOINT ["docker-entrypoint.sh"]' 'CMD ["redis-server"]' \
    'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
}

# stand_in_prometheus runs as nobody, and keeps its data in /prometheus.
stand_in_prometheus() {
  local top=$work/prometheus
  mkdir -p "$top/prometheus"
  own nobody "$top/prometheus"
  import "$1" "$top" \
    'USER nobody' 'VOLUME /prometheus' 'WORKDIR /prometheus' 'EXPOSE 9090' 'ENTRYPOINT ["/bin/prometheus"]' \
    'CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]'
}

docker info >/dev/null 2>&1 || die "docker does not answer"
for name in $(names); do
  if docker image inspect "$name" >/dev/null 2>&1; then
    if [ -z "$(stamp "$name")" ]; then
      say "$name: it is here, and no stand-in: kept"
      continue
    elif [ -z "$force" ] && [ "$(stamp "$name")" = "$(wanted "$name")" ]; then
      say "$name: its stand-in is here"
      continue
    fi
  fi
  case $name in
  golang:*) kind=golang ;;
  redis:*) kind=redis ;;
  prom/prometheus:*) kind=prometheus ;;
  *)
    say "$name: no stand-in, Debian has no package of it; what needs it needs a registry"
    continue
    ;;
  esac
  start=$SECONDS
  make_rootfs
  "stand_in_$kind" "$name"
  say "$name: built a stand-in of it, $(docker image inspect --format '{{.Size}}' "$name" | awk '{printf "%d MB", $1 / 1e6}'), in $((SECONDS - start)) s"
done
