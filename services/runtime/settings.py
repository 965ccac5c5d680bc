"""Settings: the one place where the environment (`OTKLIK_…`) is read and validated."""

from collections.abc import Mapping
from os import pathsep
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from pydantic import Field, SecretStr, ValidationError, computed_field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

ENV_PREFIX = "OTKLIK_"

# Offsets from `port_base`: part of the contract, so that clients find every service from one number.
SERVICE_PORTS: dict[str, int] = {"intake": 1, "workflow": 2, "sla": 3, "reporting": 4}
POSTGRES_PORT, KAFKA_PORT, KAFKA_CONTROLLER_PORT = 32, 92, 93

Environment = Literal["embedded", "production"]
ClockKind = Literal["real", "simulated"]


class SettingsError(Exception):
    """The environment holds a value that cannot be used; the text says in Russian which one and what is expected."""


class SettingLine(NamedTuple):
    """One line of `otklik settings`: everything is text, ready to be shown, and secrets are masked."""

    name: str
    value: str
    default: str
    meaning: str


class Settings(BaseSettings):
    """What an installation may choose. Frozen: a running service never changes its settings."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    environment: Environment = Field(default="embedded", description="embedded — `otklik up`; production — кластер")
    prefix: str = Field(
        default="otklik", pattern=r"^[a-z0-9][a-z0-9-]{0,59}$", description="начало имён тем, групп и transactional.id"
    )
    port_base: int = Field(default=8000, ge=1024, le=65000, description="от него отсчитываются все порты установки")
    data: Path = Field(default=Path(".otklik"), description="каталог данных встроенных частей и журналов")
    law: str = Field(default="", description="папки с acts/ и authorities/ поверх поставляемого права, через двоеточие")
    kafka: str = Field(
        default_factory=lambda chosen: f"127.0.0.1:{_port(chosen, KAFKA_PORT)}",
        description="адреса брокеров Kafka, host:port через запятую",
    )
    kafka_security: Literal["PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="SASL_SSL — TLS и имя с паролем (SCRAM-SHA-512), как в deploy/"
    )
    kafka_ca: Path | None = Field(default=None, description="файл PEM, которому верить; иначе — хранилище системы")
    kafka_user: str | None = Field(default=None, description="имя пользователя Kafka")
    kafka_password: SecretStr | None = Field(default=None, description="его пароль")
    postgres: str = Field(
        default_factory=lambda chosen: f"postgresql+asyncpg://postgres@127.0.0.1:{_port(chosen, POSTGRES_PORT)}/otklik",
        description="адрес базы PostgreSQL: postgresql://пользователь:пароль@узел:порт/база",
    )
    partitions: int = Field(
        default_factory=lambda chosen: 4 if chosen["environment"] == "embedded" else 24,
        ge=1,
        le=1000,
        description="число партиций тем с ключом message_id; задаётся однажды и навсегда",
    )
    replication: int = Field(
        default_factory=lambda chosen: 1 if chosen["environment"] == "embedded" else 3,
        ge=1,
        le=9,
        description="число копий каждой партиции",
    )
    clock: ClockKind = Field(default="real", description="real — время брокера; simulated — `otklik clock`")
    clock_runs: bool = Field(
        default=False, description="условные часы идут вместе с настоящими (`otklik up --demo`), а не стоят"
    )
    oidc_issuer: str | None = Field(default=None, description="издатель токенов (iss); с ним местный ключ выключен")
    oidc_audience: str | None = Field(default=None, description="получатель токенов (aud)")
    oidc_jwks_url: str | None = Field(default=None, description="адрес ключей издателя; иначе — из его метаданных")
    pages_origin: str | None = Field(
        default=None, description="адрес страниц, как его видит браузер, если они за обратным прокси"
    )
    workflow_url: str | None = Field(
        default=None, description="адрес workflow, как его видит браузер, если она за обратным прокси"
    )
    http_host: str = Field(default="127.0.0.1", description="адрес, на котором службы слушают HTTP")
    max_request_bytes: int = Field(default=1 << 20, ge=1024, le=4 << 20, description="предел тела запроса, байт")
    requests_per_second: float = Field(
        default=1000.0,
        ge=0,
        le=1_000_000,
        description="запросов в секунду с одним токеном (sub) на копию службы; 0 — без предела",
    )
    requests_burst: int = Field(
        default=10_000, ge=1, le=10_000_000, description="сколько запросов с одним токеном можно подать разом"
    )
    outcome_timeout: float = Field(default=10.0, gt=0, le=300, description="сколько ждать исхода команды, секунд")
    batch_max: int = Field(default=500, ge=1, le=10_000, description="наибольшая пачка записей одной транзакции")
    transaction_timeout: float = Field(
        default=10.0, ge=1, le=60, description="через сколько брокер прерывает брошенную транзакцию, секунд"
    )
    session_timeout: float = Field(
        default=6.0, ge=6, le=300, description="через сколько партиции умершей копии отдаются другим, секунд"
    )
    lag_limit: int = Field(
        default=10_000, ge=1, le=100_000_000, description="при каком числе непрочитанных записей служба не готова"
    )
    database_pool: int = Field(default=10, ge=1, le=100, description="наибольшее число соединений с базой на службу")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="подробность журнала")

    @field_validator("law")
    @classmethod
    def _law_folders_exist(cls, value: str) -> str:
        for folder in filter(None, value.split(pathsep)):
            if not Path(folder).is_dir():
                raise ValueError(f"папки «{folder}» нет")
        return value

    @field_validator("kafka")
    @classmethod
    def _bootstrap_has_ports(cls, value: str) -> str:
        for address in value.split(","):
            host, _, port = address.strip().rpartition(":")
            if not host or not port.isdigit() or not 0 < int(port) < 65536:
                raise ValueError(f"«{address.strip()}» — не адрес вида host:port")
        return value

    @field_validator("postgres")
    @classmethod
    def _one_driver(cls, value: str) -> str:
        try:
            url = make_url(value)
        except ArgumentError:
            # The text is not repeated: it may hold a password.
            raise ValueError("не адрес вида postgresql://пользователь@узел:порт/база") from None
        if url.drivername not in {"postgres", "postgresql", "postgresql+asyncpg"} or not url.database:
            raise ValueError("нужен адрес вида postgresql://пользователь@узел:порт/база")
        return url.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)

    @model_validator(mode="after")
    def _kafka_opens(self) -> Self:
        if self.kafka_security == "SASL_SSL" and (self.kafka_user is None or self.kafka_password is None):
            raise ValueError("с OTKLIK_KAFKA_SECURITY=SASL_SSL нужны OTKLIK_KAFKA_USER и OTKLIK_KAFKA_PASSWORD")
        if self.kafka_ca is not None and not self.kafka_ca.is_file():
            raise ValueError(f"OTKLIK_KAFKA_CA: файла {self.kafka_ca} нет")
        return self

    @model_validator(mode="after")
    def _tokens_can_be_checked(self) -> Self:
        if (self.oidc_issuer is None) != (self.oidc_audience is None):
            raise ValueError("OTKLIK_OIDC_ISSUER и OTKLIK_OIDC_AUDIENCE задаются вместе")
        if self.environment == "production" and self.oidc_issuer is None:
            raise ValueError("в environment=production нужны OTKLIK_OIDC_ISSUER и OTKLIK_OIDC_AUDIENCE")
        if self.environment == "production" and self.clock == "simulated":
            raise ValueError("в environment=production часы только настоящие (OTKLIK_CLOCK=real)")
        return self

    def http_port(self, service: str) -> int:
        """The HTTP port of `service`. Raises KeyError for a service that does not exist."""
        return self.port_base + SERVICE_PORTS[service]

    @property
    def law_folders(self) -> tuple[Path, ...]:
        """Folders of the installation's own law, over the shipped one; a later one stands for an earlier."""
        return tuple(Path(folder) for folder in self.law.split(pathsep) if folder)

    def url(self, service: str) -> str:
        """The address of `service` as seen from this machine."""
        host = "127.0.0.1" if self.http_host in {"0.0.0.0", "::"} else self.http_host
        return f"http://{host}:{self.http_port(service)}"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def postgres_port(self) -> int:
        """The port of the embedded PostgreSQL."""
        return self.port_base + POSTGRES_PORT

    @computed_field  # type: ignore[prop-decorator]
    @property
    def kafka_port(self) -> int:
        """The port of the embedded Kafka's broker."""
        return self.port_base + KAFKA_PORT

    @computed_field  # type: ignore[prop-decorator]
    @property
    def kafka_controller_port(self) -> int:
        """The port of the embedded Kafka's controller."""
        return self.port_base + KAFKA_CONTROLLER_PORT

    @property
    def local_key(self) -> Path | None:
        """The key that signs `otklik token`; None where a real issuer signs, so that no local token opens a door."""
        if self.environment == "production" or self.oidc_issuer is not None:
            return None
        return self.data / "local_key.pem"

    def describe(self) -> list[SettingLine]:
        """Every setting with its value, its default and its meaning, for `otklik settings`; passwords are masked."""
        chosen = self.model_dump()
        lines = []
        for name, field in type(self).model_fields.items():
            default = field.get_default(call_default_factory=True, validated_data=chosen)
            lines.append(
                SettingLine(ENV_PREFIX + name.upper(), _shown(chosen[name]), _shown(default), field.description or "")
            )
        return lines


def load_settings(**chosen: Any) -> Settings:
    """Settings of the environment, over which `chosen` goes. Raises SettingsError in words a person can act on."""
    try:
        return Settings(**chosen)
    except ValidationError as error:
        faults = "\n".join(
            f"  {_place(fault['loc'])}: {_in_russian(fault)}"
            for fault in error.errors()
            # A default that follows from a faulty value is no fault of its own.
            if fault["type"] != "default_factory_not_called"
        )
        raise SettingsError(f"Настройки не годятся, исправьте переменные окружения:\n{faults}") from None


def _port(chosen: Mapping[str, Any], offset: int) -> int:
    return int(chosen["port_base"]) + offset


def _shown(value: object) -> str:
    if isinstance(value, str) and "://" in value:
        try:
            url: URL = make_url(value)
        except ArgumentError:
            return value
        return url.render_as_string(hide_password=True) if url.password else value
    return "—" if value is None else str(value)


def _place(location: tuple[int | str, ...]) -> str:
    return ENV_PREFIX + str(location[0]).upper() if location else "вместе"


def _in_russian(fault: Any) -> str:
    context: Mapping[str, Any] = fault.get("ctx", {})
    match fault["type"]:
        case "literal_error":
            return f"«{fault['input']}» — возможно только {str(context['expected']).replace(' or ', ' или ')}"
        case "int_parsing" | "int_type":
            return f"«{fault['input']}» — нужно целое число"
        case "float_parsing" | "float_type":
            return f"«{fault['input']}» — нужно число"
        case "greater_than_equal":
            return f"{fault['input']} — нужно не меньше {context['ge']}"
        case "greater_than":
            return f"{fault['input']} — нужно больше {context['gt']}"
        case "less_than_equal":
            return f"{fault['input']} — нужно не больше {context['le']}"
        case "string_pattern_mismatch":
            return f"«{fault['input']}» — нужны строчные латинские буквы, цифры и дефис, не больше 60 знаков"
        case "value_error":
            return str(context["error"])
    return str(fault["msg"])
