"""``python -m karyofast`` is the command ``karyofast``."""

from karyofast.cli.main import main

if __name__ == "__main__":
    main()
