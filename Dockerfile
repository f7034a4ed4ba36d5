# docker build -t smartbreed . && docker run -p 7860:7860 -v smartbreed:/data smartbreed
# With tensorflow, for deeper explanations and retraining: --build-arg EXTRAS=otel,postgres,explain,train
# Settings (-e SMARTBREED_…) and what else there is to know: docs/deploy.md
FROM python:3.11-slim AS build
ARG EXTRAS=otel,postgres
WORKDIR /build
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY . .
RUN pip install --no-cache-dir --disable-pip-version-check --constraint constraints.txt ".[${EXTRAS}]"
WORKDIR /
RUN python -m smartbreed.web.pages.offline.runtime

FROM python:3.11-slim
WORKDIR /app
COPY --from=build /opt/venv /opt/venv
COPY app.py ./
RUN useradd --create-home --uid 1000 pets && mkdir /data && chown pets /data
USER 1000
# The root may be mounted read-only: what is written goes to /data and /tmp.
ENV PATH=/opt/venv/bin:$PATH SMARTBREED_HOME=/data HF_HOME=/tmp/huggingface GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 GRADIO_ANALYTICS_ENABLED=False PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
VOLUME /data
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:7860/healthz', timeout=8)"]
STOPSIGNAL SIGTERM
CMD ["python", "app.py"]
