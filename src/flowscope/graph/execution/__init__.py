"""The execution of jobs: queues, workers, handlers, checkpoints."""
