# docker build -t smartbreed . && docker run -p 7860:7860 -v smartbreed:/data smartbreed
FROM python:3.11-slim
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
RUN pip install --no-cache-dir --no-deps . && useradd --create-home --uid 1000 pets && mkdir /data && chown pets /data
USER pets
ENV SMARTBREED_HOME=/data GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=7860 GRADIO_ANALYTICS_ENABLED=False
VOLUME /data
EXPOSE 7860
CMD ["python", "app.py"]
