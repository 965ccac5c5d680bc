# На машине нужны только Python 3.11+ и make; остальное ставится в .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help run test unit check format bench chaos schemas constraints clean

help: ## показать эти строки
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

run: $(STAMP) ## поднять всю систему с показательными сообщениями; остановка — Ctrl-C
	@$(BIN)/otklik up --demo

test: $(STAMP) ## все тесты на настоящих Kafka и PostgreSQL, кроме долгих
	@$(BIN)/pytest tests --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

unit: $(STAMP) ## только быстрые тесты, без Kafka и PostgreSQL
	@$(BIN)/pytest tests/unit

check: $(STAMP) ## формат, линтер, строгие типы, правила импорта, опрятность
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m schemas.export --check
	$(BIN)/python -m schemas.asyncapi --check
	$(BIN)/python -m services.cli.openapi --check
	$(BIN)/python -m regulations.docs --check
	$(BIN)/python -m tests.tidy

format: $(STAMP) ## привести код к общему формату
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## измерить скорость: таблица отношений к голому клиенту и к соперникам
	@$(BIN)/python -m tests.bench

chaos: $(STAMP) ## долгие испытания с kill -9 служб, брокера и базы: RUNS, SEED, SECONDS_EACH, RESULTS=файл, MORE="--brokers 3"
	@$(BIN)/python -m tests.chaos.run --seconds $(or $(SECONDS_EACH),300) --seed $(or $(SEED),1) --runs $(or $(RUNS),1) \
		$(if $(RESULTS),--results $(RESULTS)) $(MORE)

schemas: $(STAMP) ## заново записать JSON Schema, OpenAPI и AsyncAPI в schemas/
	@$(BIN)/python -m schemas.export
	@$(BIN)/python -m schemas.asyncapi
	@$(BIN)/python -m services.cli.openapi

constraints: $(STAMP) ## заново закрепить версии с контрольными суммами по pyproject.toml
	@$(BIN)/python -m pip install --quiet --upgrade uv
	@echo setuptools | $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --extra dev --output-file constraints.txt pyproject.toml -
	@echo "constraints.txt обновлён; make test покажет, всё ли годится"

clean: ## удалить .venv, кэши и данные встроенных Kafka и PostgreSQL (.otklik)
	rm -rf $(VENV) .otklik .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
	find schemas regulations services tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp bears what was installed: it is made anew only when the pinned versions or the entry points have changed.
$(STAMP): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Нужен Python 3.11 или новее, а «$(PYTHON)» — $$($(PYTHON) --version 2>&1 || true)."; \
		echo "Установите его и укажите: make PYTHON=python3.11 …"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "В «$(PYTHON)» нет модулей venv и ensurepip. В Debian и Ubuntu: apt install python3-venv."; exit 1; }
	@test -x $(BIN)/python || { echo "Создаётся $(VENV) …"; $(PYTHON) -m venv $(VENV); }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip --upgrade
	@echo "Устанавливаются закреплённые версии (в первый раз около минуты) …"
	@$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r constraints.txt
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $@
