"""``python -m karyofast``."""

from karyofast.cli.main import main

if __name__ == "__main__":
    main()
