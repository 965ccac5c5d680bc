"""Requests of Kafka's protocol that aiokafka does not speak: SCRAM credentials, quotas, and many ACLs at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka.protocol.admin import CreateAclsRequest_v1, DeleteAclsRequest_v1
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Array,
    Boolean,
    CompactArray,
    CompactBytes,
    CompactString,
    Float64,
    Int8,
    Int16,
    Int32,
    Schema,
    String,
    TaggedFields,
)

ALLOW = 3
SCRAM_SHA_512 = 2
_TEXT = CompactString("utf-8")
_PLAIN = String("utf-8")

AclRow = tuple[int, str, int, str, str, int, int]
"""Resource, name, pattern, principal, host, operation, permission."""


class CreateAcls(Request[CreateAclsRequest_v1]):  # type: ignore[misc]
    """Many ACLs in one request."""

    API_KEY = 30

    def __init__(self, rows: Sequence[AclRow]) -> None:
        self._rows = rows

    def build(self, request_struct_class: type[CreateAclsRequest_v1]) -> CreateAclsRequest_v1:
        return request_struct_class(list(self._rows))


class DeleteAcls(Request[DeleteAclsRequest_v1]):  # type: ignore[misc]
    """Many ACLs in one request, each named exactly."""

    API_KEY = 31

    def __init__(self, rows: Sequence[AclRow]) -> None:
        self._rows = rows

    def build(self, request_struct_class: type[DeleteAclsRequest_v1]) -> DeleteAclsRequest_v1:
        return request_struct_class(list(self._rows))


class AlterScramResponseV0(Response):  # type: ignore[misc]
    API_KEY = 51
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            CompactArray(("user", _TEXT), ("error_code", Int16), ("error_message", _TEXT), ("tags", TaggedFields)),
        ),
        ("tags", TaggedFields),
    )


class AlterScramRequestV0(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 51
    API_VERSION = 0
    RESPONSE_TYPE = AlterScramResponseV0
    SCHEMA = Schema(
        ("deletions", CompactArray(("name", _TEXT), ("mechanism", Int8), ("tags", TaggedFields))),
        (
            "upsertions",
            CompactArray(
                ("name", _TEXT),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class AlterScram(Request[AlterScramRequestV0]):  # type: ignore[misc]
    """Set SCRAM-SHA-512 credentials: of each user the iterations, the salt and the salted password; never the password."""

    API_KEY = 51

    def __init__(self, upserts: Mapping[str, tuple[int, bytes, bytes]], deletions: Sequence[str] = ()) -> None:
        self._upserts, self._deletions = upserts, deletions

    def build(self, request_struct_class: type[AlterScramRequestV0]) -> AlterScramRequestV0:
        deletions: list[Any] = [(user, SCRAM_SHA_512, {}) for user in self._deletions]
        upserts: list[Any] = [(user, SCRAM_SHA_512, *credential, {}) for user, credential in self._upserts.items()]
        return request_struct_class(deletions, upserts, {})


_ENTITY = Array(("entity_type", _PLAIN), ("entity_name", _PLAIN))


class AlterQuotasResponseV0(Response):  # type: ignore[misc]
    API_KEY = 49
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("entries", Array(("error_code", Int16), ("error_message", _PLAIN), ("entity", _ENTITY))),
    )


class AlterQuotasRequestV0(RequestStruct):  # type: ignore[misc]
    API_KEY = 49
    API_VERSION = 0
    RESPONSE_TYPE = AlterQuotasResponseV0
    SCHEMA = Schema(
        (
            "entries",
            Array(("entity", _ENTITY), ("ops", Array(("key", _PLAIN), ("value", Float64), ("remove", Boolean)))),
        ),
        ("validate_only", Boolean),
    )


class AlterQuotas(Request[AlterQuotasRequestV0]):  # type: ignore[misc]
    """Set quotas of users, as Kafka names them."""

    API_KEY = 49

    def __init__(self, quotas: Mapping[str, Mapping[str, float]]) -> None:
        self._quotas = quotas

    def build(self, request_struct_class: type[AlterQuotasRequestV0]) -> AlterQuotasRequestV0:
        entries: list[Any] = [
            ([("user", user)], [(key, value, False) for key, value in quota.items()])
            for user, quota in self._quotas.items()
        ]
        return request_struct_class(entries, False)
