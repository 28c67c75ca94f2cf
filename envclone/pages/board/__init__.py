"""The service's pages: values in, HTML out."""
