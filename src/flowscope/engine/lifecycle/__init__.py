"""The order of the steps of tasks and flows, with sync and async drivers."""
