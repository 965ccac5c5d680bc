"""What is agreed between the services and with others: names, shapes, keys. No I/O."""
