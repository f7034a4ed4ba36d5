"""``python -m smartbreed``."""

from smartbreed.cli import main

if __name__ == "__main__":
    main()
