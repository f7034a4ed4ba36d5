"""``python app.py`` started in a folder that is not the checkout."""

from __future__ import annotations

import os
import runpy
from pathlib import Path

if __name__ == "__main__":
    os.chdir("/usr")
    runpy.run_path(str(Path(__file__).parents[2] / "app.py"), run_name="__main__")
