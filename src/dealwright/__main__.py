"""``python -m dealwright`` is the command ``dealwright``."""

from dealwright.cli.main import main

if __name__ == "__main__":
    main()
