"""Values, exceptions and references as JSON, as pickles and without their secrets; nothing here knows a flow."""
