"""Putting Otklik on real machines: who may do what on the broker, users, certificates, and the files of a cluster."""
