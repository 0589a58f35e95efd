# Fizz as an image: docker build -t fizz . && docker run -p 8080:8080 --env-file fizz.env fizz
# Another Python, or another registry: --build-arg PYTHON_IMAGE=python:3.12-slim, and to have the very
# same one each time, its digest: --build-arg PYTHON_IMAGE=python:3.13-slim@sha256:...
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
COPY etc/requirements-build.txt etc/requirements-image.txt ./
# Packages of other people: the versions of these files, by hash, and built by nothing that is not.
RUN python -m venv /opt/fizz \
    && pip="/opt/fizz/bin/pip install --no-cache-dir --no-deps --no-build-isolation" \
    && $pip --require-hashes -r requirements-build.txt \
    && $pip --require-hashes -r requirements-image.txt
COPY pyproject.toml setup.cfg README.md LICENSE ./
COPY fizz_gevent fizz_gevent
RUN /opt/fizz/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
    && /opt/fizz/bin/pip check \
    && /opt/fizz/bin/pip uninstall --yes setuptools pip

FROM ${PYTHON_IMAGE}
COPY --from=build /opt/fizz /opt/fizz
ENV PATH=/opt/fizz/bin:$PATH
# For the pid file and the control socket. All that is ever written, so the rest may be read-only.
RUN install -d -o 10001 -g 10001 -m 0700 /run/fizz

# Mount a fizz.yaml here, or set FIZZ_... variables.
WORKDIR /etc/fizz

# Numbers, so that an orchestrator can see that this is not root without looking into the image.
USER 10001:10001

EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + (os.environ.get('FIZZ_SERVER_PORT') or os.environ.get('PORT') or '8080') + '/up', timeout=2)"]

# The server itself is process 1 and gets this signal; give it 30 s: docker stop --time=30
STOPSIGNAL SIGTERM
ENTRYPOINT ["fizz"]
CMD ["start", "--host=0.0.0.0"]
