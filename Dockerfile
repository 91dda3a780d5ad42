# pastebox on Debian's Python. Three layers above the base: Python and tini, pastebox, and what the
# packages say of themselves; the targets "servers" and "dev" have what else pip installs in two more.
#
# Build arguments: BASE_IMAGE; VERSION, REVISION and CREATED for the labels; SOURCE_DATE_EPOCH
# for the date of the image itself. Optional build secrets, for a network of its own kind:
#   ca_bundle  certificates for pip, where a proxy inspects TLS
#   pip_conf   a pip configuration file, where packages come from another index
ARG BASE_IMAGE=debian:trixie-slim

# ---------------------------------------------------------------------------------------------
FROM ${BASE_IMAGE} AS python

# Reproducible: byte code carries a hash instead of a date, and whatever this step wrote is dated
# like a file of the base image. Logs and backups are emptied, for a deletion has a date as well.
# The pause puts a tick of the file system's clock between the mark and what is newer than it.
# Left out are the help topics and the test support of the standard library, the static tini, and
# the byte code of what only people at a prompt load, of codecs of one vendor or country, and of
# what there is in C. debconf works on a copy, or its whole database would be a part of this layer.
# /tmp is a file system of its own: one way the engine has of comparing layers lists a directory
# that was written to and is as before, another does not. -B and -f, for what Python imports to
# compile the rest would keep byte code with a date.
# hadolint ignore=DL3003,DL3008
RUN --mount=type=tmpfs,target=/tmp <<'EOF'
set -eu
touch /tmp/started
sleep 0.1
cp -R /var/cache/debconf /tmp/
sed 's,/var/cache/debconf,/tmp/debconf,' /etc/debconf.conf >/tmp/debconf.conf
export DEBIAN_FRONTEND=noninteractive DEBCONF_SYSTEMRC=/tmp/debconf.conf
apt-get update
apt-get install --yes --no-install-recommends python3 tini
apt-get clean
rm -f /var/lib/apt/lists/*_* /var/cache/apt/*.bin /var/cache/ldconfig/aux-cache
find /var/log /var/cache/debconf/*-old /var/lib/dpkg/*-old -type f -exec truncate --size 0 {} +
cd /usr/lib/python3.*/
rm -rf test pydoc_data/topics.py turtle.py lib-dynload/_test*.so /usr/bin/tini-static
find . ../python3 -name __pycache__ -exec rm -rf {} +
rare='/(_py(decimal|datetime|io|repl/.*)|doctest|pydoc|pdb|mailbox|unittest/.*|turtle.*'
rare="$rare|encodings/(cp[0-9]|mac_|iso8859_([2-9]|1[0-46])|iso2022|koi8|euc|gb|hp_|kz|ptcp|palm).*"
rare="$rare|bdb|ftplib|imaplib|poplib|pickletools|plistlib|pstats|trace|wave)\.py$"
python3 -B -m compileall -fq --invalidation-mode unchecked-hash -x "$rare" . ../python3
find / -xdev -cnewer /tmp/started -exec touch -h -r /etc/debian_version {} +
EOF

# ---------------------------------------------------------------------------------------------
FROM python AS build

# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends python3-venv

WORKDIR /src
COPY entrypoint/requirements.txt entrypoint/requirements-build.txt ./
RUN --mount=type=secret,id=ca_bundle,target=/run/secrets/ca_bundle \
    --mount=type=secret,id=pip_conf,target=/run/secrets/pip_conf <<'EOF'
set -eu
if [ -s /run/secrets/ca_bundle ]; then export PIP_CERT=/run/secrets/ca_bundle; fi
if [ -s /run/secrets/pip_conf ]; then export PIP_CONFIG_FILE=/run/secrets/pip_conf; fi
python3 -m venv /opt/build
python3 -m venv --without-pip /opt/pastebox
/opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements-build.txt
/opt/build/bin/pip --python /opt/pastebox install --no-cache-dir --no-compile --require-hashes \
  -r requirements.txt
EOF

# pip stays in the image for the images built on it, as the wheel that it can run from: a tenth of
# its size installed. The command is written here as well, for pip's own begins with "import re",
# which is a third of what a health check costs.
COPY pyproject.toml README.md LICENSE ./
COPY pastebox pastebox
RUN <<'EOF'
set -eu
/opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir dist .
/opt/build/bin/pip --python /opt/pastebox install --no-cache-dir --no-compile --no-deps --no-index \
  --find-links dist pastebox
cp /usr/share/python-wheels/pip-*.whl /opt/pastebox/lib/pip.whl
printf '#!/bin/sh\nexec /opt/pastebox/bin/python /opt/pastebox/lib/pip.whl/pip "$@"\n' \
  >/opt/pastebox/bin/pip
printf '#!/opt/pastebox/bin/python\nimport sys\n\nfrom pastebox.cli.main import entry\n\nsys.exit(entry())\n' \
  >/opt/pastebox/bin/pastebox
chmod 755 /opt/pastebox/bin/pip
rm -f /opt/pastebox/bin/activate* /opt/pastebox/bin/Activate* /opt/pastebox/.gitignore
rm -rf /opt/pastebox/include
rm -rf /opt/pastebox/lib/python3.*/site-packages/supervisor/tests
rm -rf /opt/pastebox/lib/python3.*/site-packages/supervisor/scripts
rm -f /opt/pastebox/bin/pidproxy /opt/pastebox/bin/echo_supervisord_conf
find /opt/pastebox -name __pycache__ -exec rm -rf {} +
/opt/pastebox/bin/python -B -m compileall -fq --invalidation-mode unchecked-hash /opt/pastebox/lib
EOF

COPY entrypoint/docker-entrypoint.sh /opt/
RUN <<'EOF'
set -eu
cp /etc/ssl/certs/ca-certificates.crt /opt/
dpkg-query --status ca-certificates >/opt/ca-certificates.status
cp /usr/share/doc/ca-certificates/copyright /opt/ca-certificates.copyright
EOF

# ---------------------------------------------------------------------------------------------
FROM python AS standard

# The user is a number, so that Kubernetes can see that it is not root, and its group is 0, so that
# an arbitrary UID (OpenShift) finds what it may write: group 0 has what the owner has.
# /opt/pastebox belongs to that group as well: "FROM pastebox" and "RUN pip install theapp" is all
# that an application's image needs, without a change of user and back. Who wants the installed
# code out of the application's reach runs read-only, as compose.yaml and the chart do.
# There is no VOLUME: it would make an anonymous one wherever the operator forgot to name it, and
# data would seem to be kept. /data is a directory to mount on.
# What is named like a directory beside it, and more, has a layer of its own: the engine's two ways
# of writing a layer have it before and after that directory's content. The user is in that layer,
# for /etc is written to in every step: the engine mounts its names of hosts there.
RUN --mount=type=tmpfs,target=/tmp --mount=type=bind,from=build,source=/opt,target=/mnt <<'EOF'
set -eu
touch /tmp/started
sleep 0.1
cp -R /mnt/pastebox /opt/pastebox
rm -r /opt/pastebox/lib/python3.*/site-packages/*.dist-info
rm /opt/pastebox/lib/python3.*/site-packages/paste/deploy/paster_templates.py
install -m 755 /mnt/docker-entrypoint.sh /usr/local/bin/
install -D -m 644 /mnt/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
install -D -m 644 /mnt/ca-certificates.status /var/lib/dpkg/status.d/ca-certificates
install -D -m 644 /mnt/ca-certificates.copyright /usr/share/doc/ca-certificates/copyright
mkdir -p /data /etc/pastebox/conf.d /run/pastebox
for phase in pre-config post-config pre-setup post-setup pre-serve post-stop; do
  mkdir -p "/docker-entrypoint.d/$phase"
done
chmod -R g=u /opt/pastebox /data /run/pastebox
find / -xdev -cnewer /tmp/started -exec touch -h -r /etc/debian_version {} +
EOF

# hadolint ignore=DL3003
RUN --mount=type=tmpfs,target=/tmp --mount=type=bind,from=build,source=/opt,target=/mnt <<'EOF'
set -eu
touch /tmp/started
sleep 0.1
cd /opt/pastebox/lib/python3.*/site-packages
from=/mnt/${PWD#/opt/}
cp -R "$from"/*.dist-info .
cp "$from/paste/deploy/paster_templates.py" paste/deploy/
find . -cnewer /tmp/started -exec chmod g=u {} +
echo 'pastebox:x:10001:0:pastebox:/tmp:/usr/sbin/nologin' >>/etc/passwd
find / -xdev -cnewer /tmp/started -exec touch -h -r /etc/debian_version {} +
EOF

# What the image is made of, in a layer of its own: it has the date of the commit. The engine gave
# /etc another date before this step began.
ARG SOURCE_DATE_EPOCH=0
RUN --mount=type=tmpfs,target=/tmp --mount=type=bind,source=entrypoint,target=/mnt <<'EOF'
set -eu
touch /tmp/started
sleep 0.1
python3 -B /mnt/sbom.py /
find / -xdev -cnewer /tmp/started -exec touch -h -r /etc/debian_version {} +
touch -r /etc/debian_version /etc
EOF

# The home directory is writable under any UID. pip keeps no cache in an image. The certificates are
# Debian's, without the package's openssl.
ENV PATH=/opt/pastebox/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/tmp \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PASTEBOX_HOST=0.0.0.0 \
    PASTEBOX_PORT=8080 \
    PASTEBOX_HEALTH_HOST=0.0.0.0 \
    PASTEBOX_DATA_DIR=/data

USER 10001:0
WORKDIR /data
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --start-interval=0.5s --retries=3 \
  CMD ["pastebox", "health"]
ENTRYPOINT ["/usr/bin/tini", "--", "/usr/local/bin/docker-entrypoint.sh"]
CMD ["serve"]

ARG VERSION=0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="pastebox" \
      org.opencontainers.image.description="Serves a Python web application from its PasteDeploy INI" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"

# ---------------------------------------------------------------------------------------------
# The tests that twisted brings are a third of it.
FROM standard AS servers-installed

# hadolint ignore=DL3002
USER 0
# hadolint ignore=DL3003
RUN --mount=type=bind,source=entrypoint/requirements-servers.txt,target=/mnt/requirements.txt \
    --mount=type=secret,id=ca_bundle,target=/mnt/ca_bundle,mode=0444 \
    --mount=type=secret,id=pip_conf,target=/mnt/pip_conf,mode=0444 <<'EOF'
set -eu
touch /tmp/started
sleep 0.1
if [ -s /mnt/ca_bundle ]; then export PIP_CERT=/mnt/ca_bundle; fi
if [ -s /mnt/pip_conf ]; then export PIP_CONFIG_FILE=/mnt/pip_conf; fi
export PYTHONDONTWRITEBYTECODE=1
pip install --no-compile --only-binary :all: --require-hashes -r /mnt/requirements.txt
cd /opt/pastebox/lib/python3.*/site-packages
find twisted zope -depth -regex '.*/tests?' -exec rm -r {} +
find /opt/pastebox/lib -name '*.py' -cnewer /tmp/started >/tmp/new
python -m compileall -fq --invalidation-mode unchecked-hash -i /tmp/new
EOF

# ---------------------------------------------------------------------------------------------
FROM standard AS servers

# Whose files these are, their dates and their two layers are as above: hence not the image's user.
USER 0
RUN --mount=type=tmpfs,target=/tmp \
    --mount=type=bind,source=entrypoint,target=/srv \
    --mount=type=bind,from=servers-installed,source=/opt/pastebox,target=/mnt \
    sh /srv/added.sh code

ARG SOURCE_DATE_EPOCH=0
RUN --mount=type=tmpfs,target=/tmp --mount=type=bind,source=entrypoint,target=/srv \
    --mount=type=bind,from=servers-installed,source=/opt/pastebox,target=/mnt \
    sh /srv/added.sh names

USER 10001:0

# ---------------------------------------------------------------------------------------------
FROM standard AS debugger-installed

# hadolint ignore=DL3002
USER 0
RUN --mount=type=bind,source=entrypoint/requirements-dev.txt,target=/mnt/requirements.txt \
    --mount=type=secret,id=ca_bundle,target=/mnt/ca_bundle,mode=0444 \
    --mount=type=secret,id=pip_conf,target=/mnt/pip_conf,mode=0444 <<'EOF'
set -eu
if [ -s /mnt/ca_bundle ]; then export PIP_CERT=/mnt/ca_bundle; fi
if [ -s /mnt/pip_conf ]; then export PIP_CONFIG_FILE=/mnt/pip_conf; fi
export PYTHONDONTWRITEBYTECODE=1
pip install --no-compile --only-binary :all: --require-hashes -r /mnt/requirements.txt
EOF

# ---------------------------------------------------------------------------------------------
# For people who work on an application: a change is followed, what does not load is shown in the
# browser, and a debugger can attach (PASTEBOX_DEBUGPY). Byte code is looked for in /tmp alone.
FROM standard AS dev

USER 0
RUN --mount=type=tmpfs,target=/tmp \
    --mount=type=bind,source=entrypoint,target=/srv \
    --mount=type=bind,from=debugger-installed,source=/opt/pastebox,target=/mnt \
    sh /srv/added.sh code

ARG SOURCE_DATE_EPOCH=0
RUN --mount=type=tmpfs,target=/tmp --mount=type=bind,source=entrypoint,target=/srv \
    --mount=type=bind,from=debugger-installed,source=/opt/pastebox,target=/mnt \
    sh /srv/added.sh names

USER 10001:0
EXPOSE 5678 9091
ENV PASTEBOX_RELOAD=auto \
    PASTEBOX_DEV=on \
    PASTEBOX_LIVERELOAD=on \
    PYTHONPYCACHEPREFIX=/tmp/pycache

# ---------------------------------------------------------------------------------------------
FROM standard AS collected

# hadolint ignore=DL3002
USER 0
RUN --mount=type=bind,source=entrypoint,target=/mnt <<'EOF'
set -eu
python3 -B /mnt/collect.py /collected/first /collected/second
EOF

ARG SOURCE_DATE_EPOCH=0
RUN --mount=type=bind,source=entrypoint,target=/mnt <<'EOF'
set -eu
python3 -B /mnt/sbom.py /collected/first /collected/second
find /collected -newer /etc/debian_version -exec touch -h -r /etc/debian_version {} +
EOF

# ---------------------------------------------------------------------------------------------
# Python, its libraries and pastebox on nothing: no shell, no package manager, no other program.
FROM scratch AS slim

COPY --from=collected /collected/first/ /
COPY --from=collected /collected/second/ /
ENV PATH=/opt/pastebox/bin:/usr/local/bin:/usr/bin \
    HOME=/tmp \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    PASTEBOX_HOST=0.0.0.0 \
    PASTEBOX_PORT=8080 \
    PASTEBOX_HEALTH_HOST=0.0.0.0 \
    PASTEBOX_DATA_DIR=/data
USER 10001:0
WORKDIR /data
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --start-interval=0.5s --retries=3 \
  CMD ["pastebox", "health"]
ENTRYPOINT ["/usr/bin/tini", "--", "/usr/local/bin/docker-entrypoint.py"]
CMD ["serve"]

ARG VERSION=0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="pastebox" \
      org.opencontainers.image.description="Serves a Python web application from its PasteDeploy INI" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"

# ---------------------------------------------------------------------------------------------
# The documents alone, for `make sbom`.
FROM scratch AS sbom

COPY --from=standard /usr/share/doc/pastebox/sbom.spdx.json /standard.spdx.json
COPY --from=servers /usr/share/doc/pastebox/sbom.spdx.json /servers.spdx.json
COPY --from=collected /collected/first/usr/share/doc/pastebox/sbom.spdx.json /slim.spdx.json

# ---------------------------------------------------------------------------------------------
# The default target.
FROM standard
