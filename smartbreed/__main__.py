"""Entry point of ``python -m smartbreed``."""

from smartbreed.cli.main import main

if __name__ == "__main__":
    main()
