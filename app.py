"""Entry of a Hugging Face Space and of ``python app.py``."""

import sys

from smartbreed.web.server import main

if __name__ == "__main__":
    sys.exit(main())
