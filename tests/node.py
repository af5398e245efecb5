"""Runs modules of the playground's script in Node.js, beside what the package computes."""

import json
import subprocess

from iadb_helpers.explorer.page import PLAYGROUND
from tools.browsers import NODE


def run(imports: dict[str, str], body: str, given: object = None) -> object:
    """What a script returns.

    Args:
        imports: {module: the names that the script takes from it}, for example {"noise": "noise"}.
        body: of an async function of ``given`` that returns JSON values; a Float32Array must be spread.
        given: JSON values.

    Raises:
        AssertionError: if the script throws, with what Node.js says.
    """
    lines = [f'import {{ {names} }} from "{(PLAYGROUND / module).as_uri()}.js";' for module, names in imports.items()]
    reading = 'import { readFileSync } from "node:fs"; const given = JSON.parse(readFileSync(0, "utf-8"));'
    script = "\n".join(
        [*lines, reading, f"const run = async () => {{ {body} }};", "console.log(JSON.stringify(await run()));"]
    )
    command = [str(NODE), "--input-type=module", "--no-warnings", "--eval", script]
    ended = subprocess.run(
        command, input=json.dumps(given), capture_output=True, text=True, encoding="utf-8", timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)
