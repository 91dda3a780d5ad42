# The wiki as the tests want it otherwise: of a newer version, with a clock that is off, and nginx
# before it. For machines that can pull no image all of it comes from Debian's packages.
ARG WIKI_IMAGE=pastebox-wiki

# hadolint ignore=DL3006
FROM ${WIKI_IMAGE} AS newer
# hadolint ignore=DL3003
RUN cd /opt/pastebox/lib/python3.*/site-packages \
 && mv pastebox_wiki-*.dist-info pastebox_wiki-2.0.0.dist-info \
 && sed --in-place 's/^Version: .*/Version: 2.0.0/' pastebox_wiki-2.0.0.dist-info/METADATA

# FAKETIME=-1h with it sets every clock of a process back, but the one that measures time.
# hadolint ignore=DL3006
FROM ${WIKI_IMAGE} AS skewed
USER 0
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libfaketime \
 && rm -rf /var/cache/apt/* /var/lib/apt/lists/* \
 && ln -s /usr/lib/*-linux-gnu/faketime/libfaketimeMT.so.1 /usr/local/lib/skew.so
ENV FAKETIME_DONT_FAKE_MONOTONIC=1
USER 10001:0

# As the image that the chart names: any user, and its stop signal lets it finish what it has.
FROM debian:trixie-slim AS nginx
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends nginx-light \
 && rm -rf /var/cache/apt/* /var/lib/apt/lists/*
STOPSIGNAL SIGQUIT
USER 101
