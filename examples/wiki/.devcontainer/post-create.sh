#!/bin/sh
# Runs once in a new dev container: the secret that wiki.ini names, and what the tests need.
set -eu
secret=$PASTEBOX_SECRETS_DIR/session_secret
mkdir -p "$PASTEBOX_SECRETS_DIR"
[ -s "$secret" ] || python -c 'import secrets; print(secrets.token_urlsafe(32), end="")' >"$secret"
pip install --quiet --editable '.[postgresql,test]'
