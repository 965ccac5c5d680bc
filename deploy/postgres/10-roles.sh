#!/bin/bash
# Роль и схема для каждой службы: чужих таблиц ни одна не видит. operator читает всё — для otklik law apply и verify.
# Выполняется один раз, при создании базы.
set -euo pipefail
for service in intake workflow sla reporting operator; do
    psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" \
        -v role="$service" -v password="$(cat "/run/secrets/postgres_$service")" -v base="$POSTGRES_DB" <<'SQL'
CREATE ROLE :"role" LOGIN PASSWORD :'password';
SQL
done
for service in intake workflow sla reporting; do
    # CREATE на базу: служба сама выполняет CREATE SCHEMA IF NOT EXISTS, а право проверяется и тогда, когда схема есть.
    psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -v role="$service" -v base="$POSTGRES_DB" <<'SQL'
GRANT CREATE ON DATABASE :"base" TO :"role";
CREATE SCHEMA :"role" AUTHORIZATION :"role";
SQL
done
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c 'GRANT pg_read_all_data TO operator'
