"""The operations on a library, one module per verb, between the API and the catalog."""
