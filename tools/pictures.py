"""Draw docs/images/large-flow.png: the flow of 60 methods that tests/browser looks at, as Chromium shows it."""

from __future__ import annotations

import base64
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from jackstay import Runtime  # noqa: E402 - a script: the clone's root goes on the path first
from tests.browser import chromium  # noqa: E402 - as above
from tests.browser.large_flow import large_flow  # noqa: E402 - as above

PICTURE = ROOT / "docs" / "images" / "large-flow.png"
SIZE = {"width": 2000, "height": 1300, "deviceScaleFactor": 1, "mobile": False}


def main() -> int:
    path = chromium.find()
    if path is None:
        print(chromium.NO_CHROMIUM, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder, Runtime(durability="off"), chromium.running(path) as browser:
        drawn = large_flow()().plot(Path(folder) / "gazette", show=False)
        page = browser.page()
        page.send("Emulation.setDeviceMetricsOverride", **SIZE)
        page.go(Path(drawn).as_uri())
        PICTURE.write_bytes(base64.b64decode(page.send("Page.captureScreenshot", format="png")["data"]))
    print(f"written: {PICTURE.relative_to(ROOT)} ({PICTURE.stat().st_size:,} bytes)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
