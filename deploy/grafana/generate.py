#!/usr/bin/env python3
"""Writes the dashboards in dashboards/ from the questions in boards/.

    ./generate.py                                     after a change of boards/
    ./generate.py --docs https://HOST/scim-gateway/docs   runbooks are read there
    ./generate.py --check                             ends with 1 where a file is not what this would write
"""

import argparse
import json
import sys
from pathlib import Path

from boards import delivery, overview, platform, services, store
from boards.panels import render

FOLDER = Path(__file__).parent / "dashboards"
BOARDS = {
    "overview.json": overview.BOARD,
    "delivery.json": delivery.BOARD,
    "platform.json": platform.BOARD,
    "services.json": services.BOARD,
    "store.json": store.BOARD,
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--check", action="store_true", help="write nothing")
    arguments.add_argument("--docs", default="docs", help="where docs/ can be read (default: %(default)s)")
    arguments = arguments.parse_args()

    stale = {file.name for file in FOLDER.glob("*.json")} - set(BOARDS)
    for name, board in BOARDS.items():
        text = json.dumps(render(board, arguments.docs), indent=1, ensure_ascii=False) + "\n"
        file = FOLDER / name
        if arguments.check:
            if not file.exists() or file.read_text(encoding="utf-8") != text:
                stale.add(name)
        else:
            file.write_text(text, encoding="utf-8")
    if stale:
        sys.exit(f"not what generate.py writes: {', '.join(sorted(stale))}")


if __name__ == "__main__":
    main()
