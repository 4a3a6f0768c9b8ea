"""What the suites are made of; bench/README.md is the way in."""
