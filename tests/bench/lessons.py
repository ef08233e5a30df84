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
    summary = done.stdout.strip().splitlines()[-1]
    if done.returncode:
        raise RuntimeError(f"The lessons do not pass: {summary}")
    passed = re.search(r"(\d+) passed", summary)
    return {
        "cells": int(passed[1]) if passed else summary,
        "seconds": time.monotonic() - began,
    }
