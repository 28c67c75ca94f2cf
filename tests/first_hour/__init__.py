"""The first hour: three applications' databases, from `envclone init --from` to *reproduced*."""
