"""All lessons under nbval with the quick budget, side by side, as ``make test`` runs them."""

import re
import subprocess
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def measure_lessons() -> dict[str, Any]:
    began = time.monotonic()
    done = subprocess.run(
        ["make", "test-lessons"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    passed = re.search(r"(\d+) passed", done.stdout)
    if done.returncode or not passed:
        raise RuntimeError(f"The lessons do not pass:\n{done.stdout[-2000:]}")
    return {
        "cells": int(passed[1]),
        "seconds": time.monotonic() - began,
    }
