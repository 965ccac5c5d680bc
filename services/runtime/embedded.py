"""The embedded parts of `otklik up` and of the tests: a real Kafka and a real PostgreSQL on one directory."""

from services.runtime.embedded_kafka import EmbeddedKafka, broker_settings
from services.runtime.embedded_postgres import EmbeddedPostgres
from services.runtime.kafka_jars import KAFKA_VERSION, fetch_kafka

__all__ = ["KAFKA_VERSION", "EmbeddedKafka", "EmbeddedPostgres", "broker_settings", "fetch_kafka"]
