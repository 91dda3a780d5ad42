#!/bin/sh
# Verbs and flags go to pastebox, a flag alone means "serve"; anything else is a command of its own.
set -eu

# What one arbitrary UID writes, the next one can use: they share group 0.
umask 0002

[ "$#" -gt 0 ] || set -- serve
case $1 in
  -h | --help | --version) exec pastebox "$@" ;;
  -*) exec pastebox serve "$@" ;;
  serve | config | explain | check | health | make-config | setup-app | setup | ctl) exec pastebox "$@" ;;
  *) exec "$@" ;;
esac
