# arsync in a container: docs/deploy.md. A test carries out these steps without a container engine.
FROM python:3.13-slim AS build
WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY connectors connectors
COPY playbooks playbooks
COPY migrations migrations
RUN python -m venv /opt/arsync
RUN /opt/arsync/bin/python -m pip install --no-cache-dir --disable-pip-version-check ".[queue]"

FROM python:3.13-slim
RUN useradd --system --uid 10001 --user-group --home-dir /var/lib/arsync --create-home --shell /usr/sbin/nologin arsync
COPY --from=build /opt/arsync /opt/arsync
# The installation's folder, as `arsync init` lays it down, is the one place that is written to, beside /tmp.
ENV PATH=/opt/arsync/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    ARSYNC_CONFIG=/var/lib/arsync/arsync.toml \
    ARSYNC_LOG__FORMAT=json \
    ARSYNC_WORKER__LISTEN=127.0.0.1:9464
WORKDIR /var/lib/arsync
USER 10001:10001
VOLUME /var/lib/arsync
HEALTHCHECK --interval=60s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as web; port = os.environ['ARSYNC_WORKER__LISTEN'].rpartition(':')[2]; web.urlopen(f'http://127.0.0.1:{port}/healthz', timeout=8)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["arsync"]
CMD ["worker"]
