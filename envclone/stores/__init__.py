"""The kinds of store that come with envclone, one package each."""
