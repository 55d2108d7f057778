# Haechi without weights: their licence forbids passing them on, so `haechi models pull` fetches them
# into a volume at the first start (compose.yaml, service "models").

FROM python:3.11.14-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/haechi
COPY pyproject.toml README.md haechi.py ./
COPY streams streams
COPY agents agents
COPY gpu_kernels gpu_kernels
COPY monitors monitors
COPY alerts alerts
COPY dashboards dashboards
RUN /opt/haechi/bin/pip install --no-cache-dir --disable-pip-version-check .

FROM python:3.11.14-slim-bookworm
# libseccomp2 is half of the decoder's sandbox; the other half, Landlock, is the kernel's.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        libseccomp2 tesseract-ocr-eng tesseract-ocr-kor \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 haechi \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/haechi --shell /usr/sbin/nologin haechi \
    && install -d -m 0700 -o haechi -g haechi \
        /var/lib/haechi /var/lib/haechi-keys /var/cache/haechi /var/cache/haechi/models
COPY --from=build /opt/haechi /opt/haechi
ENV PATH=/opt/haechi/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /var/lib/haechi
# By itself the image is one machine's whole Haechi; compose.yaml gives each process a container.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8600/healthz', timeout=4)"]
CMD ["haechi", "up"]
