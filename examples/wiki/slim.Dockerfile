# The wiki on the image without a shell: installed where pip is, and taken from there.
ARG PASTEBOX_IMAGE=pastebox
ARG PASTEBOX_SLIM_IMAGE=pastebox-slim
# hadolint ignore=DL3006
FROM ${PASTEBOX_IMAGE} AS installed

# As in the Dockerfile beside this one.
# hadolint ignore=DL3042
RUN --mount=type=bind,target=/tmp/wiki \
    --mount=type=secret,id=ca_bundle,target=/tmp/ca_bundle,mode=0444 \
    --mount=type=secret,id=pip_conf,target=/tmp/pip_conf,mode=0444 \
    if [ -s /tmp/ca_bundle ]; then export PIP_CERT=/tmp/ca_bundle; fi; \
    if [ -s /tmp/pip_conf ]; then export PIP_CONFIG_FILE=/tmp/pip_conf; fi; \
    pip install "/tmp/wiki[postgresql]"

# hadolint ignore=DL3006
FROM ${PASTEBOX_SLIM_IMAGE}
COPY --from=installed /opt/pastebox /opt/pastebox

# Which application make-config configures when no INI is mounted.
ENV PASTEBOX_APP=pastebox-wiki
