#!/usr/bin/env bash
# base-images.sh [--force] builds substitutes for the public images that
# deploy/docker/Dockerfile and docker-compose.yml name, for machines that reach no
# container registry. make images runs it.
#
# For each image that the files name and this machine lacks, it builds an image of
# the same name from Debian's packages and this machine's Go. The substitute has the
# entrypoint, user and folders of the public image as far as these files need them,
# and the label postrider.stand-in.
#
# It pulls nothing, and never changes an image without that label. It has no
# substitute for images without a Debian package (Grafana).
#
# --force rebuilds the substitutes. The substitute for golang, which contains the
# modules of go.mod, is also rebuilt when go.mod, go.sum or Go has changed.
#
# It needs root (for debootstrap), Docker, Go, and Debian's package mirror: the one
# in $MIRROR, else the one that apt uses.
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

# names prints the images that the files name, without postrider and "scratch".
names() {
  sed -nE 's/^ *(FROM|image:) +"?([^" ]+).*/\2/p' "${files[@]}" | grep -vE '^(scratch$|postrider:)' | sort -u
}

# stamp prints the label of a substitute, which identifies its sources; nothing for other images.
stamp() { docker image inspect --format "{{index .Config.Labels \"$label\"}}" "$1" 2>/dev/null; }

# wanted prints the label that a substitute built now would get.
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
rootfs=$work/rootfs # the base of all substitutes

# make_rootfs creates the root file system that all substitutes share, once per run.
make_rootfs() {
  [ ! -d "$rootfs" ] || return 0
  [ "$(id -u)" = 0 ] || die "debootstrap needs root: run make images as root, or pull the public images on a machine that reaches a registry"
  if ! command -v debootstrap >/dev/null; then
    say "installing debootstrap with apt-get"
    apt-get update -qq && apt-get install -y -qq debootstrap >/dev/null
  fi
  say "creating a root file system of Debian $suite from $(mirror) (about a minute)"
  debootstrap --variant=minbase --include=ca-certificates,tzdata,redis-server,prometheus "$suite" "$rootfs" "$(mirror)" >"$work/log" 2>&1 ||
    { tail -20 "$work/log" >&2; die "debootstrap failed: if the package mirror cannot be reached, set another one with MIRROR=http://…"; }
  rm -rf "$rootfs"/var/cache/apt/* "$rootfs"/var/lib/apt/lists/* "$rootfs"/usr/share/{bash-completion,doc,info,locale,man}
}

# import NAME FOLDER CHANGE… creates an image from the root file system, the folder's
# files and the settings of the changes. It has one layer and needs no docker build,
# which would take minutes on slow storage.
import() {
  local name=$1 folder=$2 image=$work/image changes=(--change "LABEL $label=$(wanted "$1")")
  shift 2
  for change in "$@"; do changes+=(--change "$change"); done
  cp -al "$rootfs" "$image" && cp -a "$folder/." "$image"
  # Only Prometheus needs its programs and the 230 MB of its web pages.
  case $name in prom/*) ;; *) rm -rf "$image"/usr/bin/prom* "$image"/usr/share/{fonts,javascript,nodejs,prometheus} ;; esac
  tar -C "$image" --numeric-owner -c . | docker import "${changes[@]}" - "$name" >/dev/null
  rm -rf "$image"
}

# own changes the owner of a folder to a user of the root file system.
own() { chown "$(awk -F: -v name="$1" '$1 == name {print $3 ":" $4}' "$rootfs/etc/passwd")" "$2"; }

# stand_in_golang has this machine's Go, without its tests and the sources of its
# commands, and a module proxy in files with every module of go.mod; a build uses no
# other proxy. The modules are already compiled, so a build compiles only postrider's
# packages.
stand_in_golang() {
  local top=$work/golang goroot cache
  goroot=$(go env GOROOT) cache=$(go env GOMODCACHE)/cache/download
  mkdir -p "$top/usr/local/go" "$top/go/proxy"
  tar -C "$goroot" --exclude=src/cmd --exclude=testdata --exclude='*_test.go' -c bin pkg src lib go.env VERSION | tar -C "$top/usr/local/go" -x
  GOMODCACHE=$work/mod GOFLAGS=-modcacherw GOPROXY="file://$cache,$(go env GOPROXY)" go mod download
  # shellcheck disable=SC2046 # one argument for each package
  GOMODCACHE=$work/mod GOCACHE=$top/root/.cache/go-build CGO_ENABLED=0 go build -trimpath \
    $(go list -deps -f '{{with .Module}}{{if not .Main}}{{$.ImportPath}}{{end}}{{end}}' ./cmd/...)
  mv "$work"/mod/cache/download/* "$top/go/proxy"
  rm -rf "$work/mod"
  import "$1" "$top" \
    'ENV GOPATH=/go' 'ENV GOTOOLCHAIN=local' 'ENV GOPROXY=file:///go/proxy' \
    'ENV PATH=/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    'WORKDIR /go' 'CMD ["bash"]'
}

# stand_in_redis runs as the user redis and stores its data in /data.
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
  # Like the public image, accept other hosts unless a configuration file forbids it.
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

# stand_in_prometheus runs as the user nobody and stores its data in /prometheus.
stand_in_prometheus() {
  local top=$work/prometheus
  mkdir -p "$top/prometheus"
  own nobody "$top/prometheus"
  import "$1" "$top" \
    'USER nobody' 'VOLUME /prometheus' 'WORKDIR /prometheus' 'EXPOSE 9090' 'ENTRYPOINT ["/bin/prometheus"]' \
    'CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]'
}

docker info >/dev/null 2>&1 || die "Docker does not answer: start it, or check your rights with docker info"
for name in $(names); do
  if docker image inspect "$name" >/dev/null 2>&1; then
    if [ -z "$(stamp "$name")" ]; then
      say "$name: the public image exists: kept"
      continue
    elif [ -z "$force" ] && [ "$(stamp "$name")" = "$(wanted "$name")" ]; then
      say "$name: the substitute is up to date"
      continue
    fi
  fi
  case $name in
  golang:*) kind=golang ;;
  redis:*) kind=redis ;;
  prom/prometheus:*) kind=prometheus ;;
  *)
    say "$name: no substitute, since Debian has no package of it; it must be pulled from a registry"
    continue
    ;;
  esac
  start=$SECONDS
  make_rootfs
  "stand_in_$kind" "$name"
  say "$name: built a substitute, $(docker image inspect --format '{{.Size}}' "$name" | awk '{printf "%d MB", $1 / 1e6}'), in $((SECONDS - start)) s"
done
