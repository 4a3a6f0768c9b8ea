#!/bin/sh
# Makes the image debian:bookworm-slim where there is none and no registry
# gives it: from Debian's packages, with debootstrap. Needs root, a Docker
# engine and the package debootstrap.
#
#   deploy/base-image.sh            this order: an image that is there, one
#                                   that a registry gives, one made here
#   deploy/base-image.sh --make     made here, whatever there is
#
# DEBIAN_MIRROR is where the packages come from.
set -eu
image=debian:bookworm-slim
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
pull_seconds=60

die()
{
    echo "base-image: $*" >&2
    exit 1
}

there()
{
    if docker image inspect "$image" >/dev/null 2>&1; then
        echo "base-image: $image is there"
    elif timeout "$pull_seconds" docker pull -q "$image" 2>/dev/null; then
        echo "base-image: $image came from its registry"
    else
        return 1
    fi
}

# What an image has no use for, as Debian's own slim images leave it out.
# Copyright files stay: the licences ask for it.
slim()
{
    cat >"$1/etc/dpkg/dpkg.cfg.d/slim" <<'END'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/groff/*
path-exclude /usr/share/lintian/*
END
    find "$1/usr/share/doc" ! -type d ! -name copyright -delete
    find "$1/usr/share/doc" -depth -type d -empty -delete
    rm -rf "$1"/usr/share/man/* "$1"/usr/share/info/* \
        "$1"/usr/share/locale/* "$1"/usr/share/groff/* \
        "$1"/usr/share/lintian/* "$1"/var/cache/apt/* \
        "$1"/var/lib/apt/lists/* "$1"/var/log/*
}

# Nothing starts services in a container, and no cache of packages is kept.
configure()
{
    cat >"$1/etc/apt/sources.list" <<END
deb $mirror bookworm main
deb $mirror bookworm-updates main
deb ${DEBIAN_SECURITY_MIRROR:-${mirror%/debian}/debian-security} bookworm-security main
END
    cat >"$1/etc/apt/apt.conf.d/image" <<'END'
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
Acquire::Retries "3";
END
    printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
    chmod 755 "$1/usr/sbin/policy-rc.d"
    rm -f "$1/etc/hostname" "$1/etc/resolv.conf"
}

make()
{
    [ "$(id -u)" = 0 ] || die "$image is not there, and no registry gives it;" \
        "to make it, run this as root"
    command -v debootstrap >/dev/null || die "$image is not there, and no" \
        "registry gives it; to make it: apt-get install debootstrap"
    echo "base-image: no registry gives $image; making it from $mirror"
    # Not $TMPDIR: it may be mounted nodev, where debootstrap can't work.
    folder=$(mktemp -d /var/tmp/windrow-base.XXXXXX)
    trap 'rm -rf "$folder"' EXIT
    trap 'exit 1' INT TERM
    debootstrap --variant=minbase bookworm "$folder/root" "$mirror" \
        >"$folder/log" 2>&1 || {
        tail -n 20 "$folder/log" >&2
        die "debootstrap failed"
    }
    slim "$folder/root"
    configure "$folder/root"
    tar -C "$folder/root" --numeric-owner --exclude='./dev/*' \
        --exclude='./proc/*' --exclude='./sys/*' -c . |
        docker import -c 'CMD ["bash"]' \
            -m "debootstrap bookworm, minbase" - "$image" >/dev/null
    docker image inspect -f \
        "base-image: made $image, {{.Size}} bytes" "$image"
}

docker version >/dev/null 2>&1 || die "no Docker engine answers"
[ "${1:-}" = --make ] || ! there || exit 0
make
