# docker build -t smartbreed . && docker run -p 7860:7860 -v smartbreed:/data smartbreed
# Settings (-e SMARTBREED_…) and what else there is to know: docs/deploy.md
FROM python:3.11-slim
WORKDIR /app
COPY requirements.txt constraints.txt ./
RUN pip install --no-cache-dir -r requirements.txt -c constraints.txt
COPY . .
# Editable, so that there is one copy of the code: the app and the processes it starts (deeper
# explanations, retraining, the trial of a release) find it under /app.
RUN pip install --no-cache-dir --no-deps --editable . && \
    useradd --create-home --uid 1000 pets && mkdir /data && chown pets /data
USER pets
ENV SMARTBREED_HOME=/data GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=7860 GRADIO_ANALYTICS_ENABLED=False \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
VOLUME /data
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:7860/api/health', timeout=8)"]
STOPSIGNAL SIGTERM
CMD ["python", "app.py"]
