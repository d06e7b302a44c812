"""What a person does, from its sources into the store: watch, redact, store, announce."""
