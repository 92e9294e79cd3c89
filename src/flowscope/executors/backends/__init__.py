"""The executors: asyncio, threads and processes."""
