"""A checker of the invariants on the raw log. It shares no code with the services: JSON, Kafka's client, and its own sums."""
