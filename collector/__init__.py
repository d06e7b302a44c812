"""The collector: watches what a person does, redacts it, stores it, and asks for predictions."""
