"""`python -m envclone`: the same as the command."""

from envclone.cli.main import main

if __name__ == "__main__":
    main()
