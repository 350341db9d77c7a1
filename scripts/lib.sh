# What the scripts share: finding out what is missing here, installing it where that is allowed,
# and choosing where cargo builds. To be sourced, in the directory of Cargo.toml, by a script that
# has set `script`, its own name, and `work`, a directory that it removes at its end.
#
# shellcheck shell=bash disable=SC2154  # script and work are the caller's

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "$script" "$*" >&2; exit 1; }

rust_needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
[ -x "${HOME:-}/.cargo/bin/cargo" ] && PATH=$HOME/.cargo/bin:$PATH
PATH=$PATH:/usr/sbin:/sbin      # where ip(8) is, for users too

at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }   # VERSION MINIMUM

has_rust() {
    local version
    command -v cargo && version=$(rustc --version 2>/dev/null) || return 1
    at_least "$(awk '{print $2}' <<<"$version")" "$rust_needed"
}

# has WORD: whether that is here. The words are names of Debian packages, apart from a few.
has() {
    case $1 in
        rust) has_rust ;;
        certificates) [ -e /etc/ssl/certs/ca-certificates.crt ] || [ -d /etc/pki ] ;;
        gcc) command -v gcc && echo '#include <stdio.h>' | gcc -E -o /dev/stdout - 2>&1 ;;
        iproute2) command -v ip ;;
        netcat-openbsd) command -v nc ;;
        ninja-build) command -v ninja ;;
        dnsmasq-base) command -v dnsmasq ;;
        bind9-dnsutils) command -v dig ;;
        clang-runtime) [ -e "$(clang -print-file-name=libclang_rt.tsan-"$(uname -m)".a 2>/dev/null)" ] ;;
        *) command -v "$1" ;;
    esac >/dev/null
}

# packages DISTRIBUTION WORD...: what the words are called there.
packages() {
    # Not `say`, which the caller may send elsewhere.
    local distribution=$1 word
    shift
    for word; do
        case $distribution:$word in
            debian:gcc) echo gcc libc6-dev ;;
            fedora:gcc) echo gcc glibc-devel ;;
            alpine:gcc) echo gcc musl-dev ;;
            debian:rust) echo cargo rustc ;;
            fedora:rust | alpine:rust) echo cargo rust ;;
            fedora:g++) echo gcc-c++ ;;
            arch:g++) echo gcc ;;
            fedora:pkg-config) echo pkgconf-pkg-config ;;
            arch:pkg-config | alpine:pkg-config) echo pkgconf ;;
            arch:ninja-build | alpine:ninja-build) echo ninja ;;
            fedora:iproute2) echo iproute ;;
            fedora:netcat-openbsd) echo netcat ;;
            arch:netcat-openbsd) echo openbsd-netcat ;;
            fedora:dnsmasq-base | arch:dnsmasq-base | alpine:dnsmasq-base) echo dnsmasq ;;
            fedora:bind9-dnsutils) echo bind-utils ;;
            arch:bind9-dnsutils) echo bind ;;
            alpine:bind9-dnsutils) echo bind-tools ;;
            debian:clang-runtime) echo "libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev" ;;
            *:clang-runtime) echo compiler-rt ;;
            *:certificates) echo ca-certificates ;;
            *) echo "$word" ;;
        esac
    done | paste -sd ' ' -
}

tell_packages() {   # WORD...
    if command -v apt-get >/dev/null; then
        say "    apt-get install $(packages debian "$@")"
    else
        say "    Debian, Ubuntu:  apt-get install $(packages debian "$@")"
        say "    Fedora:          dnf install $(packages fedora "$@")"
        say "    Arch:            pacman -S $(packages arch "$@")"
        say "    Alpine:          apk add $(packages alpine "$@")"
    fi
}

tell_rustup() {     # WHY
    say "$1 To get Rust $rust_needed or newer:"
    say "    curl --proto '=https' -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal \\"
    say "        -c rustfmt -c clippy"
    say "and then run scripts/$script again."
    exit 1
}

# Sets as_root: what to put before a command that needs root. Fails where nobody lets us. Without
# a terminal sudo must not ask, and it asks only for what the script cannot do without.
may_install() {     # NEEDED...
    as_root=()
    command -v apt-get >/dev/null || return 1
    [ "$(id -u)" = 0 ] && return
    command -v sudo >/dev/null || return 1
    as_root=(sudo)
    sudo -n true 2>/dev/null || { [ $# -gt 0 ] && [ -t 0 ] && [ -z "${CI-}" ]; }
}

apt_install() {     # WORD...
    local wanted
    read -ra wanted < <(packages debian "$@")
    say "installing: ${wanted[*]}"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y \
        --no-install-recommends "${wanted[@]}" >>"$work/apt" 2>&1 ||
        { tail -n 20 "$work/apt" >&2; say "apt-get has failed."; }
}

# obtain NEEDED... -- WANTED...: installs what is missing. Says what it could not install, and
# ends the script if something needed is among that.
obtain() {
    local word candidate needed=() wanted=() list=needed words=() too_old=
    for word; do
        if [ "$word" = -- ]; then list=wanted
        elif has "$word"; then continue
        elif [ $list = needed ]; then needed+=("$word")
        else wanted+=("$word"); fi
    done
    [ $((${#needed[@]} + ${#wanted[@]})) -gt 0 ] || return 0
    if may_install "${needed[@]}"; then
        "${as_root[@]}" apt-get update -qq >"$work/apt" 2>&1 || true    # what is known may do
        for word in "${needed[@]}" "${wanted[@]}"; do
            if [ "$word" = rust ]; then
                candidate=$(apt-cache policy rustc 2>/dev/null | awk '/Candidate:/ {print $2}')
                at_least "${candidate:-0}" "$rust_needed" ||
                    { too_old=${candidate:-none}; continue; }
            fi
            words+=("$word")
        done
        [ ${#words[@]} = 0 ] || apt_install "${words[@]}"
    fi
    words=()
    for word in "${wanted[@]}"; do has "$word" || words+=("$word"); done
    if [ ${#words[@]} -gt 0 ]; then
        say "Missing, and not needed for all: ${words[*]}. To install, as root:"
        tell_packages "${words[@]}"
    fi
    words=()
    for word in "${needed[@]}"; do has "$word" || words+=("$word"); done
    [ ${#words[@]} -gt 0 ] || return 0
    [ -z "$too_old" ] || tell_rustup "The package of Rust here is too old: $too_old."
    say "Missing: ${words[*]}. To install, as root:"
    tell_packages "${words[@]}"
    case " ${words[*]} " in
        *" rust "*) tell_rustup "The package may be too old." ;;
    esac
    exit 1
}

# Sets target: where cargo builds. The source and what was built may belong to somebody else.
choose_target() {
    local directory
    target=${CARGO_TARGET_DIR:-target}
    mkdir -p "$target" 2>/dev/null || true
    # Absolute, because not all that is built is built from here.
    if [ -n "${CARGO_TARGET_DIR-}" ]; then
        target=$(realpath -m "$target")
        export CARGO_TARGET_DIR=$target
    fi
    for directory in "$target" "$target/release" "$target/debug"; do
        if [ ! -w "$directory" ] && { [ "$directory" = "$target" ] || [ -e "$directory" ]; }; then
            target=$work/target
            export CARGO_TARGET_DIR=$target
            break
        fi
    done
    [ -w "${CARGO_HOME:-${HOME:-/}}" ] || export CARGO_HOME=$work/cargo
}
