"""Names in the log file are masked in the form that `daemon.runtime.logs` writes, and in that of older versions."""

import json
from collections.abc import Callable

import pytest

from daemon.privacy.log_files import masked_line
from daemon.runtime import logs
from rules.privacy import erasure


@pytest.mark.parametrize("encode", [logs.to_json, json.dumps], ids=["readable", "ascii"])
@pytest.mark.parametrize("name", ["Perù Caffè", "Zoë \U0001f469\u200d\U0001f4bb", 'Nicolò "Nico"'])
def test_a_name_is_masked_whether_it_was_escaped_or_not(name: str, encode: Callable[[object], str]) -> None:
    line = encode({"event": "event.recorded", "description": f"Nuovo cliente: {name} €"}).encode()
    masked = masked_line(line, erasure.name_patterns([name], []), ())

    assert len(masked) == len(line)
    assert set(json.loads(masked)["description"].removeprefix("Nuovo cliente: ").removesuffix(" €")) == {"*"}
