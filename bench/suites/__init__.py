"""A module here is a suite; bench/README.md says what it has to hold."""
