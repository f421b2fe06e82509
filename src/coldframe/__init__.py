"""coldframe: a serverless, versioned DataFrame database for Python."""

__version__ = "0.1.0"
