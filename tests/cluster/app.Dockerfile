# The small application of the image ring, on the image of this commit; its context is that folder.
ARG PASTEBOX_IMAGE=pastebox
# hadolint ignore=DL3006
FROM ${PASTEBOX_IMAGE}
COPY toy.py app.ini /app/
ENV PYTHONPATH=/app
