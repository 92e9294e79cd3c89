"""Tasks for executors, where worker processes can import them, and the means to test with them."""
