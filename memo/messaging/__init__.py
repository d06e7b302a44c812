"""Prediction messages: their form, and publishing and reading them on Redis or AMQP."""
