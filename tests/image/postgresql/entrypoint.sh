#!/bin/sh
# Make the cluster and its one database on the first start, then be the server.
set -eu

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb --username "$POSTGRES_USER" --pwfile "$POSTGRES_PASSWORD_FILE" --auth scram-sha-256 \
    --encoding UTF8 --no-sync
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  echo "CREATE DATABASE \"$POSTGRES_DB\"" |
    postgres --single -D "$PGDATA" postgres
fi
exec postgres -c 'listen_addresses=*' -c unix_socket_directories=/tmp -c fsync=off
