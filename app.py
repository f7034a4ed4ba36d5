"""Entry point of a Hugging Face Space and of ``python app.py``."""

import sys

from smartbreed.core import garbage
from smartbreed.web.server import main

if __name__ == "__main__":
    garbage.pause()  # until the app has started
    sys.exit(main())
