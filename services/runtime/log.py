"""The port to the log: what the runtime asks of Kafka, and of the in-memory log that tests and simulation use."""
