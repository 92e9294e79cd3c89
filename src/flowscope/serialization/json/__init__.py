"""Values as JSON: what records show, and what comes back exactly."""
