#!/bin/sh
# Настройки службы — переменные, пароли — файлы: /run/secrets/env_ИМЯ становится переменной ИМЯ этого процесса, и в
# описании контейнера паролей не видно.
set -eu
for file in /run/secrets/env_*; do
    [ -f "$file" ] || continue
    export "${file#/run/secrets/env_}=$(cat "$file")"
done
exec "$@"
