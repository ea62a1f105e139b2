"""Protobuf message classes made at run time from a few words each, in a pool of their own.

In a pool of their own, since the names of TensorBoard's and W&B's own classes would clash with ours in the pool that
everybody shares. A message is named with its fields: `step:int64=2`, `value:Value*=1`
(repeated). A field left out here is passed over when a message is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def build(package: str, messages: Mapping[str, str], wanted: str) -> Any:  # noqa: ANN401 - a class made at run time
    """The class of message `wanted` of `messages` (name -> fields)."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto2")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for word in fields.split():
            left, _, number = word.partition("=")
            field_name, _, kind = left.partition(":")
            field = message.field.add(name=field_name, number=int(number))
            field.label = field.LABEL_REPEATED if kind.endswith("*") else field.LABEL_OPTIONAL
            kind = kind.rstrip("*")
            if kind in messages:
                field.type, field.type_name = field.TYPE_MESSAGE, f".{package}.{kind}"
            else:
                field.type = getattr(field, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{wanted}"))
