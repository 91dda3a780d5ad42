#!/bin/sh
# Installs web servers; none is started, the tests do that on ports of their own.
set -eu
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
apt-get update
# shellcheck disable=SC2086  # a list
DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $PACKAGES
rm -rf /var/lib/apt/lists/* /usr/sbin/policy-rc.d
