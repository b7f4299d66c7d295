#!/bin/sh
# Installs the libraries kern is built with, where the system's package manager can; otherwise prints the command. What
# stays missing is fetched as source by CMake.
set -u

missing=""
need() { # header-or-tool, package
  case $1 in
    /*) command -v "${1#/}" > /dev/null 2>&1 || missing="$missing $2" ;;
    *) for folder in /usr/include /usr/local/include /opt/homebrew/include; do [ -e "$folder/$1" ] && return; done
       missing="$missing $2" ;;
  esac
}

if command -v apt-get > /dev/null 2>&1; then
  fmt=libfmt-dev cli11=libcli11-dev json=nlohmann-json3-dev pcre2=libpcre2-dev doctest=doctest-dev pkgconfig=pkg-config
  compiler=g++ cmake=cmake install="apt-get install -y --no-install-recommends" refresh="apt-get update -q"
elif command -v dnf > /dev/null 2>&1; then
  fmt=fmt-devel cli11=cli11-devel json=json-devel pcre2=pcre2-devel doctest=doctest-devel pkgconfig=pkgconf
  compiler=gcc-c++ cmake=cmake install="dnf install -y" refresh=true
elif command -v pacman > /dev/null 2>&1; then
  fmt=fmt cli11=cli11 json=nlohmann-json pcre2=pcre2 doctest=doctest pkgconfig=pkgconf
  compiler=gcc cmake=cmake install="pacman -S --noconfirm --needed" refresh=true
else
  exit 0 # nothing known to install with: CMake fetches what is missing
fi

need /c++ "$compiler"
need /cmake "$cmake"
need /pkg-config "$pkgconfig"
need fmt/core.h "$fmt"
need CLI/CLI.hpp "$cli11"
need nlohmann/json.hpp "$json"
need pcre2.h "$pcre2"
need doctest/doctest.h "$doctest"
[ -z "$missing" ] && exit 0

sudo=""
[ "$(id -u)" = 0 ] || sudo="sudo"
if [ -n "$sudo" ] && ! sudo -n true 2> /dev/null; then
  echo "missing packages; install them with:  sudo $install$missing" >&2
  echo "(or go on: CMake fetches the libraries' sources)" >&2
  exit 0
fi
echo "installing:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
# Package lists may be absent or old on a fresh machine.
if ! $sudo $install $missing > /dev/null 2>&1; then
  $sudo $refresh > /dev/null 2>&1
  if ! $sudo $install $missing >&2; then
    echo "could not be installed; by hand:  $sudo $install$missing" >&2
    echo "(or go on: CMake fetches the libraries' sources)" >&2
  fi
fi
exit 0
