# One image for all parts; docker-compose.yml names the part that a container runs.
FROM python:3.11-slim

WORKDIR /src
COPY requirements.lock .
RUN pip install --no-cache-dir -r requirements.lock
COPY . .
RUN pip install --no-cache-dir --no-deps . && rm -rf /src/*

# Create the mount points of the volumes here, so that the volumes belong to this user.
RUN useradd --create-home memo && install -d -o memo -g memo -m 700 /memo /memo/inbox /memo/models
USER memo
WORKDIR /memo
ENV MEMO_HOME=/memo
VOLUME /memo
ENTRYPOINT ["memo"]
CMD ["up", "--foreground"]
