FROM python:3.12-slim
RUN useradd --create-home --uid 1000 user
USER user
WORKDIR /home/user/app
ENV PATH=/home/user/.local/bin:$PATH GRADIO_SERVER_NAME=0.0.0.0
COPY --chown=user . .
RUN pip install --no-cache-dir -r requirements.txt
CMD ["python", "app.py"]
