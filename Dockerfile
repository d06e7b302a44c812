# One image for all parts; docker-compose.yml names the part that a container runs.
FROM python:3.11-slim AS build

# A page or folder with a build of torch for CPUs only, several gigabytes smaller than the usual one; empty: that one.
ARG TORCH=https://download.pytorch.org/whl/cpu/torch/
WORKDIR /src
COPY . .
RUN python -m venv /opt/memo
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/memo/bin/pip install ${TORCH:+--find-links "$TORCH"} --constraint requirements.lock .
# Headers and tests of libraries are only for those who build on them.
RUN cd /opt/memo/lib/python3*/site-packages \
    && rm -r torch/include torch/test && find torch/bin -type f ! -name torch_shm_manager -delete \
    && find . -depth -type d -name tests -exec rm -r {} + \
    && /opt/memo/bin/pip uninstall --yes --quiet pip

FROM python:3.11-slim
COPY --from=build /opt/memo /opt/memo
ENV PATH=/opt/memo/bin:$PATH MEMO_HOME=/memo

# Create the mount points of the volumes here, so that the volumes belong to this user.
RUN useradd --create-home memo && install -d -o memo -g memo -m 700 /memo /memo/inbox /memo/models
USER memo
WORKDIR /memo
VOLUME /memo
ENTRYPOINT ["memo"]
CMD ["up", "--foreground"]
