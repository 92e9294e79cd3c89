"""What flowscope costs: the budgets, each as a ratio to its floor in the same run, beside the same work elsewhere."""
