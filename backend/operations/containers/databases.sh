#!/usr/bin/env bash
# Run once by the postgres image, for an empty volume: two owners, for MLflow has no business in our tables.
set -euo pipefail

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\set goodfit_password `cat /run/secrets/goodfit_password`
\set mlflow_password `cat /run/secrets/mlflow_password`
create role goodfit login password :'goodfit_password';
create role mlflow login password :'mlflow_password';
create database goodfit owner goodfit;
create database mlflow owner mlflow;
create database mlflow_auth owner mlflow;
revoke connect on database goodfit, mlflow, mlflow_auth from public;
SQL
