#!/usr/bin/env python3
"""Reads each dashboard as Grafana's own definitions have it (`grafana-foundation-sdk`, made of the schemas of Grafana 11.6), and writes
it again: what is lost on the way is what Grafana does not know. `make check-dashboards` runs this.
"""

import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

# Of a variable, for who looks at its settings: what the older editor wrote, which the definitions leave out.
BESIDE = {"definition"}


def lost(before, after, path=""):
    """Paths of what is in the one and not in the other."""
    if isinstance(before, dict):
        for key, value in before.items():
            known = isinstance(after, dict) and key in after
            if known:
                yield from lost(value, after[key], f"{path}.{key}")
            elif value not in (None, False, "", [], {}) and key not in BESIDE:
                yield f"{path}.{key}"
    elif isinstance(before, list):
        for index, value in enumerate(before):
            yield from lost(value, after[index], f"{path}[{index}]") if index < len(after) else [f"{path}[{index}]"]
    elif before != after:
        yield f"{path}: {before!r} became {after!r}"


def main():
    register_default_plugins()
    unknown = []
    for file in sorted((Path(__file__).parent / "dashboards").glob("*.json")):
        board = json.loads(file.read_text(encoding="utf-8"))
        again = json.loads(JSONEncoder().encode(Dashboard.from_json(board)))
        unknown += [f"{file.name}{path}" for path in lost(board, again)]
        print(f"{file.name}: {len(board['panels'])} panels")
    if unknown:
        sys.exit("Grafana does not know:\n" + "\n".join(unknown))


if __name__ == "__main__":
    main()
