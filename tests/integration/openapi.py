"""Holds answers against /openapi.json: the part of JSON Schema that it uses, and no member more."""

import re

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None),
         "integer": int, "number": (int, float)}


def is_type(value, name):
    return isinstance(value, TYPES[name]) and (
        name not in ("integer", "number") or not isinstance(value, bool))


class Document:
    def __init__(self, document):
        self.document = document

    def resolve(self, node):
        while "$ref" in node:
            path, node = node["$ref"], self.document
            for word in path.removeprefix("#/").split("/"):
                node = node[word]
        return node

    def members(self, schema):
        """All declared members, those of allOf too; None where any may be there."""
        schema = self.resolve(schema)
        parts = [self.members(part) for part in schema.get("allOf", [])]
        own = schema.get("properties")
        if own is None and not parts or "additionalProperties" in schema:
            return None
        return set(own or ()).union(*(part or () for part in parts))

    def faults(self, value, schema, at="", whole=True):
        schema = self.resolve(schema)
        types = schema.get("type", [])
        types = [types] if isinstance(types, str) else types
        if types and not any(is_type(value, name) for name in types):
            return [f"{at}: {value!r} is no {types}"]
        found = [fault for part in schema.get("allOf", []) for fault in
                 self.faults(value, part, at, whole=False)]
        if "enum" in schema and value not in schema["enum"]:
            found.append(f"{at}: {value!r} is none of {schema['enum']}")
        if "pattern" in schema and isinstance(value, str) \
                and not re.search(schema["pattern"], value):
            found.append(f"{at}: {value!r} is not like {schema['pattern']}")
        if isinstance(value, dict):
            found += [f"{at}/{key} is missing" for key in schema.get("required", ())
                      if key not in value]
            for key, member in value.items():
                if key in schema.get("properties", {}):
                    found += self.faults(member, schema["properties"][key], f"{at}/{key}")
        if isinstance(value, list) and "items" in schema:
            for item in value:
                found += self.faults(item, schema["items"], f"{at}[]")
        declared = self.members(schema) if isinstance(value, dict) and whole else None
        if declared is not None:
            found += [f"{at}/{key} is not described" for key in value if key not in declared]
        return found

    def check(self, method, pattern, answer):
        """The answer of a call is one that its path describes."""
        responses = self.document["paths"][pattern][method.lower()]["responses"]
        assert str(answer.status) in responses, (method, pattern, answer)
        content = self.resolve(responses[str(answer.status)])["content"]
        kind = answer.headers["Content-Type"].split(";")[0]
        assert kind in content, (method, pattern, kind)
        if "json" in kind:
            faults = self.faults(answer.json, content[kind].get("schema", {}))
            assert not faults, (method, pattern, faults)
