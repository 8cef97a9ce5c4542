# Three images on one base:
#   app        the API, the worker and the migration
#   mlflow     MLflow's server behind the platform's login
#   dashboard  the Streamlit dashboard
# Each holds the hashed packages of its own lock and the source; nothing in it can be written.
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS base
# MALLOC_ARENA_MAX: many threads would else keep many heaps.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/srv/goodfit \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MALLOC_ARENA_MAX=2 \
    GOODFIT_HOME=/tmp/goodfit \
    GOODFIT_HOST=0.0.0.0
# A new volume takes content and owner of the folder that it is mounted on.
RUN groupadd --gid 10001 goodfit \
    && useradd --uid 10001 --gid goodfit --no-create-home --home-dir /tmp --shell /usr/sbin/nologin goodfit \
    && install --directory --owner=goodfit --group=goodfit /var/lib/goodfit /var/lib/goodfit/scratch
WORKDIR /srv/goodfit
USER 10001:10001
ENTRYPOINT ["python", "-m", "backend.cli"]

FROM ${PYTHON_IMAGE} AS build
# Bytecode is made here: the containers cannot keep any, and start three times as fast with it.
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV=/opt/venv
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,source=locks/bootstrap.lock,target=/locks/bootstrap.lock \
    pip install --root-user-action=ignore --require-hashes -r /locks/bootstrap.lock \
    && uv venv /opt/venv

FROM build AS source
COPY alembic.ini /srv/goodfit/
COPY migrations /srv/goodfit/migrations
COPY backend /srv/goodfit/backend
COPY frontend /srv/goodfit/frontend
# unchecked-hash: valid whatever happens to the files' times on their way through the layers.
RUN python -m compileall -q --invalidation-mode unchecked-hash /srv/goodfit

FROM build AS build-app
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,source=locks/image-app.lock,target=/locks/image.lock \
    uv pip install --require-hashes -r /locks/image.lock

FROM build AS build-mlflow
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,source=locks/image-mlflow.lock,target=/locks/image.lock \
    uv pip install --require-hashes -r /locks/image.lock

FROM build AS build-dashboard
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,source=locks/image-dashboard.lock,target=/locks/image.lock \
    uv pip install --require-hashes -r /locks/image.lock

FROM base AS mlflow
COPY --from=build-mlflow /opt/venv /opt/venv
COPY --from=source /srv/goodfit /srv/goodfit
EXPOSE 5000
CMD ["mlflow"]

FROM base AS dashboard
COPY --from=build-dashboard /opt/venv /opt/venv
COPY --from=source /srv/goodfit /srv/goodfit
EXPOSE 8501
CMD ["dashboard"]

# The last one is what a build without --target makes.
FROM base AS app
COPY --from=build-app /opt/venv /opt/venv
COPY --from=source /srv/goodfit /srv/goodfit
EXPOSE 8000
CMD ["api"]
