#!/bin/sh
# Adds to an image what a stage of the build has installed into a copy of /opt/pastebox, at /mnt:
#   added.sh code    everything but what the distributions say of themselves
#   added.sh names   the rest, and then the list of what the image is made of
# In two layers, each dated like the base image, for the reasons that the Dockerfile gives.
set -eu
touch /tmp/started
sleep 0.1
cp -R --update=none /mnt/. /opt/pastebox/
case $1 in
  code)
    find /opt/pastebox/lib -name '*.dist-info' -cnewer /tmp/started -prune -exec rm -r {} +
    ;;
  names)
    python3 -B /srv/sbom.py /
    ;;
esac
find /opt/pastebox -cnewer /tmp/started ! -type l -exec chmod g=u {} +
find / -xdev -cnewer /tmp/started -exec touch -h -r /etc/debian_version {} +
touch -r /etc/debian_version /etc
