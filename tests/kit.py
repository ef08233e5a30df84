"""The labs' JavaScript: bundle it, lint it, and know whether the bundle is of these sources.

``python -m tests.kit`` bundles, ``python -m tests.kit lint`` lints. Node and the
packages are for those who change it; everyone else uses the committed bundle.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
WIDGETS = ROOT / "srlab" / "widgets"
KIT = WIDGETS / "kit"
BUNDLE = KIT / "static"
BIN = KIT / "node_modules" / ".bin"
LIMIT = 200_000


def sources() -> list[Path]:
    """Whatever the bundle is made of; package-lock.json stands for the libraries."""
    ours = [*KIT.glob("js/*.js"), *KIT.glob("css/*.css"), *WIDGETS.glob("*/*.js")]
    return sorted([*ours, KIT / "package-lock.json"])


def digest() -> str:
    """Of all sources, names too."""
    whole = hashlib.sha256()
    for path in sources():
        text = path.read_text(encoding="utf-8")  # line ends as Git keeps them
        whole.update(f"{path.relative_to(WIDGETS).as_posix()}\0{text}\0".encode())
    return whole.hexdigest()


def banner() -> str:
    return (
        f"/*! srlab's labs, bundled by `make kit` from sources {digest()[:32]}; "
        f"with lit-html (BSD-3-Clause) and uPlot (MIT), see THIRD_PARTY.md. */"
    )


def can_bundle() -> bool:
    """Whether Node and the packages are here."""
    return shutil.which("node") is not None and (BIN / "esbuild").exists()


def bundle(folder: Path = BUNDLE) -> None:
    """Write ``labs.js`` and ``labs.css`` to ``folder``."""
    command = [
        BIN / "esbuild", "js/index.js", "--bundle", "--minify", "--format=esm",
        "--target=es2022", "--charset=utf8", "--legal-comments=none",
        f"--banner:js={banner()}", f"--banner:css={banner()}",
        f"--outfile={folder / 'labs.js'}", "--log-level=warning",
    ]  # fmt: skip
    subprocess.run(command, cwd=KIT, check=True)


def lint(*, fix: bool = False) -> int:
    """Biome's verdict; without Node nothing is wrong, and that is said."""
    if not (can_bundle() and (BIN / "biome").exists()):
        print("JavaScript was not linted: `make kit` fetches what that needs.")
        return 0
    command = [BIN / "biome", "check", *(["--write"] if fix else []), "--config-path=."]
    paths = [path for path in sources() if path.suffix == ".js"]
    return subprocess.run([*command, *paths], cwd=KIT).returncode


if __name__ == "__main__":
    if "lint" in sys.argv:
        sys.exit(lint(fix="--fix" in sys.argv))
    bundle()
